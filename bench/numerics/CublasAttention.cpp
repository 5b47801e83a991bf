// cuBLAS, loaded at run time, and how attention's row-major strided tensors
// become its column-major batches. The few types and values of cublas.h are
// declared here (test/Unit/Bench compares them with the header).
#include "numerics/CublasAttention.h"
#include "numerics/Cublas.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <climits>
#include <dlfcn.h>

using namespace attn;
using namespace attn::bench;

/// Where the loader finds them, then the toolkit's usual place.
static constexpr const char *kNames[] = {
    "libcublas.so.13", "libcublas.so.12",
    "/usr/local/cuda/lib64/libcublas.so.13",
    "/usr/local/cuda/lib64/libcublas.so.12"};

static Result<CublasLibrary> loadLibrary() {
  void *handle = nullptr;
  for (const char *name : kNames)
    if ((handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)))
      break;
  if (!handle)
    return Error{"cuBLAS is not installed: neither libcublas.so.13 nor "
                 "libcublas.so.12 is in the loader's path (LD_LIBRARY_PATH)"};
  CublasLibrary library{};
#define ATTN_CUBLAS_ENTRY(member, symbol, type, parameters)                    \
  library.member =                                                             \
      reinterpret_cast<type(*) parameters>(dlsym(handle, #symbol));            \
  if (!library.member)                                                         \
    return Error{"libcublas has no '" #symbol "'"};
#include "numerics/Cublas.def"
  return library;
}

static Result<void> check(const CublasLibrary &library, int status,
                          const char *call) {
  if (status == 0)
    return {};
  return Error{std::string(call) + ": " + library.statusString(status)};
}

Result<CublasAttention> CublasAttention::create(void *stream) {
  static const Result<CublasLibrary> library = loadLibrary();
  ATTN_TRY(library);
  // One handle per process: it owns tens of megabytes of the GPU's memory.
  static void *handle = nullptr;
  if (!handle)
    ATTN_TRY(check(*library, library->create(&handle), "cublasCreate"));
  ATTN_TRY(
      check(*library, library->setStream(handle, stream), "cublasSetStream"));
  return CublasAttention(*library, handle);
}

std::string CublasAttention::refusal(const TensorView &view) {
  for (int64_t size : view.sizes)
    if (size > INT_MAX)
      return "a size of " + std::to_string(size) + " is beyond cuBLAS's int";
  if (view.strides[2] > INT_MAX)
    return "a row stride of " + std::to_string(view.strides[2]) +
           " is beyond cuBLAS's int";
  return "";
}

static int typeOf(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return kCudaF16;
  case ElementType::BF16:
    return kCudaBF16;
  default:
    return kCudaF32;
  }
}

/// Consecutive (batch, head) pairs whose matrices lie at constant distances.
struct Run {
  int64_t first, count; ///< pairs
  int64_t batch, head;  ///< of the first pair
  int64_t kvHead;       ///< of all pairs if `sharesKv`, else of the first
  bool sharesKv;
};

/// Cuts [first, first + count) where the batch or the shared key head changes.
template <typename Function>
static Result<void> forEachRun(int64_t first, int64_t count, int64_t heads,
                               int64_t kvHeads, Function function) {
  int64_t group = heads / kvHeads, length = group > 1 ? group : heads;
  for (int64_t pair = first, end = first + count; pair < end;) {
    int64_t next = std::min(end, (pair / length + 1) * length);
    int64_t head = pair % heads;
    Run run{pair, next - pair, pair / heads, head, head / group, group > 1};
    ATTN_TRY(function(run));
    pair = next;
  }
  return {};
}

static const char *matrixAt(const TensorView &view, int64_t batch,
                            int64_t head) {
  int64_t offset = batch * view.strides[0] + head * view.strides[1];
  return static_cast<const char *>(view.data) + offset * byteWidth(view.type);
}

/// The leading dimension: a matrix of one row may have any row stride.
static int leading(int64_t rowStride, int64_t columns) {
  return int(std::max<int64_t>({rowStride, columns, 1}));
}

static int computeType(ElementType type) {
  return type == ElementType::F32 ? kCompute32FPedantic : kCompute32F;
}

Result<void> CublasAttention::scores(const TensorView &query,
                                     const TensorView &key, int64_t first,
                                     int64_t count, float *scores) const {
  int64_t queries = query.sizes[2], keys = key.sizes[2], dim = query.sizes[3];
  float one = 1, zero = 0;
  // Row-major S = Q K^T is column-major S^T = K Q^T; a row-major K is a
  // column-major K^T, hence transposed, Q^T is what Q is as it lies.
  return forEachRun(
      first, count, query.sizes[1], key.sizes[1], [&](const Run &run) {
        return check(
            *library,
            library->gemm(
                handle, kTranspose, kNoTranspose, int(keys), int(queries),
                int(dim), &one, matrixAt(key, run.batch, run.kvHead),
                typeOf(key.type), leading(key.strides[2], dim),
                run.sharesKv ? 0 : key.strides[1],
                matrixAt(query, run.batch, run.head), typeOf(query.type),
                leading(query.strides[2], dim), query.strides[1], &zero,
                scores + (run.first - first) * queries * keys, kCudaF32,
                leading(keys, keys), queries * keys, int(run.count),
                computeType(query.type), kDefaultAlgorithm),
            "cublasGemmStridedBatchedEx");
      });
}

Result<void> CublasAttention::output(const void *probabilities,
                                     const TensorView &value,
                                     const TensorView &out, int64_t first,
                                     int64_t count) const {
  int64_t queries = out.sizes[2], keys = value.sizes[2], dim = out.sizes[3];
  int64_t width = byteWidth(value.type);
  float one = 1, zero = 0;
  // Row-major O = P V is column-major O^T = V^T P^T, and both factors are
  // their transposes as they lie.
  return forEachRun(
      first, count, out.sizes[1], value.sizes[1], [&](const Run &run) {
        const char *left = static_cast<const char *>(probabilities) +
                           (run.first - first) * queries * keys * width;
        return check(
            *library,
            library->gemm(
                handle, kNoTranspose, kNoTranspose, int(dim), int(queries),
                int(keys), &one, matrixAt(value, run.batch, run.kvHead),
                typeOf(value.type), leading(value.strides[2], dim),
                run.sharesKv ? 0 : value.strides[1], left, typeOf(value.type),
                leading(keys, keys), queries * keys, &zero,
                const_cast<char *>(matrixAt(out, run.batch, run.head)),
                typeOf(out.type), leading(out.strides[2], dim), out.strides[1],
                int(run.count), computeType(value.type), kDefaultAlgorithm),
            "cublasGemmStridedBatchedEx");
      });
}

Result<void> CublasAttention::transposedOutput(const void *weights,
                                               const TensorView &rows,
                                               const TensorView &out,
                                               int64_t first,
                                               int64_t count) const {
  int64_t queries = rows.sizes[2], keys = out.sizes[2], dim = out.sizes[3];
  int64_t heads = rows.sizes[1], kvHeads = out.sizes[1];
  int64_t group = heads / kvHeads, width = byteWidth(rows.type);
  // Row-major G = W^T X is column-major G^T = X^T W: X^T is what X is as it
  // lies, and W the transpose of what W is.
  auto addMember = [&](const Run &run, int64_t member) {
    float one = 1, old = member > 0 ? 1 : 0;
    int64_t pair = run.first * group + member;
    const char *right = static_cast<const char *>(weights) +
                        (pair - first) * queries * keys * width;
    return check(
        *library,
        library->gemm(
            handle, kNoTranspose, kTranspose, int(dim), int(keys), int(queries),
            &one, matrixAt(rows, run.batch, run.head * group + member),
            typeOf(rows.type), leading(rows.strides[2], dim),
            group * rows.strides[1], right, typeOf(rows.type),
            leading(keys, keys), group * queries * keys, &old,
            const_cast<char *>(matrixAt(out, run.batch, run.head)),
            typeOf(out.type), leading(out.strides[2], dim), out.strides[1],
            int(run.count), computeType(rows.type), kDefaultAlgorithm),
        "cublasGemmStridedBatchedEx");
  };
  // Runs of key-value heads, each of which has weights of its own.
  return forEachRun(first / group, count / group, kvHeads, kvHeads,
                    [&](const Run &run) -> Result<void> {
                      for (int64_t member = 0; member < group; ++member)
                        ATTN_TRY(addMember(run, member));
                      return {};
                    });
}
