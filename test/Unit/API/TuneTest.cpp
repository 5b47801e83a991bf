// Tuning of real kernels, in short searches: who wins is SearchTest's to show.
#include "../Cache/Folder.h"
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Cache.h"
#include "attn/API/Tune.h"
#include "attn/Runtime/CUDADriver.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace attn;

namespace {

constexpr char blocks[] = R"(
attn.mod @blocks mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %c = arith.constant 6 : i32
  %one = arith.constant 1 : i32
  %block = arith.shrsi %kv, %c : i32
  %odd = arith.andi %block, %one : i32
  %zero = arith.constant 0 : i32
  %keep = arith.cmpi eq, %odd, %zero : i32
  attn.yield %keep : i1
}
)";

Mod modOf(const std::string &source) {
  Result<Mod> mod = Mod::fromSource(source, "test.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

/// One head of a CPU.
struct HostProblem {
  explicit HostProblem(int64_t length) {
    for (std::vector<float> *tensor : {&in, &out})
      tensor->resize(length * channels);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = float(int(i * 37 % 23) - 11) / 8;
    TensorView view;
    view.data = in.data();
    view.sizes = {1, 1, length, channels};
    view.strides = {length * channels, length * channels, channels};
    arguments.query = arguments.key = arguments.value = arguments.out = view;
    arguments.out.data = out.data();
    spec.headDim = spec.valueDim = channels;
  }

  static constexpr int64_t channels = 16;
  std::vector<float> in, out;
  AttentionArguments arguments;
  KernelSpec spec;
};

/// The gradients of the same, and of one captured bias for each key.
struct HostGradients : HostProblem {
  explicit HostGradients(int64_t length) : HostProblem(length) {
    for (std::vector<float> *one : {&gradQuery, &gradKey, &gradValue})
      one->resize(length * channels);
    lse.resize(length, 1), bias.resize(length), gradBias.resize(length);
    TensorView view = arguments.query;
    gradients.query = gradients.key = gradients.value = view;
    gradients.out = gradients.gradOut = view;
    gradients.gradQuery = gradients.gradKey = gradients.gradValue = view;
    gradients.gradQuery.data = gradQuery.data();
    gradients.gradKey.data = gradKey.data();
    gradients.gradValue.data = gradValue.data();
    gradients.lse = lse.data();
    CaptureView capture;
    capture.type = ElementType::F32;
    capture.data = bias.data();
    capture.sizes = {length}, capture.strides = {1};
    gradients.captures = {capture};
    gradients.gradCaptures = {gradBias.data()};
  }

  /// Of the kernels with these schedules.
  std::vector<float> resultOf(const Mod &mod, const std::string &schedule) {
    KernelSpec own = spec;
    own.schedule = schedule;
    Result<GradientKernel> kernel = GradientKernel::compile(mod, own, wrt);
    EXPECT_TRUE(kernel) << kernel.error();
    for (std::vector<float> *one : {&gradQuery, &gradKey, &gradValue})
      std::fill(one->begin(), one->end(), NAN);
    EXPECT_TRUE(kernel->run(gradients));
    std::vector<float> all = gradQuery;
    for (const std::vector<float> *one : {&gradKey, &gradValue, &gradBias})
      all.insert(all.end(), one->begin(), one->end());
    return all;
  }

  std::vector<float> gradQuery, gradKey, gradValue, lse, bias, gradBias;
  std::vector<std::string> wrt{"bias"};
  GradientArguments gradients;
};

constexpr char biased[] = R"(
attn.mod @biased(%bias: tensor<?xf32>)
    score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %at = attn.load %bias[%kv] : tensor<?xf32>
  %out = arith.addf %s, %at : f32
  attn.yield %out : f32
}
)";

class Tune : public testing::Test {
protected:
  Tune() { useCache({folder.path, 1 << 30, nullptr}); }
  ~Tune() override { useNoCache(); }

  Folder folder;
};

Tuning tuned(const Mod &mod, const HostGradients &problem, double seconds) {
  Result<Tuning> tuning =
      tune(mod, problem.spec, problem.wrt, problem.gradients, {seconds});
  EXPECT_TRUE(tuning) << tuning.error();
  return *tuning;
}

