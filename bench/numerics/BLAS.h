// Matrix products on the host: OpenBLAS loaded at run time.
#ifndef ATTN_BENCH_NUMERICS_BLAS_H
#define ATTN_BENCH_NUMERICS_BLAS_H

#include "attn/API/Result.h"

#include <cstdint>

namespace attn::bench {

/// A row-major matrix; `ld` elements from one row to the next.
template <typename T> struct MatrixView {
  T *data;
  int64_t ld;
};

/// The library's entry points.
class BLAS {
public:
  /// Loads libopenblas once and lets it use all cores. Errors: not installed;
  /// less memory than it needs.
  static Result<const BLAS *> get();

  /// c (m x n) = a (m x k) * b, where b is k x n, or n x k if `transposeB`.
  void gemm(bool transposeB, int64_t m, int64_t n, int64_t k,
            MatrixView<const float> a, MatrixView<const float> b,
            MatrixView<float> c) const;
  void gemm(bool transposeB, int64_t m, int64_t n, int64_t k,
            MatrixView<const double> a, MatrixView<const double> b,
            MatrixView<double> c) const;
  /// c (m x n) = a^T * b, added to c if `adds`; a is k x m, b k x n.
  void gemmTransposed(bool adds, int64_t m, int64_t n, int64_t k,
                      MatrixView<const float> a, MatrixView<const float> b,
                      MatrixView<float> c) const;

private:
  static Result<BLAS> load();
  static Result<void> tryToLoad();

  template <typename T>
  using Gemm = void (*)(int order, int transA, int transB, int m, int n, int k,
                        T alpha, const T *a, int lda, const T *b, int ldb,
                        T beta, T *c, int ldc);
  Gemm<float> sgemm = nullptr;
  Gemm<double> dgemm = nullptr;
};

/// The f64 product in plain loops on all cores: for hosts without OpenBLAS.
void plainGemm(bool transposeB, int64_t m, int64_t n, int64_t k,
               MatrixView<const double> a, MatrixView<const double> b,
               MatrixView<double> c);

/// The f64 product through OpenBLAS, or plainGemm where it is missing.
void referenceGemm(bool transposeB, int64_t m, int64_t n, int64_t k,
                   MatrixView<const double> a, MatrixView<const double> b,
                   MatrixView<double> c);

} // namespace attn::bench

#endif // ATTN_BENCH_NUMERICS_BLAS_H
