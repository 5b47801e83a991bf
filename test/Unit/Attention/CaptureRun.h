// One case of gradients of captured values: both passes on the selected device,
// and a comparison with central differences of the forward pass in f64 and
// plain C++, of single elements, and along random directions.
#ifndef ATTN_TEST_ATTENTION_CAPTURERUN_H
#define ATTN_TEST_ATTENTION_CAPTURERUN_H

#include "Harness.h"

#include "attn/API/Gradient.h"

#include <functional>
#include <memory>
#include <optional>

namespace attn::test {

/// Memory of the device that holds what a host's vector does. A copy has its
/// own.
class DeviceCopy {
public:
  DeviceCopy() = default;
  DeviceCopy(const DeviceCopy &) {}
  ~DeviceCopy() { device().release(memory); }

  void *in(const void *host, size_t size);
  /// Waits for all that was enqueued before.
  void out(void *host, size_t size);

private:
  void *memory = nullptr;
};

/// The elements of captured values, as numbers.
using Tables = std::vector<std::vector<double>>;
using CaptureScore = std::function<double(const Tables &, double s, int b,
                                          int h, int q, int kv)>;
using CaptureMask = std::function<bool(int b, int h, int q, int kv)>;

struct CaptureCase {
  std::string name;
  std::string mod; ///< a file of test/Inputs/mods or configs/mods, or programs
  std::vector<std::vector<int64_t>> shapes; ///< of the captures
  std::vector<std::string> wrt;
  CaptureScore score;
  CaptureMask mask = nullptr;
  ElementType type = ElementType::F32;
  ProblemSizes sizes = {2, 4, 2, 70, 150, 16, 8, 2};
  bool gradLse = true;
  std::optional<int32_t> queryOffset = std::nullopt;
  bool isStrided = false; ///< captures have an innermost stride of 2
  double limit = 2e-5;    ///< of the error of f32, relative to the norm
  std::string schedule = "";
};

/// What GoogleTest says a case is.
void PrintTo(const CaptureCase &c, std::ostream *out);

/// Numbers of a normal distribution.
std::vector<double> normalNumbers(size_t count, unsigned seed);

/// The mod of a case.
Result<Mod> modOf(const CaptureCase &c);

/// One case: both passes, and what is asked for.
class CaptureRun {
public:
  explicit CaptureRun(const CaptureCase &c);
  ~CaptureRun();

  /// Both passes. Errors of the API are failures.
  void compute();
  /// The backward pass, into poisoned memory, with a poisoned workspace.
  void computeAgain();
  void compare();

  std::vector<std::vector<float>> gradients; ///< between two more numbers

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_CAPTURERUN_H
