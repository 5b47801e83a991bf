// See GradientHarness.h.
#include "GradientHarness.h"

#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace attn;
using namespace attn::test;

static constexpr double infinity = std::numeric_limits<double>::infinity();

//===--- memory -----------------------------------------------------------===//

void *Placed::in(const void *host, size_t size) {
  reserve(size);
  EXPECT_TRUE(device().copyIn(memory, host, static_cast<int64_t>(size)));
  return memory;
}

void Placed::out(void *host, size_t size) {
  EXPECT_TRUE(device().synchronize());
  EXPECT_TRUE(device().copyOut(host, memory, static_cast<int64_t>(size)));
}

void *Placed::reserve(size_t size) {
  if (!memory)
    memory = *device().allocate(std::max<int64_t>(size, 16));
  return memory;
}

Tensor::Tensor(std::array<int64_t, 4> sizes, ElementType type, bool isBSHD)
    : sizes(sizes), type(type),
      bytes(static_cast<size_t>(count() * byteWidth(type)), std::byte(0xff)),
      isBSHD(isBSHD) {}

TensorView Tensor::onDevice() {
  TensorView v = view();
  v.data = placed.in(bytes.data(), bytes.size());
  return v;
}

TensorView Tensor::view() {
  TensorView view;
  view.data = bytes.data(), view.type = type, view.sizes = sizes;
  view.strides = {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3],
                  sizes[3]};
  if (isBSHD)
    view.strides = {sizes[1] * sizes[2] * sizes[3], sizes[3],
                    sizes[1] * sizes[3]};
  return view;
}

void Tensor::forEachRow(const std::function<void(void *, int64_t)> &visit) {
  TensorView v = view();
  int64_t row = 0;
  for (int64_t b = 0; b < sizes[0]; ++b)
    for (int64_t h = 0; h < sizes[1]; ++h)
      for (int64_t i = 0; i < sizes[2]; ++i)
        visit(bench::rowOf(v, b, h, i), row++);
}

void Tensor::set(const std::vector<double> &numbers) {
  std::vector<float> floats(numbers.begin(), numbers.end());
  forEachRow([&](void *to, int64_t row) {
    bench::fromFloat(to, type, &floats[row * sizes[3]], sizes[3]);
  });
}

std::vector<double> Tensor::get() {
  std::vector<double> numbers(static_cast<size_t>(count()));
  forEachRow([&](void *from, int64_t row) {
    bench::toDouble(&numbers[row * sizes[3]], from, type, sizes[3]);
  });
  return numbers;
}

//===--- the definition ---------------------------------------------------===//

Definition::Definition(const Inputs &in, const Oracle &oracle,
                       const std::vector<double> &gradOut,
                       const std::vector<float> &gradLse)
    : in(in), s(in.sizes), oracle(oracle), gradOut(gradOut), gradLse(gradLse) {
  result.query.resize(in.query.size());
  result.key.resize(in.key.size());
  result.value.resize(in.value.size());
}

Gradients Definition::run() {
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int q = 0; q < s.queries; ++q)
        addRow(b, h, q);
  return result;
}

void Definition::addRow(int b, int h, int q) {
  int64_t row = (int64_t(b) * s.heads + h) * s.queries + q;
  int64_t firstKey =
      (int64_t(b) * s.kvHeads + h / (s.heads / s.kvHeads)) * s.keys;
  const double *x = &in.query[row * s.headDim];
  const double *dout = &gradOut[row * s.valueDim];
  std::vector<double> products(s.keys), t(s.keys, -infinity), p(s.keys);
  double greatest = -infinity, sum = 0;
  for (int kv = 0; kv < s.keys; ++kv) {
    if (!keeps(b, h, q, kv))
      continue;
    const double *y = &in.key[(firstKey + kv) * s.headDim];
    for (int64_t c = 0; c < s.headDim; ++c)
      products[kv] += x[c] * y[c] * in.scale;
    t[kv] = score(products[kv], b, h, q, kv);
    greatest = std::max(greatest, t[kv]);
  }
  if (greatest == -infinity)
    return;
  for (int kv = 0; kv < s.keys; ++kv)
    sum += p[kv] = std::exp(t[kv] - greatest);
  std::vector<double> ofWeights(s.keys);
  double delta = gradLse.empty() ? 0 : -double(gradLse[row]);
  for (int kv = 0; kv < s.keys; ++kv) {
    if (!keeps(b, h, q, kv))
      continue;
    p[kv] /= sum;
    const double *v = &in.value[(firstKey + kv) * s.valueDim];
    for (int64_t c = 0; c < s.valueDim; ++c) {
      ofWeights[kv] += dout[c] * v[c];
      result.value[(firstKey + kv) * s.valueDim + c] += p[kv] * dout[c];
    }
    delta += p[kv] * ofWeights[kv];
  }
  for (int kv = 0; kv < s.keys; ++kv) {
    if (!keeps(b, h, q, kv))
      continue;
    const double step = 1e-5 * std::max(1.0, std::fabs(products[kv]));
    double slope = (score(products[kv] + step, b, h, q, kv) -
                    score(products[kv] - step, b, h, q, kv)) /
                   (2 * step);
    double ds = p[kv] * (ofWeights[kv] - delta) * slope * in.scale;
    for (int64_t c = 0; c < s.headDim; ++c) {
      result.query[row * s.headDim + c] +=
          ds * in.key[(firstKey + kv) * s.headDim + c];
      result.key[(firstKey + kv) * s.headDim + c] += ds * x[c];
    }
  }
}

