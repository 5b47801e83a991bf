// Attention by its definition, in f64 and plain C++, with every pattern written
// again by hand: shares no code with the compiler.
#ifndef ATTN_TEST_ATTENTION_ORACLE_H
#define ATTN_TEST_ATTENTION_ORACLE_H

#include "attn/API/Attention.h"

#include <functional>
#include <string>
#include <vector>

namespace attn::test {

/// A pattern: what its mod file says, as functions.
struct Oracle {
  std::function<double(double s, int b, int h, int q, int kv)> score;
  std::function<bool(int b, int h, int q, int kv)> mask;
};

/// The oracle of configs/mods/NAME.mlir; `captures` are the mod's own.
Oracle oracleOf(const std::string &pattern, const ProblemSizes &sizes,
                const std::vector<CaptureData> &captures);

/// Inputs as numbers, contiguous (batch, head, position, channel).
struct Inputs {
  ProblemSizes sizes;
  double scale;
  std::vector<double> query, key, value;
};

/// The result, and the error that computing it in the element type would have:
/// scores, weights and output rounded to it, sums in f32.
struct Expected {
  std::vector<double> out, lse;
  double roundedError = 0;
  double largestScore = 0; ///< of those kept, after the score program
};
Expected evaluate(const Inputs &inputs, const Oracle &oracle, ElementType type);

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_ORACLE_H
