// A libcublas.so.13 that multiplies on the host, one element after the other
// and in f64, so that the layouts which the callers ask for are tested without
// a GPU. Column-major, as the real one.
#include <cstdint>
#include <cstring>

namespace {

enum { kF32 = 0, kF16 = 2, kBF16 = 14 };
enum { kOk = 0, kNotSupported = 15, kInvalid = 7 };
int gemmCalls = 0;
constexpr double gemmMilliseconds = 0.25;

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

float halfToFloat(uint16_t half) {
  uint32_t sign = uint32_t(half >> 15) << 31, exponent = half >> 10 & 31,
           mantissa = half & 1023;
  if (exponent == 0) // subnormal: mantissa * 2^-24
    return (sign ? -1.f : 1.f) * float(mantissa) / 16777216.f;
  if (exponent == 31)
    return fromBits(sign | 0x7f800000u | mantissa << 13);
  return fromBits(sign | (exponent + 112) << 23 | mantissa << 13);
}

float load(const void *base, int type, int64_t index) {
  if (type == kF32)
    return static_cast<const float *>(base)[index];
  uint16_t bits = static_cast<const uint16_t *>(base)[index];
  return type == kBF16 ? fromBits(uint32_t(bits) << 16) : halfToFloat(bits);
}

/// 16-bit results are rounded to nearest even; bf16 only.
void store(void *base, int type, int64_t index, float value) {
  if (type == kF32) {
    static_cast<float *>(base)[index] = value;
    return;
  }
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  static_cast<uint16_t *>(base)[index] =
      uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

} // namespace

/// The clock, in ms, that each product adds a quarter of a millisecond to; a
/// test may set it.
extern "C" {
double *fakeCublasClock = nullptr;
}

extern "C" int cublasCreate_v2(void **handle) {
  *handle = &gemmCalls;
  return kOk;
}
extern "C" int cublasDestroy_v2(void *) { return kOk; }
extern "C" int cublasSetStream_v2(void *, void *) { return kOk; }
extern "C" const char *cublasGetStatusString(int status) {
  return status == kInvalid        ? "the parameter is wrong"
         : status == kNotSupported ? "not supported"
                                   : "unknown";
}

extern "C" int
cublasGemmStridedBatchedEx(void *handle, int transA, int transB, int m, int n,
                           int k, const void *alpha, const void *a, int typeA,
                           int lda, long long strideA, const void *b, int typeB,
                           int ldb, long long strideB, const void *beta,
                           void *c, int typeC, int ldc, long long strideC,
                           int count, int compute, int algorithm) {
  if (lda < (transA ? k : m) || ldb < (transB ? n : k) || ldc < m || m < 0 ||
      n < 0 || k < 0 || count < 0)
    return kInvalid;
  bool f32 = typeA == kF32 && typeB == kF32 && typeC == kF32;
  bool sixteen = typeA == typeB && typeA != kF32 &&
                 (typeC == kF32 || (typeC == typeA && typeC == kBF16));
  if ((!f32 && !sixteen) || compute != (f32 ? 69 : 68) || algorithm != -1)
    return kNotSupported;
  ++gemmCalls;
  if (fakeCublasClock)
    *fakeCublasClock += gemmMilliseconds;
  float scale = *static_cast<const float *>(alpha);
  float old = *static_cast<const float *>(beta);
  for (int64_t batch = 0; batch < count; ++batch)
    for (int64_t row = 0; row < m; ++row)
      for (int64_t column = 0; column < n; ++column) {
        double sum = 0;
        for (int64_t i = 0; i < k; ++i) {
          int64_t atA = transA ? i + row * lda : row + i * lda;
          int64_t atB = transB ? column + i * ldb : i + column * ldb;
          sum += double(load(a, typeA, batch * strideA + atA)) *
                 load(b, typeB, batch * strideB + atB);
        }
        int64_t place = batch * strideC + column * ldc + row;
        double result = scale * sum;
        if (old != 0) // what was there may be a NaN otherwise
          result += double(old) * load(c, typeC, place);
        store(c, typeC, place, float(result));
      }
  return kOk;
}