std::vector<double> attn::test::normal(int64_t count, ElementType type,
                                       unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float &x : numbers)
    x = distribution(random);
  bench::roundTo(type, numbers.data(), count);
  return {numbers.begin(), numbers.end()};
}

double attn::test::distance(const std::vector<double> &got,
                            const std::vector<double> &want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i]))
      return infinity;
    error += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return size == 0 ? std::sqrt(error) : std::sqrt(error / size);
}

//===--- both passes ------------------------------------------------------===//

KernelSpec attn::test::specOf(ElementType type, int64_t headDim,
                              int64_t valueDim) {
  device(); // whose context a kernel is compiled for
  KernelSpec spec;
  spec.target = selectedTarget(), spec.portable = portableIsSelected();
  spec.type = type, spec.headDim = headDim, spec.valueDim = valueDim;
  return spec;
}

BothPasses::BothPasses(const ProblemSizes &s, ElementType type, bool isBSHD)
    : s(s), query({s.batch, s.heads, s.queries, s.headDim}, type, isBSHD),
      key({s.batch, s.kvHeads, s.keys, s.headDim}, type, isBSHD),
      value({s.batch, s.kvHeads, s.keys, s.valueDim}, type, isBSHD),
      out({s.batch, s.heads, s.queries, s.valueDim}, type, isBSHD),
      gradOut(out), gradQuery(query), gradKey(key), gradValue(value),
      lse(static_cast<size_t>(s.batch * s.heads * s.queries)) {}

void BothPasses::set(const Inputs &inputs) {
  query.set(inputs.query), key.set(inputs.key);
  value.set(inputs.value);
}

GradientArguments BothPasses::arguments(const Mod &mod) {
  GradientArguments a;
  a.query = query.onDevice(), a.key = key.onDevice();
  a.value = value.onDevice(), a.out = out.onDevice();
  a.lse = onDevice(placedLse, lse), a.captures = placeCaptures(mod);
  a.gradOut = gradOut.onDevice();
  a.gradLse = gradLse.empty() ? nullptr : onDevice(placedGradLse, gradLse);
  a.gradQuery = gradQuery.onDevice(), a.gradKey = gradKey.onDevice();
  a.gradValue = gradValue.onDevice();
  a.stream = device().stream();
  return a;
}

void BothPasses::fetch() {
  for (Tensor *tensor : {&gradQuery, &gradKey, &gradValue})
    tensor->fetch();
}

void BothPasses::poisonGradients() {
  for (Tensor *tensor : {&gradQuery, &gradKey, &gradValue})
    tensor->poison();
}

void BothPasses::runForward(const AttentionKernel &kernel, const Mod &mod) {
  Result<void> ran = kernel.run(
      query.onDevice(), key.onDevice(), value.onDevice(), placeCaptures(mod),
      out.onDevice(), onDevice(placedLse, lse), device().stream());
  ASSERT_TRUE(ran) << ran.error();
  out.fetch();
  placedLse.out(lse.data(), lse.size() * sizeof(float));
}

void BothPasses::computeForward(const Mod &mod) {
  KernelSpec spec = specOf(query.type, s.headDim, s.valueDim);
  spec.lse = true;
  Result<AttentionKernel> forward = AttentionKernel::compile(mod, spec);
  ASSERT_TRUE(forward) << forward.error();
  runForward(*forward, mod);
}

void BothPasses::runGradients(const GradientKernel &kernel, const Mod &mod) {
  Result<void> ran = kernel.run(arguments(mod));
  ASSERT_TRUE(ran) << ran.error();
  fetch();
}

void BothPasses::compute(const Mod &mod, bool deterministic) {
  ASSERT_NO_FATAL_FAILURE(computeForward(mod));
  KernelSpec spec = specOf(query.type, s.headDim, s.valueDim);
  spec.lse = !gradLse.empty(), spec.deterministic = deterministic;
  Result<GradientKernel> kernel = GradientKernel::compile(mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  runGradients(*kernel, mod);
}

float *BothPasses::onDevice(Placed &placed, const std::vector<float> &numbers) {
  return static_cast<float *>(
      placed.in(numbers.data(), numbers.size() * sizeof(float)));
}

std::vector<CaptureView> BothPasses::placeCaptures(const Mod &mod) {
  if (!placedCaptures)
    placedCaptures = std::make_unique<PlacedCaptures>(Case(), mod, captures);
  return placedCaptures->views();
}

double attn::test::allowed(ElementType type) {
  return type == ElementType::F32 ? 3e-6 : 4 * bench::unitRoundoff(type);
}

void attn::test::compare(BothPasses &run, const Gradients &want) {
  compare(run, want, allowed(run.query.type));
}

void attn::test::compare(BothPasses &run, const Gradients &want, double limit) {
  EXPECT_LT(distance(run.gradQuery.get(), want.query), limit);
  EXPECT_LT(distance(run.gradKey.get(), want.key), limit);
  EXPECT_LT(distance(run.gradValue.get(), want.value), limit);
}
