// Whose memory an address is: a kernel that reads a wrong one takes the context
// down, and says neither which tensor it was nor why.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::cuda;

Result<void> cuda::checkMemory(const char *name, const void *address,
                               Device device) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  unsigned type = 0, isManaged = 0;
  int ordinal = 0;
  PointerAttribute attributes[] = {kMemoryType, kIsManaged, kDeviceOrdinal};
  void *values[] = {&type, &isManaged, &ordinal};
  ATTN_TRY(table->check(
      table->pointerGetAttributes(3, attributes, values,
                                  reinterpret_cast<DevicePointer>(address)),
      "cuPointerGetAttributes"));
  bool isOfDevice = type == kMemoryTypeDevice;
  if (isManaged || type == kMemoryTypeHost || (isOfDevice && ordinal == device))
    return {};
  return Error{std::string("expects '") + name + "' in memory of GPU " +
               std::to_string(device) + ", got memory of " +
               (isOfDevice ? "GPU " + std::to_string(ordinal)
                           : "the host, which the driver does not know")};
}
