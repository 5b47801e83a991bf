// Random mask programs: an expression tree that can be written as a mod,
// evaluated without the compiler, and made smaller.
#ifndef ATTN_TEST_UNIT_ANALYSIS_RANDOMMASK_H
#define ATTN_TEST_UNIT_ANALYSIS_RANDOMMASK_H

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace attn::test {

/// What a program is evaluated for.
struct MaskInputs {
  std::vector<int32_t> table;
  int32_t scalar = 0;
  // As long as the table.
  std::vector<int8_t> bytes;
  std::vector<int16_t> shorts;
  std::vector<int64_t> longs;
  std::vector<bool> flags;
  int64_t longScalar = 0;
};

/// Tables of `length` entries: sorted or not, small numbers or any of their
/// types.
MaskInputs randomInputs(std::mt19937 &random, int64_t length);

enum class MaskType { Bool, Int, Long, Float };

struct MaskNode {
  /// An operation of `operations` in RandomMask.cpp.
  unsigned operation = 0;
  int32_t constant = 0; ///< of a literal, a divisor, a shift; a predicate
  std::vector<std::shared_ptr<const MaskNode>> operands;
};
using MaskTree = std::shared_ptr<const MaskNode>;

/// A number that the environment may set.
unsigned fromEnvironment(const char *name, unsigned otherwise);

/// A tree of type bool with about `size` nodes.
MaskTree randomMask(std::mt19937 &random, int size);

/// `attn.mod @mask` with the captures %table, %scalar, %bytes, %shorts, %longs,
/// %flags and %long_scalar: MaskInputs in order.
std::string toMod(const MaskTree &tree);

/// The same with a score program, of which two trees decide: s/2 where `halves`
/// holds, s + 1 where only `raises` holds, -s elsewhere.
std::string toMod(const MaskTree &mask, const MaskTree &halves,
                  const MaskTree &raises);

/// In wrapping i32 and i64, and f32 arithmetic.
bool evaluate(const MaskTree &tree, const MaskInputs &inputs, int32_t b,
              int32_t h, int32_t q, int32_t kv);

/// Trees of the same type with fewer nodes or simpler leaves, the smallest
/// first.
std::vector<MaskTree> smallerTrees(const MaskTree &tree);

} // namespace attn::test

#endif // ATTN_TEST_UNIT_ANALYSIS_RANDOMMASK_H
