// Element types on the host: what the bench needs to make inputs and to look at
// results.
#ifndef ATTN_BENCH_NUMERICS_CONVERT_H
#define ATTN_BENCH_NUMERICS_CONVERT_H

#include "attn/API/Attention.h"

namespace attn::bench {

/// Half the distance between 1 and the next value: 2^-24, 2^-11 or 2^-8.
double unitRoundoff(ElementType type);

/// Converts `count` elements of f32, f16 or bf16 to f32 or f64.
void toFloat(float *to, const void *from, ElementType type, int64_t count);
void toDouble(double *to, const void *from, ElementType type, int64_t count);

/// Converts with rounding to nearest even.
void fromFloat(void *to, ElementType type, const float *from, int64_t count);

/// Rounds each value to the element type and keeps it as f32.
void roundTo(ElementType type, float *values, int64_t count);

/// Address of element (batch, head, position, 0) of a view.
void *rowOf(const TensorView &view, int64_t batch, int64_t head,
            int64_t position);

} // namespace attn::bench

#endif // ATTN_BENCH_NUMERICS_CONVERT_H