Tuning tuned(const Mod &mod, const HostProblem &problem, double seconds) {
  Result<Tuning> tuning = tune(mod, problem.spec, problem.arguments, {seconds});
  EXPECT_TRUE(tuning) << tuning.error();
  return *tuning;
}

} // namespace

TEST_F(Tune, TriesKernelsOfACPU) {
  Mod mod = modOf(blocks);
  HostProblem problem(300);
  Tuning tuning = tuned(mod, problem, 0.6);
  EXPECT_FALSE(tuning.isFromCache);
  EXPECT_GT(tuning.candidates, 20);
  EXPECT_GT(tuning.tried.size(), 0u);
  EXPECT_GT(tuning.chosen.seconds, 0);
  EXPECT_EQ(tuning.chosen.schedule.rfind("#attn.schedule<", 0), 0u);
  for (const TriedSchedule &one : tuning.tried)
    EXPECT_TRUE(one.seconds > 0 || !one.failure.empty()) << one.schedule;
  EXPECT_GE(tuning.gain, 1);
  EXPECT_EQ(tuning.gain == 1, tuning.schedule.empty());
  // What won is a kernel, of the same results.
  KernelSpec spec = problem.spec;
  auto resultOf = [&] {
    Result<AttentionKernel> kernel = AttentionKernel::compile(mod, spec);
    EXPECT_TRUE(kernel) << kernel.error();
    std::fill(problem.out.begin(), problem.out.end(), NAN);
    EXPECT_TRUE(kernel->run(problem.arguments));
    return problem.out;
  };
  std::vector<float> before = resultOf();
  spec.schedule = tuning.tried[0].schedule;
  std::vector<float> after = resultOf();
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(before[i], after[i], 1e-5);
}

TEST_F(Tune, GoesOnWhereItEnded) {
  Mod mod = modOf(blocks);
  HostProblem problem(300), alike(290), longer(600);
  Tuning first = tuned(mod, problem, 0.4);
  // As long a search has been there.
  CodeCounts before = codeCounts();
  Tuning again = tuned(mod, problem, 0.4);
  EXPECT_TRUE(again.isFromCache);
  EXPECT_EQ(codeCounts().compiled, before.compiled);
  EXPECT_EQ(again.schedule, first.schedule);
  EXPECT_EQ(again.tried.size(), first.tried.size());
  EXPECT_TRUE(tuned(mod, alike, 0.4).isFromCache);
  // A longer one looks at more; other launches have their own.
  Tuning more = tuned(mod, problem, 0.8);
  EXPECT_FALSE(more.isFromCache);
  EXPECT_GT(more.tried.size(), first.tried.size());
  EXPECT_FALSE(tuned(mod, longer, 0.1).isFromCache);
  HostProblem withLse(300);
  std::vector<float> lse(300);
  withLse.spec.lse = true, withLse.arguments.lse = lse.data();
  EXPECT_FALSE(tuned(mod, withLse, 0.1).isFromCache);
}

/// Entries go one by one: what a search found is not "nothing" because those of
/// its candidates went.
TEST_F(Tune, SearchesAgainWhereTimesWent) {
  Mod mod = modOf(blocks);
  HostProblem problem(300);
  EXPECT_FALSE(tuned(mod, problem, 0.4).isFromCache);
  int removed = 0;
  for (const std::string &name : folder.entries()) {
    std::ifstream file(folder.file(name), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.find("\nschedule #attn.schedule") == bytes.npos ||
        bytes.find("time ") == bytes.npos)
      continue;
    removed += std::filesystem::remove(folder.file(name));
  }
  EXPECT_GT(removed, 1);
  Tuning again = tuned(mod, problem, 0.4);
  EXPECT_FALSE(again.isFromCache);
  EXPECT_GT(again.tried.size(), 0u);
}

