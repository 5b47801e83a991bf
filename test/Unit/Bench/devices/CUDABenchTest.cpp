// The bench's GPU side without a GPU: that the `math` backend and the reference
// ask cuBLAS for the right matrices (grouped heads, strided storage, chunks),
// against plain loops. The fake driver's memory is the host's; the softmax is a
// double that depends on the head and the positions.
#include "CUDABench.h"

#include "backends/Backend.h"
#include "devices/Tensors.h"
#include "numerics/Convert.h"
#include "references/Reference.h"

#include "attn/API/SoftmaxGradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <random>

using namespace attn;
using namespace attn::bench;
using attn::cuda::FakeCUDA;

namespace {

/// The variant of this test: t = s + (h - kv) / 4, keys up to q + 2.
double modified(double score, int64_t head, int64_t key) {
  return score + double(head - key) / 4;
}
bool kept(int64_t query, int64_t key) { return key <= query + 2; }

} // namespace

struct Mod::Impl {};
Result<Mod> Mod::fromSource(const std::string &, const std::string &) {
  Mod mod;
  mod.pimpl = std::make_shared<Impl>();
  return mod;
}

// The double of the softmax kernel that lib/API compiles for a GPU.
struct SoftmaxKernel::Impl {
  ElementType probabilityType;
};
Result<SoftmaxKernel> SoftmaxKernel::compile(const Mod &, Target target,
                                             ElementType scoreType,
                                             ElementType probabilityType) {
  EXPECT_EQ(target, Target::CUDA);
  EXPECT_EQ(scoreType, ElementType::F32);
  SoftmaxKernel kernel;
  kernel.pimpl = std::make_shared<Impl>(Impl{probabilityType});
  return kernel;
}
Result<void> SoftmaxKernel::run(const void *scores, void *probabilities,
                                void *lse, int64_t first, int64_t count,
                                int64_t heads, int64_t queries, int64_t keys,
                                double scale, const std::vector<CaptureView> &,
                                void *) const {
  EXPECT_EQ(lse, nullptr);
  int64_t width = byteWidth(pimpl->probabilityType);
  for (int64_t row = 0; row < count * queries; ++row) {
    int64_t head = (first + row / queries) % heads, query = row % queries;
    auto *from = static_cast<const float *>(scores) + row * keys;
    std::vector<float> p(keys, 0.f);
    double sum = 0;
    for (int64_t key = 0; key < keys; ++key)
      if (kept(query, key))
        sum += p[key] = std::exp(modified(scale * from[key], head, key));
    for (float &value : p)
      value /= sum;
    fromFloat(static_cast<char *>(probabilities) + row * keys * width,
              pimpl->probabilityType, p.data(), keys);
  }
  return {};
}

// And that of its gradients, as if the derivative read the score, or not.
struct SoftmaxGradientKernel::Impl {
  ElementType probabilityType;
};
static bool gradientReadsScores = false;
Result<SoftmaxGradientKernel>
SoftmaxGradientKernel::compile(const Mod &, Target target,
                               ElementType probabilityType) {
  EXPECT_EQ(target, Target::CUDA);
  SoftmaxGradientKernel kernel;
  kernel.pimpl = std::make_shared<Impl>(Impl{probabilityType});
  return kernel;
}
bool SoftmaxGradientKernel::readsScores() const { return gradientReadsScores; }
Result<void> SoftmaxGradientKernel::run(const SoftmaxGradientArguments &a,
                                        void *) const {
  int64_t width = byteWidth(pimpl->probabilityType);
  auto *scores = static_cast<const float *>(a.scores);
  if (readsScores())
    EXPECT_TRUE(scores && scores != a.probabilities);
  for (int64_t row = 0; row < a.count * a.queries; ++row) {
    int64_t head = (a.first + row / a.queries) % a.heads;
    int64_t query = row % a.queries;
    std::vector<float> p(a.keys), ds(a.keys);
    toFloat(p.data(),
            static_cast<const char *>(a.probabilities) + row * a.keys * width,
            pimpl->probabilityType, a.keys);
    auto *dp = static_cast<const float *>(a.gradProbabilities) + row * a.keys;
    double delta = 0, sum = 0;
    for (int64_t key = 0; key < a.keys; ++key)
      delta += p[key] * dp[key];
    for (int64_t key = 0; key < a.keys; ++key)
      ds[key] = float(p[key] * (dp[key] - delta) * a.scale);
    // What it reads are the scores of the same pairs.
    for (int64_t key = 0; readsScores() && key < a.keys; ++key)
      if (kept(query, key))
        sum +=
            std::exp(modified(a.scale * scores[row * a.keys + key], head, key));
    for (int64_t key = 0; readsScores() && key < a.keys; ++key)
      if (kept(query, key))
        EXPECT_NEAR(p[key],
                    std::exp(modified(a.scale * scores[row * a.keys + key],
                                      head, key)) /
                        sum,
                    0.01);
    fromFloat(static_cast<char *>(a.gradScores) + row * a.keys * width,
              pimpl->probabilityType, ds.data(), a.keys);
  }
  return {};
}

