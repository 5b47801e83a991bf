// Kernels of shares, any number of them, and of chunks of any size: of tasks
// that are whole, cut or empty, merged into what the definition says. Memory
// that they use for themselves is poisoned before each run (Harness.cpp).
#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

/// How many shares there are, or how many visits a chunk has; on GPUs, among
/// how many warps the keys of a step are dealt.
struct Parts {
  int64_t shares = 0, chunk = 0, keyWarps = 1;
};

/// One query tile for most problems, of the fewest rows, and of the fewest keys
/// that the warps can have.
std::string scheduleOf(const Parts &parts, int64_t keyTile = 32) {
  bool isCPU = selectedTarget() == Target::CPU;
  int64_t keys = isCPU ? keyTile : std::max(keyTile, 16 * parts.keyWarps);
  std::string tiling =
      "#attn.schedule<tiling = <q = 16, kv = " + std::to_string(keys) +
      (parts.chunk ? ", chunk = " + std::to_string(parts.chunk) : ", shares") +
      ">";
  if (isCPU)
    return tiling + ">";
  return tiling + ", roles = <key_warps = " + std::to_string(parts.keyWarps) +
         ">, pipeline = <stages = 2>>";
}

Case caseOf(const char *pattern, ElementType type, ProblemSizes sizes,
            const Parts &parts) {
  Case c;
  c.pattern = pattern, c.type = type, c.sizes = sizes;
  c.schedule = scheduleOf(parts), c.shares = parts.shares;
  c.runs = 2;
  return c;
}

CaptureData numbers(const std::vector<int32_t> &values) {
  CaptureData data{ElementType::I32, {static_cast<int64_t>(values.size())}, {}};
  data.bytes.resize(values.size() * sizeof(int32_t));
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

class Shares : public testing::TestWithParam<Parts> {};

// Runs and lists, tiles that stick out, rows without keys, heads that a mask
// tells apart and others, channels that fill no tile.
TEST_P(Shares, OfPatterns) {
  struct Problem {
    const char *pattern;
    ElementType type;
    ProblemSizes sizes;
  };
  for (const auto &[pattern, type, sizes] :
       {Problem{"noop", ElementType::BF16, {2, 4, 2, 1, 650, 64, 64, 2}},
        {"causal", ElementType::F32, {1, 2, 1, 70, 70, 32, 24, 1}},
        {"sliding_window", ElementType::F16, {1, 2, 2, 50, 300, 32, 32, 1}},
        {"alibi", ElementType::BF16, {1, 3, 1, 5, 333, 32, 40, 1}},
        {"prefix_lm", ElementType::BF16, {2, 2, 1, 37, 200, 32, 32, 2}},
        {"document_mask", ElementType::BF16, {1, 2, 2, 90, 90, 32, 32, 1}}}) {
    Case c = caseOf(pattern, type, sizes, GetParam());
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
}

// What is merged goes where strides say, whether rows are aligned or not.
TEST_P(Shares, StridedMemory) {
  for (int64_t padding : {16, 3}) {
    Case c = caseOf("causal", ElementType::BF16, {1, 4, 2, 33, 260, 32, 32, 1},
                    GetParam());
    c.layout = Layout::BSHD;
    c.rowPadding = padding, c.offset = padding / 2;
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
}

/// Keys of each batch: none, one, a tile, all, and some in between. Of these
/// tasks some are whole, some are cut once, and some several times.
constexpr const char *lengthMod = R"(
attn.mod @lengths(%lengths: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %lengths[%b] : tensor<?xi32>
    %keep = arith.cmpi slt, %kv, %n : i32
    attn.yield %keep : i1
  })";

TEST_P(Shares, OfLengths) {
  Result<Mod> mod = Mod::fromSource(lengthMod, "lengths.mlir");
  ASSERT_TRUE(mod) << mod.error();
  for (const std::vector<int32_t> &lengths :
       {std::vector<int32_t>{0, 1, 32, 500, 77, 0}, {0, 0}, {500}}) {
    auto batch = static_cast<int64_t>(lengths.size());
    Case c = caseOf("lengths", ElementType::BF16,
                    {batch, 2, 1, 3, 500, 32, 32, batch}, GetParam());
    Oracle oracle;
    oracle.mask = [&](int b, int, int, int kv) { return kv < lengths[b]; };
    SCOPED_TRACE(c.name());
    runAndCompare(c, *mod, oracle, makeInputs(c), {numbers(lengths)});
  }
}

TEST_P(Shares, OfQueriesAtAnOffset) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  std::vector<int32_t> offsets{299, -100, 40};
  Case c = caseOf("causal", ElementType::F32, {3, 2, 2, 4, 300, 32, 32, 3},
                  GetParam());
  Oracle oracle;
  oracle.mask = [&](int b, int, int q, int kv) { return q + offsets[b] >= kv; };
  runAndCompare(c, *shifted, oracle, makeInputs(c), {numbers(offsets)});
}

/// A sum of weights is nothing beside such scores, so that parts of different
/// numbers of keys could not be told apart by their LSE.
TEST_P(Shares, OfScoresFarFromZero) {
  for (double bias : {-1e9, -1e30, 3e7, 123456.7}) {
    Result<Mod> mod = Mod::fromSource(R"(
attn.mod @far()
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = arith.constant )" + std::to_string(bias) +
                                          R"( : f32
    attn.yield %t : f32
  })",
                                      "far.mlir");
    ASSERT_TRUE(mod) << mod.error();
    Case c = caseOf("far", ElementType::F32, {1, 2, 1, 2, 430, 32, 32, 1},
                    GetParam());
    c.lse = false;
    Oracle oracle;
    oracle.score = [&](double, int, int, int, int) {
      return static_cast<float>(bias);
    };
    SCOPED_TRACE(bias);
    runAndCompare(c, *mod, oracle, makeInputs(c), {});
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, Shares,
                         testing::Values(Parts{0}, Parts{1}, Parts{2},
                                         Parts{3, 0, 4}, Parts{7},
                                         Parts{16, 0, 8}, Parts{64, 0, 2},
                                         Parts{0, 2}, Parts{0, 1},
                                         Parts{0, 100, 2}));