/// One of all suffices: the gain of a search is that of all that it tried.
TEST_F(Tune, SearchesAgainWhereOneTimeWent) {
  Mod mod = modOf(blocks);
  HostProblem problem(300);
  Tuning first = tuned(mod, problem, 0.4);
  std::string other;
  for (const TriedSchedule &one : first.tried)
    if (one.schedule != first.schedule)
      other = one.schedule;
  ASSERT_NE(other, "");
  EXPECT_TRUE(tuned(mod, problem, 0.4).isFromCache);
  int removed = 0;
  for (const std::string &name : folder.entries()) {
    std::ifstream file(folder.file(name), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.find("kind time\n") != bytes.npos &&
        bytes.find("\nschedule " + other + "\n") != bytes.npos)
      removed += std::filesystem::remove(folder.file(name));
  }
  EXPECT_EQ(removed, 1);
  EXPECT_FALSE(tuned(mod, problem, 0.4).isFromCache);
}

/// Nothing is compiled for what has nothing to compute, or no time.
TEST_F(Tune, MayHaveNothingToDo) {
  Mod mod = modOf("attn.mod @noop");
  HostProblem none(0), some(100);
  EXPECT_EQ(tuned(mod, none, 1).candidates, 0);
  Tuning untried = tuned(mod, some, 0);
  EXPECT_TRUE(untried.tried.empty());
  EXPECT_EQ(untried.schedule, "");
  EXPECT_EQ(untried.gain, 1);
}

TEST_F(Tune, Errors) {
  Mod mod = modOf("attn.mod @noop");
  HostProblem problem(100);
  KernelSpec given = problem.spec;
  given.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
  EXPECT_EQ(tune(mod, given, problem.arguments).error(),
            "expects a spec without a schedule to tune, got '" +
                given.schedule + "'");
  KernelSpec invariant = problem.spec;
  invariant.invariant = true;
  EXPECT_EQ(tune(mod, invariant, problem.arguments).error(),
            "expects no KernelSpec::invariant to tune: its results do not "
            "depend on what was timed");
  problem.arguments.value.sizes[2] = 99;
  Result<AttentionKernel> kernel = AttentionKernel::compile(mod, problem.spec);
  EXPECT_EQ(tune(mod, problem.spec, problem.arguments).error(),
            kernel->run(problem.arguments).error());
}

/// One run that begins, and one that is timed: what takes long needs no other
/// to be warm, nor several for a sample.
TEST_F(Tune, RunsALongKernelOnce) {
  cuda::FakeCUDA *gpu = useFakeCUDA();
  ASSERT_TRUE(cuda::useDevice(0));
  Result<cuda::Buffer> memory = cuda::Buffer::allocate(1 << 20);
  ASSERT_TRUE(memory);
  useNoCache();
  HostProblem problem(300);
  problem.spec.target = Target::CUDA;
  problem.spec.portable = true;
  AttentionArguments &a = problem.arguments;
  for (TensorView *view : {&a.query, &a.key, &a.value, &a.out})
    view->data = memory->data();
  double before = gpu->kernelMilliseconds;
  auto runsOf = [&](double milliseconds) {
    gpu->kernelMilliseconds = milliseconds;
    gpu->calls.clear();
    tuned(modOf("attn.mod @noop"), problem, 1e-6);
    return std::count(gpu->calls.begin(), gpu->calls.end(), 'K');
  };
  auto untimed = runsOf(0.5) - runsOf(200);
  EXPECT_EQ(runsOf(200), 2 * untimed); // of which one warmed the short one up
  gpu->kernelMilliseconds = before;
}

