// OpenBLAS through dlopen, and the plain loops that replace it in references.
#include "BLAS.h"

#include "Parallel.h"

#include <dlfcn.h>

using namespace attn;
using namespace attn::bench;

// The values of CBLAS_ORDER and CBLAS_TRANSPOSE.
enum { rowMajor = 101, noTranspose = 111, transpose = 112 };

Result<const BLAS *> BLAS::get() {
  static const Result<BLAS> loaded = []() -> Result<BLAS> {
    void *library = nullptr;
    for (const char *name : {"libopenblas.so.0", "libopenblas.so"})
      if (!library)
        library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return Error{"libopenblas.so.0 cannot be loaded"};
    BLAS blas;
    blas.sgemm = reinterpret_cast<Gemm<float>>(dlsym(library, "cblas_sgemm"));
    blas.dgemm = reinterpret_cast<Gemm<double>>(dlsym(library, "cblas_dgemm"));
    auto setThreads = reinterpret_cast<void (*)(int)>(
        dlsym(library, "openblas_set_num_threads"));
    if (!blas.sgemm || !blas.dgemm || !setThreads)
      return Error{"libopenblas.so.0 lacks cblas_sgemm, cblas_dgemm or "
                   "openblas_set_num_threads"};
    setThreads(coreCount());
    return blas;
  }();
  if (!loaded)
    return Error{loaded.error()};
  return &*loaded;
}

void BLAS::gemm(bool transposeB, int64_t m, int64_t n, int64_t k,
                MatrixView<const float> a, MatrixView<const float> b,
                MatrixView<float> c) const {
  sgemm(rowMajor, noTranspose, transposeB ? transpose : noTranspose, m, n, k, 1,
        a.data, a.ld, b.data, b.ld, 0, c.data, c.ld);
}

void BLAS::gemm(bool transposeB, int64_t m, int64_t n, int64_t k,
                MatrixView<const double> a, MatrixView<const double> b,
                MatrixView<double> c) const {
  dgemm(rowMajor, noTranspose, transposeB ? transpose : noTranspose, m, n, k, 1,
        a.data, a.ld, b.data, b.ld, 0, c.data, c.ld);
}

/// One row of c = a * b^T: dot products, four at a time.
static void rowTimesTransposed(int64_t n, int64_t k, const double *a,
                               MatrixView<const double> b, double *c) {
  for (int64_t j = 0; j < n; ++j) {
    double sum[4] = {};
    const double *row = b.data + j * b.ld;
    int64_t p = 0;
    for (; p + 4 <= k; p += 4)
      for (int lane = 0; lane < 4; ++lane)
        sum[lane] += a[p + lane] * row[p + lane];
    for (; p < k; ++p)
      sum[0] += a[p] * row[p];
    c[j] = sum[0] + sum[1] + sum[2] + sum[3];
  }
}

/// One row of c = a * b: a sum of b's rows.
static void rowTimes(int64_t n, int64_t k, const double *a,
                     MatrixView<const double> b, double *c) {
  std::fill(c, c + n, 0.0);
  for (int64_t p = 0; p < k; ++p)
    for (int64_t j = 0; j < n; ++j)
      c[j] += a[p] * b.data[p * b.ld + j];
}

void attn::bench::referenceGemm(bool transposeB, int64_t m, int64_t n,
                                int64_t k, MatrixView<const double> a,
                                MatrixView<const double> b,
                                MatrixView<double> c) {
  if (Result<const BLAS *> blas = BLAS::get())
    return (*blas)->gemm(transposeB, m, n, k, a, b, c);
  parallelFor(m, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double *row = a.data + i * a.ld;
      double *out = c.data + i * c.ld;
      transposeB ? rowTimesTransposed(n, k, row, b, out)
                 : rowTimes(n, k, row, b, out);
    }
  });
}
