// The gradients by their definition, in f64 on the processor, of as many heads
// as there is time for: those of one key-value head depend on no other.
#ifndef ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H
#define ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H

#include "cases/Gradients.h"
#include "cases/Problem.h"
#include "devices/Device.h"

namespace attn::bench {

/// The largest error of the three gradients relative to its gradient's bound:
/// above 1 is wrong.
struct GradientError {
  double share = 0;    ///< NaN if a result has one
  double error = 0;    ///< absolute
  double bound = 0;    ///< of that gradient
  const char *of = ""; ///< "dQ", "dK" or "dV"
};

class GradientReference {
public:
  /// `gradOut`: what flows into the output. Without heads, where none could be
  /// computed: whyNot() says it. Errors: of copying.
  static Result<GradientReference> compute(Device &, const Problem &,
                                           const TensorView &gradOut);

  bool isThere() const { return !heads.empty(); }
  const std::string &whyNot() const { return reason; }
  /// "2 of 64 key-value heads were checked"; empty if all were.
  const std::string &remark() const { return note; }

  /// Compares gradients in host memory with those of the computed heads.
  GradientError compare(const Gradients &) const;

private:
  /// One key-value head: its query heads one after the other.
  struct Head {
    int64_t batch, kvHead;
    std::vector<double> query, key, value;
  };

  std::vector<Head> heads;
  double bounds[3] = {}; ///< of dQ, dK, dV
  std::string reason, note;
};

} // namespace attn::bench

#endif // ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H