namespace {

/// One problem in the fake GPU's memory, and its result by plain loops.
struct Case {
  Case(Device &device, ElementType type, const ProblemSizes &sizes, bool bshd)
      : device(device) {
    problem.mod = &mod;
    problem.sizes = sizes;
    problem.type = type;
    problem.scale = 0.4f;
    problem.query =
        tensor({sizes.batch, sizes.heads, sizes.queries, sizes.headDim}, type,
               bshd, &q);
    problem.key =
        tensor({sizes.batch, sizes.kvHeads, sizes.keys, sizes.headDim}, type,
               bshd, &k);
    problem.value =
        tensor({sizes.batch, sizes.kvHeads, sizes.keys, sizes.valueDim}, type,
               bshd, &v);
    problem.out =
        tensor({sizes.batch, sizes.heads, sizes.queries, sizes.valueDim}, type,
               bshd, nullptr);
  }
  ~Case() {
    for (const TensorView *view :
         {&problem.query, &problem.key, &problem.value, &problem.out})
      device.release(view->data);
  }

  /// Normal values, which are also stored as f32 in (b, h, s, d) order.
  TensorView tensor(std::array<int64_t, 4> sizes, ElementType type, bool bshd,
                    std::vector<float> *plain) {
    auto [b, h, s, d] = sizes;
    TensorView view{nullptr, type, sizes, {h * s * d, s * d, d}};
    if (bshd)
      view.strides = {s * h * d, d, h * d};
    int64_t count = b * h * s * d;
    view.data = *device.allocate(count * byteWidth(type));
    std::normal_distribution<float> normal;
    for (int64_t row = 0; plain && row < b * h * s; ++row) {
      std::vector<float> values(d);
      for (float &value : values)
        value = normal(random);
      roundTo(type, values.data(), d);
      fromFloat(rowOf(view, row / s / h, row / s % h, row % s), type,
                values.data(), d);
      plain->insert(plain->end(), values.begin(), values.end());
    }
    return view;
  }

  std::vector<float> expected() const {
    const ProblemSizes &n = problem.sizes;
    std::vector<float> result;
    for (int64_t row = 0; row < n.batch * n.heads * n.queries; ++row) {
      int64_t query = row % n.queries, head = row / n.queries % n.heads;
      int64_t kv =
          row / n.queries / n.heads * n.kvHeads + head / (n.heads / n.kvHeads);
      std::vector<double> o(n.valueDim, 0);
      double sum = 0;
      int64_t there = problem.keysOf(row / n.queries / n.heads);
      for (int64_t key = 0; key < there; ++key) {
        if (!kept(query, key))
          continue;
        double s = 0;
        for (int64_t i = 0; i < n.headDim; ++i)
          s += double(q[row * n.headDim + i]) *
               k[(kv * n.keys + key) * n.headDim + i];
        double p = std::exp(modified(problem.scale * s, head, key));
        sum += p;
        for (int64_t i = 0; i < n.valueDim; ++i)
          o[i] += p * v[(kv * n.keys + key) * n.valueDim + i];
      }
      for (double value : o)
        result.push_back(there ? float(value / sum) : 0.f);
    }
    return result;
  }