/// The fake one's kernels all take as long.
TEST_F(Tune, TriesKernelsOfAGPU) {
  cuda::FakeCUDA *gpu = useFakeCUDA();
  ASSERT_TRUE(cuda::useDevice(0));
  Result<cuda::Buffer> memory = cuda::Buffer::allocate(1 << 20);
  ASSERT_TRUE(memory);
  Mod mod = modOf("attn.mod @noop");
  HostProblem problem(300);
  problem.spec.target = Target::CUDA;
  problem.spec.portable = true;
  AttentionArguments &a = problem.arguments;
  for (TensorView *view : {&a.query, &a.key, &a.value, &a.out})
    view->data = memory->data();
  gpu->isCapturing = true;
  EXPECT_EQ(tune(mod, problem.spec, a).error(),
            "expects a stream that is not being captured to tune on");
  gpu->isCapturing = false;
  int events = gpu->liveEvents, modules = gpu->loadedModules;
  Tuning tuning = tuned(mod, problem, 0.6);
  EXPECT_GT(tuning.tried.size(), 0u);
  EXPECT_EQ(tuning.schedule, "");
  EXPECT_DOUBLE_EQ(tuning.chosen.seconds, gpu->kernelMilliseconds * 1e-3);
  // Nothing is left on the GPU.
  EXPECT_EQ(gpu->liveEvents, events);
  EXPECT_EQ(gpu->loadedModules, modules);
  EXPECT_TRUE(tuned(mod, problem, 0.6).isFromCache);
}

/// More than the first does: of several kernels others may.
TEST_F(Tune, WhatSpillsMoreIsOut) {
  cuda::FakeCUDA *gpu = useFakeCUDA();
  ASSERT_TRUE(cuda::useDevice(0));
  Result<cuda::Buffer> memory = cuda::Buffer::allocate(1 << 20);
  ASSERT_TRUE(memory);
  HostProblem problem(300);
  problem.spec.target = Target::CUDA;
  problem.spec.portable = true;
  AttentionArguments &a = problem.arguments;
  for (TensorView *view : {&a.query, &a.key, &a.value, &a.out})
    view->data = memory->data();
  Mod mod = modOf("attn.mod @noop");
  gpu->localBytes = 16;
  Tuning alike = tuned(mod, problem, 0.4);
  useNoCache();
  gpu->moreLocalBytes = 8;
  Tuning more = tuned(mod, problem, 0.4);
  gpu->localBytes = gpu->moreLocalBytes = 0;
  EXPECT_GT(alike.tried.size(), 0u);
  for (const TriedSchedule &one : alike.tried)
    EXPECT_EQ(one.failure, "");
  EXPECT_GT(more.chosen.seconds, 0);
  EXPECT_GT(more.tried.size(), 0u);
  for (const TriedSchedule &one : more.tried)
    EXPECT_NE(one.failure.find("spills "), std::string::npos) << one.failure;
}

/// What others compile at the same time.
TEST_F(Tune, ACopyOfAModIsTheSame) {
  Result<Mod> mod = modOf(blocks).withLengths();
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> copy = mod->copy();
  ASSERT_TRUE(copy) << copy.error();
  EXPECT_NE(&copy->impl(), &mod->impl());
  EXPECT_EQ(copy->name(), mod->name());
  EXPECT_TRUE(copy->hasMask());
  ASSERT_EQ(copy->captures().size(), 1u);
  EXPECT_TRUE(copy->captures()[0].isLengths);
  // The code is found by what a mod does.
  KernelSpec spec;
  ASSERT_TRUE(AttentionKernel::compile(*mod, spec));
  CodeCounts before = codeCounts();
  ASSERT_TRUE(AttentionKernel::compile(*copy, spec));
  EXPECT_EQ(codeCounts().compiled, before.compiled);
}

//===--- gradients --------------------------------------------------------===//

/// Of each kernel in turn; what was found is there for the next search.
TEST_F(Tune, TriesKernelsOfGradients) {
  Mod mod = modOf(biased);
  HostGradients problem(200);
  Tuning tuning = tuned(mod, problem, 1.5);
  EXPECT_FALSE(tuning.isFromCache);
  EXPECT_GT(tuning.chosen.seconds, 0);
  EXPECT_EQ(tuning.chosen.schedule.rfind("[#attn.schedule<", 0), 0u);
  EXPECT_EQ(tuning.gain == 1, tuning.schedule.empty());
  // Some differ in the kernel of queries, some in that of keys.
  std::string rule = tuning.chosen.schedule;
  std::string ofQueries = rule.substr(0, rule.find(", #attn"));
  size_t alike = 0;
  for (const TriedSchedule &one : tuning.tried)
    alike += one.schedule.rfind(ofQueries, 0) == 0;
  EXPECT_GT(alike, 0u);
  EXPECT_LT(alike, tuning.tried.size());
  // They are kernels, of the same results.
  std::vector<float> before = problem.resultOf(mod, "");
  for (const TriedSchedule *one :
       {&tuning.tried.front(), &tuning.tried.back()}) {
    std::vector<float> after = problem.resultOf(mod, one->schedule);
    for (size_t i = 0; i < before.size(); ++i)
      EXPECT_NEAR(before[i], after[i], 1e-4 * (1 + std::abs(before[i])));
  }
  EXPECT_TRUE(tuned(mod, problem, 0).isFromCache);
}

