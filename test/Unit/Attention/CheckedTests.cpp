// KernelSpec::checked: what lengths, starts and tables say that has no meaning
// is an error with the number of the sequence, and what has one is none.
#include "GradientHarness.h"

#include "attn/API/Append.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

namespace {

constexpr int64_t channels = 16;

/// Numbers where a kernel reads them.
class Numbers {
public:
  explicit Numbers(std::vector<int32_t> values) : values(std::move(values)) {}
  int32_t *get() {
    return static_cast<int32_t *>(
        placed.in(values.data(), values.size() * sizeof(int32_t)));
  }
  int64_t size() const { return static_cast<int64_t>(values.size()); }

private:
  std::vector<int32_t> values;
  Placed placed;
};

std::string errorOf(const Result<void> &run) {
  EXPECT_TRUE(device().synchronize());
  return run ? "" : run.error();
}

TEST(Checked, LengthsAndPages) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.checked = spec.paged = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor query({3, 1, 1, channels}, spec.type), out = query;
  Tensor heap({5, 1, 4, channels}, spec.type);
  heap.set(normal(heap.count(), spec.type, 1));
  auto run = [&](std::vector<int32_t> lengthsOf, std::vector<int32_t> entries) {
    Numbers lengths(std::move(lengthsOf)), table(std::move(entries));
    AttentionArguments a;
    a.query = query.onDevice(), a.out = out.onDevice();
    a.key = a.value = heap.onDevice();
    a.captures = {CaptureView{lengths.get(), {3}}};
    a.pages = CaptureView{table.get(), {3, 2}};
    a.stream = device().stream();
    return errorOf(kernel->run(a));
  };
  EXPECT_EQ(run({0, 4, 8}, {9, 9, 0, 9, 1, 4}), "");
  EXPECT_EQ(run({0, 4, 9}, {9, 9, 0, 9, 1, 4}),
            "expects lengths from 0 to the room of 8, got 9 for sequence 2");
  EXPECT_EQ(run({-1, 4, 8}, {9, 9, 0, 9, 1, 4}),
            "expects lengths from 0 to the room of 8, got -1 for sequence 0");
  EXPECT_EQ(run({0, 5, 8}, {9, 9, 0, 9, 1, 4}),
            "expects pages below 5, got 9 for key 4 of sequence 1");
  EXPECT_EQ(run({0, 4, 8}, {9, 9, -1, 9, 1, 4}),
            "expects pages below 5, got -1 for key 0 of sequence 1");
}

TEST(Checked, Starts) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.checked = spec.raggedQueries = spec.raggedKeys = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor rows({1, 1, 6, channels}, spec.type), out = rows;
  rows.set(normal(rows.count(), spec.type, 1));
  auto run = [&](std::vector<int32_t> ofQueries, std::vector<int32_t> ofKeys) {
    Numbers queries(std::move(ofQueries)), keys(std::move(ofKeys));
    AttentionArguments a;
    a.query = a.key = a.value = rows.onDevice(), a.out = out.onDevice();
    a.queryStarts = {queries.get(), queries.size() - 1};
    a.keyStarts = {keys.get(), keys.size() - 1};
    a.stream = device().stream();
    return errorOf(kernel->run(a));
  };
  EXPECT_EQ(run({0, 2, 6}, {0, 0, 6}), "");
  EXPECT_EQ(run({0, 3, 2}, {0, 0, 6}), "expects starts of 'query' that do not "
                                       "fall, got 2 behind 3 for sequence 1");
  EXPECT_EQ(run({0, 2, 6}, {0, 0, 7}),
            "expects starts of 'key' from 0 to 6, got 7 for sequence 1");
  EXPECT_EQ(run({-1, 2, 6}, {0, 0, 6}),
            "expects starts of 'query' from 0 to 6, got -1 for sequence 0");
}

/// A sequence has the keys between its starts, and no more.
TEST(Checked, LengthsOfKeysThatLieOneBehindAnother) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.checked = spec.raggedKeys = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor query({2, 1, 1, channels}, spec.type), out = query;
  Tensor rows({1, 1, 8, channels}, spec.type);
  rows.set(normal(rows.count(), spec.type, 1));
  auto run = [&](std::vector<int32_t> lengthsOf) {
    Numbers lengths(std::move(lengthsOf)), starts({0, 3, 8});
    AttentionArguments a;
    a.query = query.onDevice(), a.out = out.onDevice();
    a.key = a.value = rows.onDevice();
    a.captures = {CaptureView{lengths.get(), {2}}};
    a.keyStarts = {starts.get(), 2};
    a.stream = device().stream();
    return errorOf(kernel->run(a));
  };
  EXPECT_EQ(run({3, 5}), "");
  EXPECT_EQ(run({4, 5}),
            "expects lengths from 0 to the room of 3, got 4 for sequence 0");
  EXPECT_EQ(run({3, 6}),
            "expects lengths from 0 to the room of 5, got 6 for sequence 1");
}

TEST(Checked, NoGradients) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.checked = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error(), "expects no KernelSpec::checked for gradients");
}

TEST(Checked, RowsThatAreAppended) {
  AppendSpec spec;
  KernelSpec own = specOf(ElementType::F32, channels, channels);
  spec.target = own.target, spec.headDim = spec.valueDim = channels;
  spec.checked = spec.paged = true;
  Result<AppendKernel> kernel = AppendKernel::compile(spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor rows({2, 1, 2, channels}, spec.type);
  Tensor heap({5, 1, 4, channels}, spec.type);
  auto run = [&](std::vector<int32_t> lengthsOf, std::vector<int32_t> entries) {
    Numbers lengths(std::move(lengthsOf)), table(std::move(entries));
    AppendArguments a;
    a.newKey = a.newValue = rows.onDevice();
    a.key = a.value = heap.onDevice();
    a.lengths = lengths.get();
    a.pages = CaptureView{table.get(), {2, 2}};
    a.stream = device().stream();
    return errorOf(kernel->run(a));
  };
  // Pages of earlier keys are not asked about.
  EXPECT_EQ(run({0, 4}, {0, 9, 9, 1}), "");
  EXPECT_EQ(run({0, 7}, {0, 9, 9, 1}),
            "expects a room of at least 9 keys, got 8 for sequence 1");
  EXPECT_EQ(run({3, 4}, {0, 9, 9, 1}),
            "expects pages below 5, got 9 for key 4 of sequence 0");
}

} // namespace