  std::vector<float> output() const { return valuesOf(problem.out); }

  /// In (b, h, s, d) order.
  static std::vector<float> valuesOf(const TensorView &view) {
    std::vector<float> result;
    auto [b, h, s, d] = view.sizes;
    for (int64_t row = 0; row < b * h * s; ++row) {
      std::vector<float> values(d);
      toFloat(values.data(), rowOf(view, row / s / h, row / s % h, row % s),
              view.type, d);
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  }

  Device &device;
  Mod mod = *Mod::fromSource("", "");
  Problem problem;
  std::vector<float> q, k, v;
  std::mt19937 random{7};
};

double maxDifference(const std::vector<float> &a, const std::vector<float> &b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    most = std::max(most, std::isnan(a[i]) ? INFINITY
                                           : std::fabs(double(a[i]) - b[i]));
  return most;
}

ProblemSizes sizesOf(int64_t batch, int64_t heads, int64_t kvHeads) {
  ProblemSizes sizes;
  sizes.batch = batch, sizes.heads = heads, sizes.kvHeads = kvHeads;
  sizes.queries = 5, sizes.keys = 9, sizes.headDim = 6, sizes.valueDim = 4;
  return sizes;
}

TEST_F(CUDABenchTest, MathAndReferenceAgreeWithPlainLoops) {
  size_t memory = fake.memoryBytes;
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    for (int64_t kvHeads : {6, 2, 1})
      for (bool bshd : {false, true})
        for (bool scarce : {false, true}) {
          SCOPED_TRACE(std::string(toString(type)) + " kvHeads " +
                       std::to_string(kvHeads) + (bshd ? " bshd" : "") +
                       (scarce ? " scarce" : ""));
          Case test(*device, type, sizesOf(2, 6, kvHeads), bshd);
          // Scarce: V in f32 and four or five of the twelve pairs at a time.
          if (scarce)
            fake.memoryBytes = fake.usedBytes + 3000;
          Result<std::vector<float>> reference =
              referenceCUDA(*device, test.problem);
          auto math = createMathCUDA(*device);
          std::optional<Refusal> refusal = math->prepare(test.problem);
          Result<void> ran = math->run(Pass::Forward);
          std::string remark = math->remark();
          math->finish();
          fake.memoryBytes = memory;
          ASSERT_TRUE(reference) << reference.error();
          ASSERT_FALSE(refusal) << refusal->reason;
          ASSERT_TRUE(ran) << ran.error();
          EXPECT_EQ(remark.empty(), !scarce) << remark;
          EXPECT_LT(maxDifference(*reference, test.expected()), 1e-5);
          EXPECT_LT(maxDifference(test.output(), test.expected()),
                    type == ElementType::F32 ? 1e-5 : 0.03);
        }
}

TEST_F(CUDABenchTest, KeysThatAreNotThereAreLeftOut) {
  size_t memory = fake.memoryBytes;
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    for (bool bshd : {false, true})
      for (bool scarce : {false, true}) {
        SCOPED_TRACE(std::string(toString(type)) + (bshd ? " bshd" : "") +
                     (scarce ? " scarce" : ""));
        Case test(*device, type, sizesOf(4, 6, 2), bshd);
        KeyCache cache;
        cache.lengths = {7, 0, 9, 1};
        test.problem.cache = &cache;
        for (int64_t head : {0, 1}) // of the first sequence
          for (int64_t key : {7, 8})
            for (const TensorView *view :
                 {&test.problem.key, &test.problem.value})
              std::memset(rowOf(*view, 0, head, key), 0xff,
                          view->sizes[3] * byteWidth(type));
        std::memset(test.problem.out.data, 0xff,
                    4 * test.problem.out.strides[0] * byteWidth(type));
        if (scarce)
          fake.memoryBytes = fake.usedBytes + 3000;
        Result<std::vector<float>> reference =
            referenceCUDA(*device, test.problem);
        auto math = createMathCUDA(*device);
        std::optional<Refusal> refusal = math->prepare(test.problem);
        Result<void> ran = math->run(Pass::Forward);
        math->finish();
        fake.memoryBytes = memory;
        ASSERT_TRUE(reference) << reference.error();
        ASSERT_FALSE(refusal) << refusal->reason;
        ASSERT_TRUE(ran) << ran.error();
        EXPECT_LT(maxDifference(*reference, test.expected()), 1e-5);
        EXPECT_LT(maxDifference(test.output(), test.expected()),
                  type == ElementType::F32 ? 1e-5 : 0.03);
      }
}

/// The tensors of a case's backward pass, and what they must become.
struct BackwardCase : Case {
  BackwardCase(Device &device, ElementType type, const ProblemSizes &sizes,
               bool bshd)
      : Case(device, type, sizes, bshd) {
    gradients.out = tensor(problem.out.sizes, type, bshd, &dout);
    gradients.query = tensor(problem.query.sizes, type, bshd, nullptr);
    gradients.key = tensor(problem.key.sizes, type, bshd, nullptr);
    gradients.value = tensor(problem.value.sizes, type, bshd, nullptr);
    for (const TensorView *view : views())
      std::memset(view->data, 0xff,
                  view->sizes[0] * view->sizes[1] * view->sizes[2] *
                      view->sizes[3] * byteWidth(type));
  }
  ~BackwardCase() {
    device.release(gradients.out.data);
    for (const TensorView *view : views())
      device.release(view->data);
  }
  std::vector<const TensorView *> views() const {
    return {&gradients.query, &gradients.key, &gradients.value};
  }

