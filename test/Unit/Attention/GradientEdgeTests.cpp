// Gradients of problems at the edges: the smallest, the farthest apart in
// memory, those whose weights underflow; and the same ones many times.
#include "GradientHarness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

void setRandom(BothPasses &run, unsigned seed) {
  for (Tensor *tensor : {&run.query, &run.key, &run.value, &run.gradOut})
    tensor->set(normal(tensor->count(), tensor->type, seed++));
}

//===--- rows whose LSE is far below zero ---------------------------------===//

/// Queries that point away from all keys: every score is about -100, so that
/// weights of keys past the end, whose score would be 0, are infinite.
Inputs lowScores(const ProblemSizes &s, ElementType type) {
  Case c;
  c.type = type, c.sizes = s;
  Inputs inputs = makeInputs(c);
  // One of 64 channels decides, at a scale of 1/8: -29 * 29 / 8 = -105.
  for (size_t i = 0; i < inputs.query.size(); i += 64)
    inputs.query[i] = -29;
  for (size_t i = 0; i < inputs.key.size(); i += 64)
    inputs.key[i] = 29;
  return inputs;
}

void expectGradientsOfLowScores(ElementType type) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(type, 64, 64);
  Result<GradientKernel> gradients = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(gradients) << gradients.error();
  spec.lse = true;
  Result<AttentionKernel> forward = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(forward) << forward.error();
  for (auto [queries, keys] :
       {std::pair<int64_t, int64_t>(192, 192), {1, 128}, {64, 1}, {1, 1}}) {
    SCOPED_TRACE(std::to_string(queries) + " x " + std::to_string(keys));
    ProblemSizes s{1, 2, 1, queries, keys, 64, 64, 1};
    Inputs inputs = lowScores(s, type);
    BothPasses run(s, type);
    run.set(inputs);
    std::vector<double> gradOut = normal(run.gradOut.count(), type, 5);
    run.gradOut.set(gradOut);
    run.runForward(*forward, *mod);
    run.runGradients(*gradients, *mod);
    for (float x : run.lse)
      EXPECT_LT(x, -88.8f);
    // An f32 near 100 has a spacing of 2^-17, which is in every weight; and
    // gradients of scores, which sum to zero, are rounded before they meet 29.
    compare(run, Definition(inputs, Oracle(), gradOut, run.gradLse).run(),
            4 * allowed(type) + std::ldexp(1.0, -12));
  }
}

TEST(GradientEdges, OfScoresFarBelowZero) {
  expectGradientsOfLowScores(ElementType::BF16);
  if (!interpreted())
    expectGradientsOfLowScores(ElementType::F32);
}

//===--- masks and scores at their ends -----------------------------------===//

/// Of a mod that is written here, in bf16.
void expectGradients(const std::string &source, const ProblemSizes &s,
                     const Oracle &oracle,
                     const std::vector<CaptureData> &captures = {}) {
  Result<Mod> mod = Mod::fromSource("attn.mod @m" + source, "mod.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = ElementType::BF16, c.sizes = s;
  Inputs inputs = makeInputs(c);
  BothPasses run(s, c.type);
  run.captures = captures;
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  run.gradOut.set(gradOut);
  ASSERT_NO_FATAL_FAILURE(run.compute(*mod));
  compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
}

/// Tiles of queries that see nothing, and of keys that nobody sees, of which
/// the kernels compute the bounds or read lists.
TEST(GradientEdges, OfEmptyTiles) {
  const ProblemSizes s{1, 2, 1, 290, 270, 32, 32, 1};
  Oracle oracle;
  oracle.mask = [](int, int, int q, int kv) { return q >= 140 && kv < 70; };
  expectGradients(R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %first = arith.constant 140 : i32
    %end = arith.constant 70 : i32
    %sees = arith.cmpi sge, %q, %first : i32
    %seen = arith.cmpi slt, %kv, %end : i32
    %keep = arith.andi %sees, %seen : i1
    attn.yield %keep : i1
  })",
                  s, oracle);
  std::vector<int32_t> ends(290);
  for (int q = 140; q < 290; ++q)
    ends[q] = 70;
  CaptureData table{ElementType::I32, {290}, {}};
  table.bytes.resize(ends.size() * sizeof(int32_t));
  std::memcpy(table.bytes.data(), ends.data(), table.bytes.size());
  expectGradients(R"((%ends: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %end = attn.load %ends[%q] : tensor<?xi32>
    %keep = arith.cmpi slt, %kv, %end : i32
    attn.yield %keep : i1
  })",
                  s, oracle, {table});
}

/// Nothing goes back to queries and keys that the score program does not read.
TEST(GradientEdges, OfAScoreThatReadsNoProduct) {
  Oracle oracle;
  oracle.score = [](double, int, int, int q, int kv) {
    return 0.0625 * (q - kv);
  };
  expectGradients(R"(
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %f = arith.sitofp %d : i32 to f32
    %c = arith.constant 0.0625 : f32
    %t = arith.mulf %f, %c : f32
    attn.yield %t : f32
  })",
                  {1, 2, 1, 70, 90, 32, 32, 1}, oracle);
}

