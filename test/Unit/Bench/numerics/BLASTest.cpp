// Matrix products: the plain loops that references fall back on, and OpenBLAS.
#include "numerics/BLAS.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace attn;
using namespace attn::bench;

namespace {
/// Checks gemm(transposeB, m, n, k, a, b, c) on small integers, whose sums are
/// exact, with rows that do not adjoin.
template <typename T, typename Gemm>
void checkProduct(bool transposeB, int64_t m, int64_t n, int64_t k,
                  const Gemm &gemm) {
  int64_t lda = k + 3, ldb = (transposeB ? k : n) + 1, ldc = n + 2;
  std::vector<T> a(m * lda), b((transposeB ? n : k) * ldb), c(m * ldc, T(-1));
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = T(int(i * 7 % 11) - 5);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = T(int(i * 5 % 13) - 6);
  gemm(transposeB, m, n, k, MatrixView<const T>{a.data(), lda},
       MatrixView<const T>{b.data(), ldb}, MatrixView<T>{c.data(), ldc});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      T sum = T(-1); // between the rows
      if (j < n) {
        sum = T(0);
        for (int64_t p = 0; p < k; ++p)
          sum +=
              a[i * lda + p] * (transposeB ? b[j * ldb + p] : b[p * ldb + j]);
      }
      ASSERT_EQ(c[i * ldc + j], sum) << i << ", " << j;
    }
}

TEST(BLAS, PlainLoops) {
  for (bool transposeB : {false, true})
    for (int64_t m : {1, 4, 7, 33})
      for (int64_t n : {1, 6, 17})
        for (int64_t k : {1, 4, 7, 64})
          checkProduct<double>(transposeB, m, n, k, plainGemm);
}

TEST(BLAS, Transposed) {
  Result<const BLAS *> blas = BLAS::get();
  if (!blas)
    GTEST_SKIP() << blas.error();
  // A is 3 x 2, B 3 x 1, in rows of 4 and 2.
  const float a[] = {1, 2, 9, 9, 3, 4, 9, 9, 5, 6, 9, 9};
  const float b[] = {1, 9, 10, 9, 100, 9};
  float c[] = {NAN, 7, NAN, 7};
  (*blas)->gemmTransposed(false, 2, 1, 3, {a, 4}, {b, 2}, {c, 2});
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{531, 7, 642, 7}));
  (*blas)->gemmTransposed(true, 2, 1, 3, {a, 4}, {b, 2}, {c, 2});
  EXPECT_EQ(std::vector<float>(c, c + 4),
            (std::vector<float>{1062, 7, 1284, 7}));
}

TEST(BLAS, OpenBLAS) {
  Result<const BLAS *> blas = BLAS::get();
  if (!blas)
    GTEST_SKIP() << blas.error();
  auto gemm = [&](auto... arguments) { (*blas)->gemm(arguments...); };
  for (bool transposeB : {false, true}) {
    checkProduct<float>(transposeB, 33, 17, 64, gemm);
    checkProduct<double>(transposeB, 33, 17, 64, gemm);
  }
}
} // namespace