  /// By the definition, of query, key and value.
  std::vector<std::vector<float>> expectedGradients() const {
    const ProblemSizes &n = problem.sizes;
    std::vector<std::vector<float>> result{std::vector<float>(q.size()),
                                           std::vector<float>(k.size()),
                                           std::vector<float>(v.size())};
    for (int64_t row = 0; row < n.batch * n.heads * n.queries; ++row)
      addRow(row, result);
    return result;
  }

  void addRow(int64_t row, std::vector<std::vector<float>> &result) const {
    const ProblemSizes &n = problem.sizes;
    int64_t query = row % n.queries, head = row / n.queries % n.heads;
    int64_t kv =
        row / n.queries / n.heads * n.kvHeads + head / (n.heads / n.kvHeads);
    std::vector<double> p(n.keys), dp(n.keys);
    double sum = 0, delta = 0;
    for (int64_t key = 0; key < n.keys; ++key) {
      double s = 0;
      for (int64_t i = 0; i < n.headDim; ++i)
        s += double(q[row * n.headDim + i]) *
             k[(kv * n.keys + key) * n.headDim + i];
      if (kept(query, key))
        sum += p[key] = std::exp(modified(problem.scale * s, head, key));
      for (int64_t i = 0; i < n.valueDim; ++i)
        dp[key] += double(dout[row * n.valueDim + i]) *
                   v[(kv * n.keys + key) * n.valueDim + i];
    }
    for (int64_t key = 0; key < n.keys; ++key)
      delta += (p[key] /= sum) * dp[key];
    for (int64_t key = 0; key < n.keys; ++key) {
      double ds = p[key] * (dp[key] - delta) * problem.scale;
      for (int64_t i = 0; i < n.headDim; ++i) {
        int64_t from = row * n.headDim + i;
        int64_t to = (kv * n.keys + key) * n.headDim + i;
        result[0][from] += float(ds * k[to]);
        result[1][to] += float(ds * q[from]);
      }
      for (int64_t i = 0; i < n.valueDim; ++i)
        result[2][(kv * n.keys + key) * n.valueDim + i] +=
            float(p[key] * dout[row * n.valueDim + i]);
    }
  }