//===--- memory -----------------------------------------------------------===//

/// The upstream gradient as autograd may give it: in another order of
/// dimensions than all else, and with rows that lie apart.
TEST(GradientEdges, OfAnUpstreamGradientInAnotherLayout) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  const ProblemSizes s{2, 4, 2, 70, 70, 32, 32, 2};
  KernelSpec spec = specOf(ElementType::BF16, 32, 32);
  spec.deterministic = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  BothPasses run(s, ElementType::BF16);
  setRandom(run, 1);
  ASSERT_NO_FATAL_FAILURE(run.computeForward(*mod));
  run.runGradients(*kernel, *mod);
  auto expected = run.gradQuery.bytes;
  Tensor transposed(run.gradOut.sizes, ElementType::BF16, /*isBSHD=*/true);
  transposed.set(run.gradOut.get());
  // 24 channels of something else behind each row.
  Tensor wide({2, 4, 70, 56}, ElementType::BF16);
  std::vector<double> rows = normal(wide.count(), wide.type, 9),
                      upstream = run.gradOut.get();
  for (size_t i = 0; i < upstream.size(); ++i)
    rows[i / 32 * 56 + i % 32] = upstream[i];
  wide.set(rows);
  for (Tensor *layout : {&transposed, &wide}) {
    run.poisonGradients();
    GradientArguments a = run.arguments(*mod);
    a.gradOut = layout->onDevice();
    a.gradOut.sizes[3] = 32;
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    run.fetch();
    EXPECT_TRUE(run.gradQuery.bytes == expected);
  }
}

/// Tensors with rows far apart, all in one piece of memory.
class FarApart {
public:
  static constexpr ElementType type = ElementType::BF16;

  explicit FarApart(int64_t elements)
      : memory(static_cast<char *>(*device().allocate(elements * 2))) {}
  ~FarApart() { device().release(memory); }

  /// A view of what `tensor` holds, with the next place as its first row.
  TensorView place(Tensor &tensor, std::array<int64_t, 3> strides,
                   int64_t elements) {
    TensorView view = tensor.view();
    view.data = memory + next * 2, view.strides = strides;
    next += elements;
    eachRow(tensor, view, [](char *far, char *near, int64_t bytes) {
      EXPECT_TRUE(device().copyIn(far, near, bytes));
    });
    return view;
  }
  void fetch(Tensor &tensor, const TensorView &view) {
    eachRow(tensor, view, [](char *far, char *near, int64_t bytes) {
      EXPECT_TRUE(device().copyOut(near, far, bytes));
    });
  }

private:
  template <typename Visit>
  static void eachRow(Tensor &tensor, const TensorView &view, Visit visit) {
    TensorView from = tensor.view();
    auto rowOf = [](const TensorView &v, int64_t b, int64_t h, int64_t i) {
      int64_t offset = b * v.strides[0] + h * v.strides[1] + i * v.strides[2];
      return static_cast<char *>(v.data) + offset * 2;
    };
    for (int64_t b = 0; b < view.sizes[0]; ++b)
      for (int64_t h = 0; h < view.sizes[1]; ++h)
        for (int64_t i = 0; i < view.sizes[2]; ++i)
          visit(rowOf(view, b, h, i), rowOf(from, b, h, i), view.sizes[3] * 2);
  }

  char *memory;
  int64_t next = 0;
};

/// With the same bits as in memory that is contiguous. `each`: elements from
/// the first row of a tensor to that of the next.
void expectTheSameFarApart(const Mod &mod, const GradientKernel &kernel,
                           const AttentionKernel &forward,
                           const ProblemSizes &s,
                           std::array<int64_t, 3> strides, int64_t each) {
  BothPasses run(s, FarApart::type);
  setRandom(run, 1);
  run.runForward(forward, mod);
  run.runGradients(kernel, mod);
  int64_t elements = 9 * each;
  for (int i = 0; i < 3; ++i)
    elements += (run.query.sizes[i] - 1) * strides[i];
  ASSERT_GT(elements, int64_t(1) << 31);
  if (device().freeBytes() < elements * 2)
    GTEST_SKIP() << "needs " << elements * 2 << " bytes of memory";
  FarApart far(elements);
  auto place = [&](Tensor &tensor) { return far.place(tensor, strides, each); };
  std::array<Tensor *, 3> results{&run.gradQuery, &run.gradKey, &run.gradValue};
  std::array<std::vector<std::byte>, 3> expected;
  for (size_t i = 0; i < 3; ++i)
    expected[i] = results[i]->bytes;
  run.poisonGradients();
  GradientArguments a = run.arguments(mod);
  a.query = place(run.query), a.key = place(run.key);
  a.value = place(run.value), a.out = place(run.out);
  a.gradOut = place(run.gradOut), a.gradQuery = place(run.gradQuery);
  a.gradKey = place(run.gradKey), a.gradValue = place(run.gradValue);
  Result<void> ran = kernel.run(a);
  ASSERT_TRUE(ran) << ran.error();
  ASSERT_TRUE(device().synchronize());
  const TensorView *views[] = {&a.gradQuery, &a.gradKey, &a.gradValue};
  for (size_t i = 0; i < 3; ++i) {
    far.fetch(*results[i], *views[i]);
    EXPECT_TRUE(results[i]->bytes == expected[i]) << i;
  }
}