/// A query tile has no more chunks than 32: those of long rows are larger.
TEST(Chunks, AreNotMoreThanThereIsMemoryFor) {
  Case c = caseOf("causal", ElementType::BF16, {1, 2, 1, 3, 1500, 16, 16, 1},
                  Parts{0, 1});
  c.schedule = scheduleOf(Parts{0, 1}, /*keyTile=*/16);
  runPattern(c);
}

Result<AttentionKernel> compileFor(int64_t shares) {
  Result<Mod> mod = loadPattern("noop");
  if (!mod)
    return Error{mod.error()};
  device();
  KernelSpec spec;
  spec.target = selectedTarget();
  spec.headDim = spec.valueDim = 32;
  spec.schedule = scheduleOf(Parts{shares});
  spec.shares = shares;
  return AttentionKernel::compile(*mod, spec);
}

TEST(ShareMemory, DoesNotGrowWithTheProblem) {
  Result<AttentionKernel> kernel = compileFor(6);
  ASSERT_TRUE(kernel) << kernel.error();
  // Two parts for each share, of 16 rows of 32 channels and 2 sums; and two
  // numbers.
  constexpr int64_t bytes = 6 * (2 * 16 * (32 + 2) * 4 + 8);
  for (int64_t keys : {1, 100000}) {
    Result<int64_t> wanted =
        kernel->workspaceBytes(ProblemSizes{keys, 2, 1, 1, keys, 32, 32, keys});
    ASSERT_TRUE(wanted) << wanted.error();
    EXPECT_EQ(*wanted, bytes);
  }
}

TEST(ShareMemory, IsChecked) {
  Result<AttentionKernel> kernel = compileFor(6);
  ASSERT_TRUE(kernel) << kernel.error();
  TensorView view;
  view.sizes = {1, 1, 1, 32}, view.strides = {32, 32, 32};
  Result<void *> memory = device().allocate(1 << 20);
  ASSERT_TRUE(memory) << memory.error();
  view.data = *memory;
  auto errorOf = [&](const Workspace &workspace) {
    AttentionArguments a;
    a.query = a.key = a.value = a.out = view;
    a.stream = device().stream(), a.workspace = workspace;
    Result<void> run = kernel->run(a);
    return run ? "" : run.error();
  };
  auto *room = static_cast<char *>(*memory) + 4096;
  EXPECT_EQ(errorOf({room, 26159}),
            "expects a workspace of at least 26160 bytes, got 26159");
  EXPECT_EQ(errorOf({room + 4, 30000}),
            "expects a workspace aligned to 16 bytes");
  EXPECT_EQ(errorOf({room, 26160}), "");
  EXPECT_EQ(errorOf({}), "");
  EXPECT_TRUE(device().synchronize());
  device().release(*memory);
}

} // namespace
