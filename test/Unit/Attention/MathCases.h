// Every arith and math operation that a mod may use, with what it must give:
// computed by the host's C library in f64, or in integers.
#ifndef ATTN_TEST_ATTENTION_MATHCASES_H
#define ATTN_TEST_ATTENTION_MATHCASES_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace attn::test {

/// An operand or result: a float of any type as the number it is, an integer
/// with its sign.
struct Scalar {
  double f = 0;
  int64_t i = 0;
};

struct MathCase {
  std::string op;                    ///< arith.addi
  std::vector<std::string> operands; ///< types of %a, %b and %c
  std::string text;                  ///< makes %r of them
  std::string result;                ///< its type
  std::function<Scalar(const Scalar *)> expected;
  /// How far a float may be from `expected`, in units of its last place; 0: the
  /// nearest float.
  double units = 0;
  /// Whether a result below 2^-125 may be 0.
  bool flushes = false;

  std::string name() const;
};

/// For decisions: what masks compute.
std::vector<MathCase> mathCases();

/// The sizes of the samples' cross product and the random ones behind it.
std::vector<Scalar> specialValues(const std::string &type);
Scalar randomValue(const std::string &type, uint64_t seed);
int widthOf(const std::string &integerType);
bool isFloatType(const std::string &type);

/// The distance in units of f32's last place at `expected`.
double unitsBetween(float actual, double expected);

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_MATHCASES_H
