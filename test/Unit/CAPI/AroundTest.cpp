// Merges, appends and the cache through the C interface, and attn.hpp over it.
#include "Fixtures.h"

#include "attn/attn.hpp"

#include <cmath>
#include <filesystem>
#include <unistd.h>

static attn_merge_spec mergeSpec() {
  attn_merge_spec spec{};
  spec.size = sizeof spec;
  spec.target = ATTN_CPU, spec.type = ATTN_F32;
  spec.value_dim = dim, spec.parts = 2, spec.lse = 1;
  return spec;
}

/// Keys in two halves give what all of them do.
TEST(CAPI, Merges) {
  constexpr int64_t heads = 2, length = 20, half = 10;
  Operands all(1, heads, length);
  Owned<attn_mod> mod = modOf(plainMod);
  attn_spec spec = cpuSpec();
  spec.lse = 1;
  attn_kernel *made = nullptr;
  ASSERT_OK(attn_kernel_compile(mod.get(), &spec, &made));
  Owned<attn_kernel> kernel(made, attn_kernel_release);
  std::vector<float> lse(heads * length), lses[2] = {lse, lse}, merged = lse;
  all.arguments.lse = lse.data();
  ASSERT_OK(attn_kernel_run(kernel.get(), &all.arguments));

  Tensor outs[2] = {{1, heads, length}, {1, heads, length}};
  attn_part parts[2];
  for (int i = 0; i < 2; ++i) {
    attn_tensor key = all.key.view, value = all.value.view;
    for (attn_tensor *tensor : {&key, &value}) {
      tensor->data = static_cast<float *>(tensor->data) + i * half * dim;
      tensor->sizes[2] = half;
    }
    attn_arguments arguments = all.arguments;
    arguments.key = &key, arguments.value = &value;
    arguments.out = &outs[i].view, arguments.lse = lses[i].data();
    ASSERT_OK(attn_kernel_run(kernel.get(), &arguments));
    parts[i] = {sizeof(attn_part), &outs[i].view, lses[i].data()};
  }
  attn_merge_spec ofMerge = mergeSpec();
  attn_merge *merge = nullptr;
  ASSERT_OK(attn_merge_compile(&ofMerge, &merge));
  Owned<attn_merge> owned(merge, attn_merge_release);
  Tensor out(1, heads, length);
  attn_merge_arguments arguments{
      sizeof arguments, parts, 2, nullptr, &out.view, merged.data(), nullptr};
  ASSERT_OK(attn_merge_run(merge, &arguments));
  for (size_t i = 0; i < out.data.size(); ++i)
    EXPECT_NEAR(out.data[i], all.out.data[i], 1e-5) << i;
  for (size_t i = 0; i < merged.size(); ++i)
    EXPECT_NEAR(merged[i], lse[i], 1e-5) << i;

  arguments.part_count = 3;
  attn_part three[3] = {parts[0], parts[1], parts[1]};
  arguments.parts = three;
  EXPECT_FAILS(ATTN_ERROR, "expects 1 to 2 parts, got 3",
               attn_merge_run(merge, &arguments));
  three[1].size += 16;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects parts of one size, got 24 bytes",
               attn_merge_run(merge, &arguments));
  arguments.part_count = 1000;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects at most 16 parts, got 1000",
               attn_merge_run(merge, &arguments));
  EXPECT_FAILS(ATTN_INVALID_CALL, "'merge', got NULL",
               attn_merge_run(nullptr, &arguments));
  ofMerge.parts = 17;
  attn_merge *none = merge;
  EXPECT_FAILS(ATTN_ERROR, "16 parts", attn_merge_compile(&ofMerge, &none));
  EXPECT_EQ(none, nullptr);
  ofMerge.target = 7;
  EXPECT_FAILS(ATTN_INVALID_CALL, "attn_target",
               attn_merge_compile(&ofMerge, &none));
}