TEST(GradientEdges, OfOffsetsBeyond32Bits) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(FarApart::type, 32, 32);
  spec.deterministic = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  spec.lse = true;
  Result<AttentionKernel> forward = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(forward) << forward.error();
  // Batches, then rows.
  expectTheSameFarApart(*mod, *kernel, *forward, {2, 2, 2, 70, 70, 32, 32, 2},
                        {(int64_t(1) << 31) + 64, 70 * 32, 32}, 2 * 70 * 32);
  expectTheSameFarApart(*mod, *kernel, *forward, {1, 1, 1, 70, 70, 32, 32, 1},
                        {0, 0, int64_t(1) << 25}, 32);
}

//===--- the same bits ----------------------------------------------------===//

/// The same launch on a stream of its own, into memory of its own.
class OtherWork {
public:
  explicit OtherWork(const GradientArguments &of) : a(of) {
    Result<std::unique_ptr<bench::Device>> made = bench::createCUDADevice();
    EXPECT_TRUE(made) << made.error();
    other = std::move(*made);
    a.stream = other->stream();
    a.workspace = workspace.reserve(a.workspaceBytes);
    TensorView *views[] = {&a.gradQuery, &a.gradKey, &a.gradValue};
    for (size_t i = 0; i < 3; ++i) {
      auto [batch, heads, length, channels] = views[i]->sizes;
      views[i]->data = results[i].reserve(batch * heads * length * channels *
                                          byteWidth(views[i]->type));
    }
  }
  ~OtherWork() { EXPECT_TRUE(other->synchronize()); }
  void enqueue(const GradientKernel &kernel) {
    Result<void> ran = kernel.run(a);
    EXPECT_TRUE(ran) << ran.error();
  }

private:
  GradientArguments a;
  Placed workspace, results[3];
  std::unique_ptr<bench::Device> other;
};

/// Into poisoned results and a poisoned workspace; on a GPU with other work
/// beside it.
void expectTheSameBits(const std::string &pattern, const ProblemSizes &s,
                       int runs) {
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  BothPasses run(s, ElementType::BF16);
  Result<std::vector<CaptureData>> captures = mod->makeCaptures(s);
  ASSERT_TRUE(captures) << captures.error();
  run.captures = *captures;
  setRandom(run, 1);
  ASSERT_NO_FATAL_FAILURE(run.computeForward(*mod));
  KernelSpec spec = specOf(ElementType::BF16, s.headDim, s.valueDim);
  spec.deterministic = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  GradientArguments a = run.arguments(*mod);
  Result<GradientTiles> tiles = kernel->findTiles(s, a.captures, a.stream);
  ASSERT_TRUE(tiles) << tiles.error();
  Placed workspace;
  a.workspaceBytes = kernel->workspaceBytes(s, a.captures);
  a.workspace = workspace.reserve(a.workspaceBytes);
  a.tiles = &*tiles;
  std::unique_ptr<OtherWork> other;
  if (selectedTarget() == Target::CUDA)
    other = std::make_unique<OtherWork>(a);
  const std::array<Tensor *, 3> results{&run.gradQuery, &run.gradKey,
                                        &run.gradValue};
  const void *places[] = {a.gradQuery.data, a.gradKey.data, a.gradValue.data};
  std::array<std::vector<std::byte>, 3> first;
  for (int i = 0; i < runs; ++i) {
    ASSERT_TRUE(device().fill(a.workspace, 0xff, a.workspaceBytes));
    for (size_t r = 0; r < results.size(); ++r)
      ASSERT_TRUE(device().fill(const_cast<void *>(places[r]), 0xff,
                                int64_t(results[r]->bytes.size())));
    if (other)
      other->enqueue(*kernel);
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    run.fetch();
    for (size_t r = 0; r < results.size(); ++r) {
      if (i == 0)
        first[r] = results[r]->bytes;
      ASSERT_TRUE(results[r]->bytes == first[r]) << "run " << i;
    }
  }
  for (Tensor *tensor : results)
    for (double x : tensor->get())
      ASSERT_TRUE(std::isfinite(x));
}

TEST(GradientEdges, GiveTheSameBitsOnEveryRun) {
  bool onGPU = selectedTarget() == Target::CUDA;
  const ProblemSizes s = onGPU ? ProblemSizes{2, 8, 2, 576, 576, 128, 128, 2}
                               : ProblemSizes{1, 4, 2, 200, 200, 32, 32, 1};
  for (const char *pattern : {"causal", "document_mask"})
    expectTheSameBits(pattern, s, onGPU ? 1000 : 20);
}

} // namespace
