// Measured ceilings.
#include "run/Ceilings.h"

#include "devices/Tensors.h"
#include "numerics/BLAS.h"
#include "numerics/CublasAttention.h"
#include "support/Interrupt.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

/// The fastest of a few runs: a ceiling is what can be reached. 0: it failed.
static double bestSeconds(Device &device, double seconds,
                          const std::function<Result<void>()> &work) {
  TurnOptions options;
  options.hot = true;
  options.seconds = seconds;
  options.launches = 0;
  Result<Turn> turn = device.time(work, options);
  if (!turn || turn->samples.empty())
    return 0;
  return *std::min_element(turn->samples.begin(), turn->samples.end());
}

/// Matrices of n x n: a (as one head's probabilities), b and c (as tensors of
/// one head).
static TensorView squareView(void *data, ElementType type, int64_t n) {
  TensorView view;
  view.data = data;
  view.type = type;
  view.sizes = {1, 1, n, n};
  view.strides = {n * n, n * n, n};
  return view;
}

static double gemmOnGPU(Device &device, ElementType type,
                        const CeilingSizes &sizes) {
  int64_t n = sizes.matrix;
  Result<CublasAttention> cublas = CublasAttention::create(device.stream());
  int64_t bytes = n * n * byteWidth(type);
  Result<Buffer> a = Buffer::create(device, bytes),
                 b = Buffer::create(device, bytes),
                 c = Buffer::create(device, bytes);
  if (!cublas || !a || !b || !c)
    return 0;
  // Normal numbers: zeros need less power, and would run at a higher clock.
  std::vector<std::byte> pool = normalPool(type, /*seed=*/1);
  for (Buffer *buffer : {&*a, &*b})
    for (int64_t at = 0; at < bytes; at += int64_t(pool.size()))
      if (!device.copyIn(static_cast<std::byte *>(buffer->data()) + at,
                         pool.data(),
                         std::min<int64_t>(pool.size(), bytes - at)))
        return 0;
  double seconds = bestSeconds(device, sizes.seconds, [&] {
    return cublas->output(a->data(), squareView(b->data(), type, n),
                          squareView(c->data(), type, n), 0, 1);
  });
  return seconds > 0 ? 2.0 * n * n * n / seconds : 0;
}

static double gemmOnCPU(Device &device, const CeilingSizes &sizes) {
  int64_t n = sizes.matrix;
  Result<const BLAS *> blas = BLAS::get();
  if (!blas)
    return 0;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  double seconds = bestSeconds(device, sizes.seconds, [&]() -> Result<void> {
    (*blas)->gemm(
        /*transposeB=*/false, n, n, n, MatrixView<const float>{a.data(), n},
        MatrixView<const float>{b.data(), n}, MatrixView<float>{c.data(), n});
    return {};
  });
  return seconds > 0 ? 2.0 * n * n * n / seconds : 0;
}

static double copyRate(Device &device, const CeilingSizes &sizes) {
  int64_t bytes = sizes.copyBytes;
  Result<Buffer> from = Buffer::create(device, bytes),
                 to = Buffer::create(device, bytes);
  if (!from || !to || !device.fill(from->data(), 1, bytes) ||
      !device.fill(to->data(), 2, bytes))
    return 0;
  double seconds = bestSeconds(device, sizes.seconds, [&] {
    return device.copy(to->data(), from->data(), bytes);
  });
  return seconds > 0 ? 2.0 * bytes / seconds : 0;
}

static double readRate(Device &device, const CeilingSizes &sizes) {
  int64_t bytes = sizes.copyBytes;
  Result<Buffer> from = Buffer::create(device, bytes);
  if (!from || !device.fill(from->data(), 1, bytes))
    return 0;
  double seconds = bestSeconds(
      device, sizes.seconds, [&] { return device.read(from->data(), bytes); });
  return seconds > 0 ? bytes / seconds : 0;
}

/// The median, as every backend's time is one.
static double emptyLaunch(Device &device, const CeilingSizes &sizes) {
  TurnOptions options;
  options.seconds = sizes.seconds;
  options.launches = 0;
  Result<Turn> turn =
      device.time([&] { return device.launchNothing(); }, options);
  if (!turn)
    return 0;
  Timing timing;
  timing.samples = std::move(turn->samples);
  return timing.median();
}

CeilingSizes attn::bench::ceilingSizes(Target target) {
  if (target == Target::CUDA)
    return {8192, int64_t(1) << 30};
  return {1536, int64_t(1) << 28};
}

Ceilings attn::bench::measureCeilings(Device &device,
                                      const std::vector<ElementType> &types,
                                      const CeilingSizes &sizes) {
  Ceilings ceilings;
  bool cuda = device.target() == Target::CUDA;
  // A processor computes in f32, whatever the tensors are.
  for (ElementType type : cuda ? types : std::vector{ElementType::F32}) {
    if (isInterrupted())
      return ceilings;
    double flops =
        cuda ? gemmOnGPU(device, type, sizes) : gemmOnCPU(device, sizes);
    if (flops > 0)
      ceilings.gemm[toString(type)] = flops;
  }
  if (!isInterrupted())
    ceilings.copy = copyRate(device, sizes);
  if (!isInterrupted())
    ceilings.read = readRate(device, sizes);
  if (!isInterrupted())
    ceilings.emptyLaunch = emptyLaunch(device, sizes);
  return ceilings;
}