/// As those of a forward pass, and what gradients have of their own.
TEST_F(Tune, ErrorsOfGradients) {
  Mod mod = modOf(biased);
  HostGradients problem(100);
  KernelSpec ragged = problem.spec;
  ragged.raggedQueries = true;
  auto errorOf = [&](const KernelSpec &spec,
                     const std::vector<std::string> &wrt) {
    return tune(mod, spec, wrt, problem.gradients).error();
  };
  EXPECT_EQ(errorOf(problem.spec, {"bais"}),
            GradientKernel::compile(mod, problem.spec, {"bais"}).error());
  EXPECT_EQ(errorOf(ragged, problem.wrt),
            GradientKernel::compile(mod, ragged, problem.wrt).error());
  KernelSpec given = problem.spec;
  given.schedule = "[]";
  EXPECT_EQ(errorOf(given, problem.wrt),
            "expects a spec without a schedule to tune, got '[]'");
  EXPECT_EQ(errorOf(problem.spec, {}),
            "expects 0 gradients of captures, got 1");
}

/// One pass over the pairs, or two; then each kernel.
TEST_F(Tune, TriesGradientsOfAGPU) {
  cuda::FakeCUDA *gpu = useFakeCUDA();
  ASSERT_TRUE(cuda::useDevice(0));
  Result<cuda::Buffer> memory = cuda::Buffer::allocate(1 << 20);
  ASSERT_TRUE(memory);
  Mod mod = modOf("attn.mod @noop");
  HostGradients problem(256);
  problem.wrt.clear();
  problem.spec.target = Target::CUDA;
  problem.spec.type = ElementType::BF16;
  problem.spec.headDim = problem.spec.valueDim = 64;
  GradientArguments &a = problem.gradients;
  a.captures.clear(), a.gradCaptures.clear();
  for (TensorView *view : {&a.query, &a.key, &a.value, &a.out, &a.gradOut,
                           &a.gradQuery, &a.gradKey, &a.gradValue}) {
    view->data = memory->data();
    view->type = ElementType::BF16;
    view->sizes = {1, 1, 256, 64}, view->strides = {256 * 64, 256 * 64, 64};
  }
  a.lse = static_cast<const float *>(memory->data());
  int modules = gpu->loadedModules, threads = gpu->maxThreads;
  gpu->maxThreads = 512;
  Tuning tuning = tuned(mod, problem, 2);
  EXPECT_NE(tuning.chosen.schedule.find("once"), std::string::npos);
  ASSERT_FALSE(tuning.tried.empty());
  EXPECT_EQ(tuning.tried[0].schedule.find("once"), std::string::npos);
  // Every kernel takes as long here: two are faster than one with two around
  // it. Theirs are varied then.
  EXPECT_EQ(tuning.schedule, tuning.tried[0].schedule);
  EXPECT_DOUBLE_EQ(tuning.gain, 1.5);
  EXPECT_GT(tuning.tried.size(), 2u);
  for (const TriedSchedule &one : tuning.tried)
    EXPECT_EQ(one.schedule.find("once"), std::string::npos);
  EXPECT_EQ(gpu->loadedModules, modules);
  problem.spec.deterministic = true;
  for (const TriedSchedule &one : tuned(mod, problem, 1).tried)
    EXPECT_EQ(one.schedule.find("once"), std::string::npos);
  gpu->maxThreads = threads;
}