  Gradients gradients;
  std::vector<float> dout;
};

TEST_F(CUDABenchTest, MathsGradientsAgreeWithPlainLoops) {
  size_t memory = fake.memoryBytes;
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    for (int64_t kvHeads : {6, 2, 1})
      for (bool bshd : {false, true})
        for (bool scarce : {false, true})
          for (bool reads : {false, true}) {
            SCOPED_TRACE(std::string(toString(type)) + " kvHeads " +
                         std::to_string(kvHeads) + (bshd ? " bshd" : "") +
                         (scarce ? " scarce" : "") + (reads ? " reads" : ""));
            gradientReadsScores = reads;
            BackwardCase test(*device, type, sizesOf(2, 6, kvHeads), bshd);
            // Scarce: three pairs of the twelve at a time, or a group of six.
            if (scarce)
              fake.memoryBytes = fake.usedBytes + 4500;
            auto math = createMathCUDA(*device);
            std::optional<Refusal> refusal = math->prepare(test.problem);
            if (!refusal)
              refusal = math->prepareBackward(test.gradients);
            fake.memoryBytes = memory;
            ASSERT_FALSE(refusal) << refusal->reason;
            std::string remark = math->backwardRemark();
            EXPECT_EQ(remark.empty(), !scarce) << remark;
            std::vector<std::vector<float>> expected = test.expectedGradients();
            for (int run = 0; run < 2; ++run) { // which leaves it all in place
              Result<void> ran = math->run(Pass::Backward);
              ASSERT_TRUE(ran) << ran.error();
              for (size_t i = 0; i < 3; ++i)
                EXPECT_LT(maxDifference(Case::valuesOf(*test.views()[i]),
                                        expected[i]),
                          type == ElementType::F32 ? 1e-5 : 0.1)
                    << "of operand " << i;
            }
            EXPECT_TRUE(math->run(Pass::Forward));
            EXPECT_LT(maxDifference(test.output(), test.expected()),
                      type == ElementType::F32 ? 1e-5 : 0.03);
            math->finish();
          }
}

TEST_F(CUDABenchTest, MathBackwardComputesNoScoresThatAreKept) {
  gradientReadsScores = false;
  BackwardCase test(*device, ElementType::BF16, sizesOf(1, 2, 2), true);
  auto math = createMathCUDA(*device);
  ASSERT_FALSE(math->prepare(test.problem));
  ASSERT_FALSE(math->prepareBackward(test.gradients));
  double **clock = clockOfCublas();
  ASSERT_TRUE(clock) << dlerror();
  *clock = &fake.clockMilliseconds;
  double before = fake.clockMilliseconds;
  Result<void> ran = math->run(Pass::Backward);
  *clock = nullptr;
  ASSERT_TRUE(ran) << ran.error();
  EXPECT_EQ(fake.clockMilliseconds - before, 4 * 0.25); // four products
  math->finish();
}

TEST_F(CUDABenchTest, ReferenceTakesF16) {
  Case test(*device, ElementType::F16, sizesOf(1, 2, 2), true);
  Result<std::vector<float>> reference = referenceCUDA(*device, test.problem);
  ASSERT_TRUE(reference) << reference.error();
  EXPECT_LT(maxDifference(*reference, test.expected()), 1e-5);
}

TEST_F(CUDABenchTest, EmptyProblems) {
  ProblemSizes sizes = sizesOf(1, 2, 2);
  sizes.keys = 0;
  Case noKeys(*device, ElementType::F32, sizes, false);
  Result<std::vector<float>> zeros = referenceCUDA(*device, noKeys.problem);
  ASSERT_TRUE(zeros);
  EXPECT_EQ(*zeros, std::vector<float>(2 * 5 * 4, 0.f));
  auto math = createMathCUDA(*device);
  std::optional<Refusal> refusal = math->prepare(noKeys.problem);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, Refusal::Unsupported);

