// OpenBLAS through dlopen, and the plain loops that replace it in references.
#include "numerics/BLAS.h"

#include "support/CrashNote.h"
#include "support/Parallel.h"

#include "attn/Support/Try.h"

#include <cerrno>
#include <csignal>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

// The values of CBLAS_ORDER and CBLAS_TRANSPOSE.
enum { rowMajor = 101, noTranspose = 111, transpose = 112 };

Result<BLAS> BLAS::load() {
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
  // Each thread takes its buffers (128 MiB) when it first needs them, and keeps
  // them: now, when it is known that there is memory for them.
  std::vector<double> matrix(256 * 256), product(256 * 256);
  blas.gemm(false, 256, 256, 256, MatrixView<const double>{matrix.data(), 256},
            MatrixView<const double>{matrix.data(), 256},
            MatrixView<double>{product.data(), 256});
  return blas;
}

/// Whether load() comes to an end, found out in a process that may hang: where
/// OpenBLAS gets no memory it asks for it again, for ever, and where it gets no
/// threads it sends SIGINT.
Result<void> BLAS::tryToLoad() {
  pid_t child = fork();
  if (child == 0) {
    endCase(); // a crash here is not one there
    for (int number : {SIGINT, SIGTERM, SIGABRT, SIGSEGV})
      signal(number, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    // Seconds of a processor, which a loop takes and a busy machine does not.
    rlim_t patience = 5 + coreCount() / 8;
    rlimit limit = {patience, patience};
    setrlimit(RLIMIT_CPU, &limit);
    alarm(60);
    _exit(load() ? 0 : 2);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (child > 0 && WIFEXITED(status))
    return {}; // a library that is not there is load()'s to say
  return Error{"libopenblas.so.0 does not start with the memory and the "
               "threads that this process may have (ulimit -v, ulimit -u)"};
}

Result<const BLAS *> BLAS::get() {
  static const Result<BLAS> loaded = []() -> Result<BLAS> {
    ATTN_TRY(tryToLoad());
    return load();
  }();
  ATTN_TRY(loaded);
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

void BLAS::gemmTransposed(bool adds, int64_t m, int64_t n, int64_t k,
                          MatrixView<const float> a, MatrixView<const float> b,
                          MatrixView<float> c) const {
  sgemm(rowMajor, transpose, noTranspose, m, n, k, 1, a.data, a.ld, b.data,
        b.ld, adds ? 1 : 0, c.data, c.ld);
}

/// `rows` rows of c = a * b^T. Four partial sums for each dot product, so that
/// they vectorise.
template <int rows>
static void timesTransposed(int64_t n, int64_t k, MatrixView<const double> a,
                            MatrixView<const double> b, MatrixView<double> c) {
  for (int64_t j = 0; j < n; ++j) {
    double sums[rows][4] = {};
    const double *column = b.data + j * b.ld;
    int64_t p = 0;
    for (; p + 4 <= k; p += 4)
      for (int i = 0; i < rows; ++i)
        for (int lane = 0; lane < 4; ++lane)
          sums[i][lane] += a.data[i * a.ld + p + lane] * column[p + lane];
    for (; p < k; ++p)
      for (int i = 0; i < rows; ++i)
        sums[i][0] += a.data[i * a.ld + p] * column[p];
    for (int i = 0; i < rows; ++i)
      c.data[i * c.ld + j] = sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  }
}

/// `rows` rows of c = a * b: sums of b's rows, each of which is read once.
template <int rows>
static void times(int64_t n, int64_t k, MatrixView<const double> a,
                  MatrixView<const double> b, MatrixView<double> c) {
  for (int i = 0; i < rows; ++i)
    std::fill(c.data + i * c.ld, c.data + i * c.ld + n, 0.0);
  for (int64_t p = 0; p < k; ++p)
    for (int i = 0; i < rows; ++i) {
      double factor = a.data[i * a.ld + p];
      for (int64_t j = 0; j < n; ++j)
        c.data[i * c.ld + j] += factor * b.data[p * b.ld + j];
    }
}

template <int rows>
static void plainRows(bool transposeB, int64_t n, int64_t k,
                      MatrixView<const double> a, MatrixView<const double> b,
                      MatrixView<double> c) {
  transposeB ? timesTransposed<rows>(n, k, a, b, c)
             : times<rows>(n, k, a, b, c);
}

void attn::bench::plainGemm(bool transposeB, int64_t m, int64_t n, int64_t k,
                            MatrixView<const double> a,
                            MatrixView<const double> b, MatrixView<double> c) {
  parallelFor(m, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      MatrixView<const double> rows{a.data + i * a.ld, a.ld};
      MatrixView<double> out{c.data + i * c.ld, c.ld};
      bool block = i + 4 <= end;
      block ? plainRows<4>(transposeB, n, k, rows, b, out)
            : plainRows<1>(transposeB, n, k, rows, b, out);
      i += block ? 4 : 1;
    }
  });
}

void attn::bench::referenceGemm(bool transposeB, int64_t m, int64_t n,
                                int64_t k, MatrixView<const double> a,
                                MatrixView<const double> b,
                                MatrixView<double> c) {
  if (Result<const BLAS *> blas = BLAS::get())
    (*blas)->gemm(transposeB, m, n, k, a, b, c);
  else
    plainGemm(transposeB, m, n, k, a, b, c);
}
