// See CUDALaunch.h.
#include "CUDALaunch.h"

#include "attn/Support/Try.h"

using namespace attn;

bool attn::isAligned(const TensorView &view) {
  int64_t width = byteWidth(view.type);
  if (reinterpret_cast<uintptr_t>(view.data) % 16)
    return false;
  for (int i = 0; i < 3; ++i)
    if (view.sizes[i] > 1 && view.strides[i] * width % 16)
      return false;
  return view.sizes[3] * width % 16 == 0;
}

Result<bool> attn::runsSM90a(cuda::Device device) {
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  return info.computeMajor == 9 && info.computeMinor == 0 &&
         info.driverVersion >= 12070;
}

Result<const char *> attn::planTargetOf(const KernelSpec &spec,
                                        std::optional<ScheduleNeeds> given,
                                        cuda::Device device) {
  if (!given)
    return spec.portable ? "sm80" : "sm90a";
  if (*given == ScheduleNeeds::Nothing)
    return "sm80";
  ATTN_TRY_ASSIGN(bool sm90a, runsSM90a(device));
  if (!sm90a || spec.portable)
    return Error{std::string("expects a schedule without ") +
                 (*given == ScheduleNeeds::TMA ? "producers" : "'dependent'") +
                 ": only GPUs of compute capability 9.0 run those"};
  if (*given == ScheduleNeeds::TMA &&
      (!spec.aligned || spec.type == ElementType::F32))
    return Error{"expects a schedule without producers for f32 or rows that "
                 "do not start at multiples of 16 bytes"};
  return "sm90a";
}

Result<LaunchMemory> attn::expectedMemory(const KernelSpec &spec,
                                          cuda::Device device) {
  LaunchMemory memory;
  ATTN_TRY_ASSIGN(memory.sm90a, runsSM90a(device));
  memory.aligned = spec.aligned;
  memory.sm90a &= spec.aligned;
  return memory;
}

const char *attn::targetOf(const Guard &guard) {
  return guard.has(Condition::Kind::SM90a) ? "sm90a" : "sm80";
}

Result<bool> attn::isCapturing(void *stream) {
  return cuda::isCapturing(static_cast<cuda::Stream>(stream));
}

Result<void> attn::copyFromGPU(cuda::Context context, void *to,
                               const void *from, int64_t bytes, void *stream) {
  ATTN_TRY_ASSIGN(const cuda::Driver *driver, cuda::driver());
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(bool capturing, isCapturing(stream));
  if (capturing)
    return Error{"expects no stream capture where memory is copied to the "
                 "host"};
  auto onStream = static_cast<cuda::Stream>(stream);
  ATTN_TRY(driver->check(
      driver->memcpyDtoHAsync(to, reinterpret_cast<cuda::DevicePointer>(from),
                              bytes, onStream),
      "cuMemcpyDtoHAsync"));
  return driver->check(driver->streamSynchronize(onStream),
                       "cuStreamSynchronize");
}

KernelSpec attn::withAlignment(const KernelSpec &spec) {
  KernelSpec result = spec;
  int64_t width = byteWidth(spec.type);
  result.aligned = spec.aligned && spec.headDim * width % 16 == 0 &&
                   spec.valueDim * width % 16 == 0;
  return result;
}

Result<cuda::Context> attn::contextOf(const KernelSpec &spec) {
  if (spec.device)
    return cuda::primaryContext(*spec.device);
  return cuda::Context(nullptr);
}

Result<void> attn::enqueueZeros(const TensorView &view, void *stream) {
  ATTN_TRY_ASSIGN(const cuda::Driver *driver, cuda::driver());
  auto [batches, heads, length, channels] = view.sizes;
  int64_t width = byteWidth(view.type), bytes = channels * width;
  // Rows that do not lie one after the other are filled one by one.
  int64_t pitch = view.strides[2] * width;
  int64_t height = length == 1 || pitch >= bytes ? length : 1;
  if (height == 1)
    pitch = bytes;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < length; i += height) {
        int64_t row =
            b * view.strides[0] + h * view.strides[1] + i * view.strides[2];
        auto to = reinterpret_cast<cuda::DevicePointer>(view.data);
        ATTN_TRY(driver->check(
            driver->memsetD2D8Async(to + row * width, pitch, 0, bytes, height,
                                    static_cast<cuda::Stream>(stream)),
            "cuMemsetD2D8Async"));
      }
  return {};
}
