// Whose memory an address is: a kernel that reads a wrong one takes the context
// down, and says neither which tensor it was nor why.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::cuda;

// What drivers say of an address that none of them gave out, those that do not
// leave the attributes at zero.
static constexpr Status kInvalidValue = 1, kInvalidContext = 201;

Result<void> cuda::checkMemory(const char *name, const void *address,
                               Device device) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  unsigned type = 0, isManaged = 0;
  int ordinal = 0;
  PointerAttribute attributes[] = {kMemoryType, kIsManaged, kDeviceOrdinal};
  void *values[] = {&type, &isManaged, &ordinal};
  Status status = table->pointerGetAttributes(
      3, attributes, values, reinterpret_cast<DevicePointer>(address));
  if (status != kInvalidValue && status != kInvalidContext)
    ATTN_TRY(table->check(status, "cuPointerGetAttributes"));
  bool isOfDevice = type == kMemoryTypeDevice;
  if (isManaged || type == kMemoryTypeHost || (isOfDevice && ordinal == device))
    return {};
  return Error{std::string("expects '") + name + "' in memory of GPU " +
               std::to_string(device) + ", got memory of " +
               (isOfDevice ? "GPU " + std::to_string(ordinal)
                           : "the host, which the driver does not know")};
}