  sizes = sizesOf(1, 2, 2);
  sizes.queries = 0;
  Case noQueries(*device, ElementType::F32, sizes, false);
  EXPECT_FALSE(math->prepare(noQueries.problem));
  EXPECT_TRUE(math->run(Pass::Forward));
  EXPECT_EQ(math->prepareBackward(Gradients())->reason, "there are no queries");
  EXPECT_TRUE(referenceCUDA(*device, noQueries.problem)->empty());
}

TEST_F(CUDABenchTest, MathNeedsRoomForOneHead) {
  Case test(*device, ElementType::BF16, sizesOf(1, 2, 2), false);
  size_t memory = fake.memoryBytes;
  fake.memoryBytes = fake.usedBytes + 200;
  auto math = createMathCUDA(*device);
  std::optional<Refusal> refusal = math->prepare(test.problem);
  math->finish();
  fake.memoryBytes = memory;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, Refusal::OutOfMemory);
  EXPECT_EQ(refusal->reason, "probabilities: out of GPU memory: needs 90 bytes,"
                             " 20 are free");
}

TEST_F(CUDABenchTest, MathRefusesStridesBeyondInt) {
  Case test(*device, ElementType::F32, sizesOf(1, 2, 2), false);
  test.problem.key.strides[2] = int64_t(1) << 31;
  auto math = createMathCUDA(*device);
  std::optional<Refusal> refusal = math->prepare(test.problem);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, Refusal::Unsupported);
  EXPECT_EQ(refusal->reason,
            "a row stride of 2147483648 is beyond cuBLAS's int");
}

/// Why the cudnn backend does not take the problem, before it loads cuDNN.
std::optional<Refusal> cudnnRefusal(Device &device, ElementType type,
                                    const char *pattern,
                                    const ProblemSizes &sizes) {
  Case test(device, type, sizes, true);
  test.problem.pattern = pattern;
  return createCudnn(device, /*deterministic=*/false)->prepare(test.problem);
}

#ifdef ATTN_WITH_CUDNN
TEST_F(CUDABenchTest, CudnnRefusesWhatItDoesNotHave) {
  ProblemSizes sizes = sizesOf(1, 6, 2);
  auto expect = [&](ElementType type, const char *pattern,
                    const std::string &reason) {
    std::optional<Refusal> refusal =
        cudnnRefusal(*device, type, pattern, sizes);
    ASSERT_TRUE(refusal) << pattern;
    EXPECT_EQ(refusal->kind, Refusal::Unsupported);
    EXPECT_EQ(refusal->reason, reason);
  };
  expect(ElementType::F32, "noop", "cuDNN's attention takes bf16 and f16");
  for (const char *pattern : {"rel", "head_bias", "prefix_lm", "document_mask",
                              "path/to/causal.mlir"})
    expect(ElementType::BF16, pattern,
           "cuDNN's attention has no such variant, only a bias matrix of "
           "queries x keys");
  expect(ElementType::BF16, "alibi",
         "cuDNN's ALiBi has other slopes where the number of heads is not a "
         "power of two");
  sizes.queries = 10;
  expect(ElementType::F16, "sliding_window",
         "cuDNN's sliding window needs as many keys as queries");
  sizes.queries = 0;
  expect(ElementType::F16, "noop", "cuDNN takes no empty sequences");
}
#else
TEST_F(CUDABenchTest, CudnnSaysThatItIsNotBuiltIn) {
  std::optional<Refusal> refusal =
      cudnnRefusal(*device, ElementType::BF16, "noop", sizesOf(1, 2, 2));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, Refusal::Unavailable);
  EXPECT_EQ(refusal->reason,
            "built without cudnn-frontend (./dev setup fetches it)");
}
#endif

} // namespace

// What the API's library defines besides.
int64_t attn::byteWidth(ElementType type) {
  return type == ElementType::F32 || type == ElementType::I32 ? 4
         : type == ElementType::F64                           ? 8
                                                              : 2;
}
const char *attn::toString(ElementType type) {
  return type == ElementType::F32 ? "f32" : "16-bit";
}