/// Two new rows behind those that a sequence has; what has no room is not
/// written.
TEST(CAPI, Appends) {
  constexpr int64_t batch = 2, heads = 1, room = 4, rows = 2;
  attn_append_spec spec{};
  spec.size = sizeof spec;
  spec.target = ATTN_CPU, spec.type = ATTN_F32, spec.head_dim = dim;
  attn_append *append = nullptr;
  ASSERT_OK(attn_append_compile(&spec, &append));
  Owned<attn_append> owned(append, attn_append_release);
  Tensor newKey(batch, heads, rows, 1), newValue(batch, heads, rows, 2),
      key(batch, heads, room), value(batch, heads, room);
  int32_t lengths[] = {1, 3};
  attn_append_arguments arguments{
      sizeof arguments, &newKey.view, &newValue.view, &key.view, &value.view,
      lengths,          nullptr,      nullptr,        nullptr};
  ASSERT_OK(attn_append_run(append, &arguments));
  auto expected = [&](const Tensor &added, int64_t b, int64_t row, int64_t d) {
    int64_t i = row - lengths[b];
    return i >= 0 && i < rows ? added.data[(b * rows + i) * dim + d] : 0.0f;
  };
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t row = 0; row < room; ++row)
      for (int64_t d = 0; d < dim; ++d) {
        size_t at = (b * room + row) * dim + d;
        EXPECT_EQ(key.data[at], expected(newKey, b, row, d)) << at;
        EXPECT_EQ(value.data[at], expected(newValue, b, row, d)) << at;
      }
  arguments.lengths = nullptr;
  EXPECT_FAILS(ATTN_ERROR, "lengths", attn_append_run(append, &arguments));
  arguments.new_key = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "'new_key', got NULL",
               attn_append_run(append, &arguments));
}

TEST(CXX, MergesWithASink) {
  using namespace attn;
  MergeSpec spec;
  spec.valueDim = dim, spec.parts = 1, spec.sink = true;
  Result<MergeKernel> merge = MergeKernel::compile(spec);
  ASSERT_TRUE(merge) << merge.error();
  std::vector<float> part(dim, 2.0f), out(dim);
  float lse = 0, sink = std::log(3.0f), merged = 0;
  TensorView view{
      part.data(), ElementType::F32, {1, 1, 1, dim}, {dim, dim, dim}};
  spec.parts = (int64_t(1) << 32) + 2;
  EXPECT_FALSE(MergeKernel::compile(spec));
  MergeArguments arguments;
  arguments.parts = {{view, &lse}};
  arguments.sink = &sink;
  arguments.out = view, arguments.out.data = out.data();
  arguments.lse = &merged;
  Result<void> done = merge->run(arguments);
  ASSERT_TRUE(done) << done.error();
  EXPECT_NEAR(out[0], 0.5f, 1e-6); // a quarter of the weight
  EXPECT_NEAR(merged, std::log(4.0f), 1e-6);
}

TEST(CXX, AppendsToPages) {
  using namespace attn;
  AppendSpec spec;
  spec.headDim = spec.valueDim = dim, spec.paged = true;
  Result<AppendKernel> append = AppendKernel::compile(spec);
  ASSERT_TRUE(append) << append.error();
  // Pages of one row: the next row of the sequence is page 2.
  std::vector<float> row(dim, 5.0f), keys(3 * dim), values(3 * dim);
  int32_t length = 1, pages[] = {0, 2, 1};
  auto view = [](std::vector<float> &data, int64_t count) {
    return TensorView{
        data.data(), ElementType::F32, {count, 1, 1, dim}, {dim, dim, dim}};
  };
  AppendArguments arguments;
  arguments.newKey = arguments.newValue = view(row, 1);
  arguments.key = view(keys, 3), arguments.value = view(values, 3);
  arguments.lengths = &length;
  arguments.pages = CaptureView{pages, {1, 3}};
  Result<void> done = append->run(arguments);
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(keys[2 * dim], 5.0f);
  EXPECT_EQ(values[2 * dim], 5.0f);
  EXPECT_EQ(keys[0], 0.0f);
  EXPECT_EQ(keys[dim], 0.0f);
}

TEST(CAPI, KeepsCodeWhereItIsTold) {
  std::string folder = std::filesystem::temp_directory_path() /
                       ("attn-capi-" + std::to_string(getpid()));
  attn_merge_spec spec = mergeSpec();
  spec.parts = 3; // no other test's
  int64_t compiled[3], cached[3];
  attn_use_cache(folder.c_str());
  for (int i = 0; i < 3; ++i) {
    attn_code_counts(&compiled[i], &cached[i]);
    attn_merge *merge = nullptr;
    ASSERT_OK(attn_merge_compile(&spec, &merge));
    attn_merge_release(merge);
    if (i == 1)
      attn_use_no_cache();
  }
  int64_t last;
  attn_code_counts(&last, nullptr);
  EXPECT_EQ(compiled[1] - compiled[0], 1); // into the cache
  EXPECT_EQ(cached[2] - cached[1], 1);     // from there
  EXPECT_EQ(last - compiled[2], 1);        // without
  std::filesystem::remove_all(folder);
}
