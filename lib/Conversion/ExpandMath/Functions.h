// The elementary functions as formulas: one family a file. Bounds of their
// errors are in docs/Mods.md; test/Unit/Math measures them.
#ifndef ATTN_LIB_CONVERSION_EXPANDMATH_FUNCTIONS_H
#define ATTN_LIB_CONVERSION_EXPANDMATH_FUNCTIONS_H

#include "Number.h"

namespace mlir::attn {

// Of f32, every value of it: infinities, NaN and subnormal numbers included.
// Zeros keep their sign where the function is odd.

// Exponentials.cpp
/// 2^x; what is below 2^-125 may become 0.
Number exp2Of(Number x);
Number expOf(Number x);
Number expm1Of(Number x);
Number sinhOf(Number x);
Number coshOf(Number x);

// Logarithms.cpp
Number logOf(Number x);
Number log2Of(Number x);
Number log10Of(Number x);
Number log1pOf(Number x);
Number asinhOf(Number x);
Number acoshOf(Number x);
Number atanhOf(Number x);

// Trigonometry.cpp
struct SineAndCosine {
  Number sine, cosine;
};
SineAndCosine sineAndCosineOf(Number x);
Number tanOf(Number x);
Number asinOf(Number x);
Number acosOf(Number x);
Number atanOf(Number x);
/// The angle of (x, y), with C's values where one of them is zero or infinite.
Number atan2Of(Number y, Number x);

// Powers.cpp: in f64 inside.
Number powOf(Number x, Number y);
/// `n` is an i32 or i64.
Number powiOf(Number x, Number n);
Number cbrtOf(Number x);
/// i32 or i64, modulo 2^width; 0 to a negative power is 0.
Number integerPowerOf(Number x, Number n);

// Rounding.cpp: exact.
/// To the nearest integer, halves away from zero.
Number roundOf(Number x);
/// C's fmod of scalars, by a loop.
Number remainderOf(Number x, Number y);

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_EXPANDMATH_FUNCTIONS_H
