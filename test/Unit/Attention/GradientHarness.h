// Both passes of one attention problem on a device, and what its gradients are
// by their definition: shared by the tests of gradients.
#ifndef ATTN_TEST_ATTENTION_GRADIENTHARNESS_H
#define ATTN_TEST_ATTENTION_GRADIENTHARNESS_H

#include "Harness.h"

#include "attn/API/Gradient.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

namespace attn::test {

/// Memory of the device that holds what a host's vector does. A copy has its
/// own.
class Placed {
public:
  Placed() = default;
  Placed(const Placed &) {}
  ~Placed() { device().release(memory); }

  void *in(const void *host, size_t size);
  void out(void *host, size_t size);
  void *reserve(size_t size);

private:
  void *memory = nullptr;
};

/// A tensor of numbers (batch, head, position, channel), as an element type
/// holds it.
struct Tensor {
  std::array<int64_t, 4> sizes;
  ElementType type;
  std::vector<std::byte> bytes;
  bool isBSHD = false;
  Placed placed;

  Tensor(std::array<int64_t, 4> sizes, ElementType type, bool isBSHD = false);

  int64_t count() const { return sizes[0] * sizes[1] * sizes[2] * sizes[3]; }
  /// Fills with NaN.
  void poison() { std::fill(bytes.begin(), bytes.end(), std::byte(0xff)); }

  /// Where a kernel finds it, after what the host wrote.
  TensorView onDevice();
  void fetch() { placed.out(bytes.data(), bytes.size()); }
  TensorView view();

  void set(const std::vector<double> &numbers);
  std::vector<double> get();

private:
  /// Calls `visit` with the first byte of each row, and its number.
  void forEachRow(const std::function<void(void *, int64_t)> &visit);
};

struct Gradients {
  std::vector<double> query, key, value;
};

/// By the definition (attn.attention_backward), in f64. The derivative of a
/// score program is taken numerically.
class Definition {
public:
  /// `gradLse`: empty for none.
  Definition(const Inputs &in, const Oracle &oracle,
             const std::vector<double> &gradOut,
             const std::vector<float> &gradLse);
  Gradients run();

private:
  bool keeps(int b, int h, int q, int kv) const {
    return !oracle.mask || oracle.mask(b, h, q, kv);
  }
  double score(double x, int b, int h, int q, int kv) const {
    return oracle.score ? oracle.score(x, b, h, q, kv) : x;
  }
  void addRow(int b, int h, int q);

  const Inputs &in;
  const ProblemSizes &s;
  const Oracle &oracle;
  const std::vector<double> &gradOut;
  const std::vector<float> &gradLse;
  Gradients result;
};

/// Standard normal numbers, as `type` holds them.
std::vector<double> normal(int64_t count, ElementType type, unsigned seed);

/// The distance in the norm, relative to that of `want`; infinite if any number
/// is not finite.
double distance(const std::vector<double> &got,
                const std::vector<double> &want);

/// Of the kernels that the program was started for.
KernelSpec specOf(ElementType type, int64_t headDim, int64_t valueDim);

/// One problem: its forward pass, and the gradients of a kernel.
struct BothPasses {
  ProblemSizes s;
  Tensor query, key, value, out, gradOut, gradQuery, gradKey, gradValue;
  std::vector<float> lse, gradLse;
  std::vector<CaptureData> captures; ///< until the first run

  BothPasses(const ProblemSizes &s, ElementType type, bool isBSHD = false);

  void set(const Inputs &inputs);
  /// With everything where a kernel finds it.
  GradientArguments arguments(const Mod &mod);
  /// What a kernel wrote.
  void fetch();
  void poisonGradients();

  /// The forward pass, of a kernel with LSE. Errors of the API are failures,
  /// here and below.
  void runForward(const AttentionKernel &kernel, const Mod &mod);
  void computeForward(const Mod &mod);
  void runGradients(const GradientKernel &kernel, const Mod &mod);
  /// Both passes.
  void compute(const Mod &mod, bool deterministic = false);

private:
  static float *onDevice(Placed &placed, const std::vector<float> &numbers);
  std::vector<CaptureView> placeCaptures(const Mod &mod);

  Placed placedLse, placedGradLse;
  std::unique_ptr<PlacedCaptures> placedCaptures;
};

/// What the rounding of inputs to the products leaves of the digits.
double allowed(ElementType type);

/// Expects the gradients of `run`, relative to the norm of `want`.
void compare(BothPasses &run, const Gradients &want);
void compare(BothPasses &run, const Gradients &want, double limit);

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_GRADIENTHARNESS_H
