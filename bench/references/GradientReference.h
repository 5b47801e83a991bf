// The gradients by their definition, in f64 on the processor, of as many heads
// as there is time for: those of one key-value head depend on no other.
#ifndef ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H
#define ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H

#include "cases/Gradients.h"
#include "cases/Problem.h"
#include "devices/Device.h"

#include <string>
#include <vector>

namespace attn::bench {

/// The largest error of the gradients relative to its gradient's bound: above 1
/// is wrong.
struct GradientError {
  double share = 0; ///< NaN if a result has one
  double error = 0; ///< absolute
  double bound = 0; ///< of that gradient
  std::string of;   ///< "dQ", "dK", "dV", or "d" and the name of a capture
};

class GradientReference {
public:
  /// `gradOut`: what flows into the output. `captures`: the names of those
  /// whose gradients are to be compared, which is possible if all heads are
  /// computed. Without heads, where none could be: whyNot() says it. Errors: of
  /// copying.
  static Result<GradientReference>
  compute(Device &, const Problem &, const TensorView &gradOut,
          const std::vector<std::string> &captures);

  bool isThere() const { return !heads.empty(); }
  const std::string &whyNot() const { return reason; }
  /// "2 of 64 key-value heads were checked"; empty if all were.
  const std::string &remark() const { return note; }

  /// Compares gradients in host memory with those of the computed heads.
  /// Without the gradients of captures that have none.
  GradientError compare(const Gradients &) const;

private:
  /// One key-value head: its query heads one after the other.
  struct Head {
    int64_t batch, kvHead;
    std::vector<double> query, key, value;
  };

  struct Capture {
    std::string name;
    std::vector<double> gradient;
    double bound;
  };

  std::vector<Head> heads;
  std::vector<Capture> captures;
  double bounds[3] = {}; ///< of dQ, dK, dV
  std::string reason, note;
};

} // namespace attn::bench

#endif // ATTN_BENCH_REFERENCES_GRADIENTREFERENCE_H
