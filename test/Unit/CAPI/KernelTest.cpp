// Kernels of the forward pass through the C interface: what each argument does,
// by results that must not differ.
#include "Fixtures.h"

#include "../Doubles/FakeCUDADriver.h"

#include <cmath>
#include <cstring>
#include <dlfcn.h>

static Owned<attn_kernel> kernelOf(const attn_mod *mod, const attn_spec &spec) {
  attn_kernel *kernel = nullptr;
  EXPECT_OK(attn_kernel_compile(mod, &spec, &kernel));
  return {kernel, attn_kernel_release};
}

static Owned<attn_kernel> kernelOf(const char *mod,
                                   const attn_spec &spec = cpuSpec()) {
  return kernelOf(modOf(mod).get(), spec);
}

/// One for all tests of plain attention.
static const attn_kernel *plainKernel() {
  static const Owned<attn_kernel> kernel = kernelOf(plainMod);
  return kernel.get();
}

TEST(Kernel, OutlivesItsMod) {
  attn_spec spec = cpuSpec();
  spec.lse = 1;
  Owned<attn_kernel> kernel = kernelOf(causalMod, spec);
  attn_kernel_retain(kernel.get());
  attn_kernel_release(kernel.get());
  Operands o(1, 2, 20);
  std::vector<float> lse(40, NAN);
  o.arguments.lse = lse.data();
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  // The first query sees its own key alone.
  for (int64_t d = 0; d < dim; ++d)
    EXPECT_FLOAT_EQ(o.out.data[d], o.value.data[d]);
  float score = 0;
  for (int64_t d = 0; d < dim; ++d)
    score += o.query.data[d] * o.key.data[d] / 4;
  EXPECT_NEAR(lse[0], score, 1e-5);
  EXPECT_GT(attn_kernel_compile_seconds(kernel.get()), 0);
  EXPECT_EQ(std::string(attn_kernel_schedule(kernel.get())).find("#attn."), 0u);
  EXPECT_GT(attn_kernel_query_tile(kernel.get()), 0);
  EXPECT_GT(attn_kernel_key_tile(kernel.get()), 0);
  EXPECT_EQ(attn_kernel_needs_tiles(kernel.get()), 0);
}

TEST(Kernel, ScaleIsTaken) {
  const float scale = 0;
  attn_spec spec = cpuSpec();
  spec.scale = &scale;
  Owned<attn_kernel> kernel = kernelOf(plainMod, spec);
  Operands o(1, 1, 2);
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  EXPECT_FLOAT_EQ(o.out.data[0], (o.value.data[0] + o.value.data[dim]) / 2);
}

TEST(Kernel, StridesOfTensorsAndCapturesAreTaken) {
  Owned<attn_kernel> kernel = kernelOf(biasMod);
  const float together[] = {1, -2}, apart[] = {1, 9, -2}, factor = 0.25f;
  std::vector<int64_t> sizes{2}, strides{2};
  attn_capture captures[] = {captureOf(together, ATTN_F32, sizes),
                             captureOf(&factor, 0)};
  Operands o(1, 2, 20);
  o.arguments.captures = captures, o.arguments.capture_count = 2;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  std::vector<float> expected = o.out.data;

  captures[0] = captureOf(apart, ATTN_F32, sizes);
  captures[0].strides = strides.data();
  // Positions before heads, in the result alone.
  o.out.view.strides[1] = dim, o.out.view.strides[2] = 2 * dim;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t i = 0; i < 20; ++i)
      EXPECT_FLOAT_EQ(o.out.data[(i * 2 + h) * dim],
                      expected[(h * 20 + i) * dim]);
}

TEST(Kernel, TilesAreFoundAndTaken) {
  Owned<attn_kernel> kernel = kernelOf(documentsMod);
  EXPECT_EQ(attn_kernel_needs_tiles(kernel.get()), 1);
  std::vector<int32_t> ids(70, 1);
  std::fill_n(ids.begin(), 40, 0);
  std::vector<int64_t> length{70};
  attn_capture capture = captureOf(ids.data(), ATTN_I32, length);
  attn_sizes sizes = sizesOf(1, 1, 70);
  attn_tiles *tiles = nullptr, *again = nullptr;
  ASSERT_OK(attn_kernel_find_tiles(kernel.get(), &sizes, &capture, 1, nullptr,
                                   nullptr, &tiles));
  EXPECT_GT(attn_tiles_bytes(tiles), 0);
  Operands o(1, 1, 70);
  o.arguments.captures = &capture, o.arguments.capture_count = 1;
  o.arguments.tiles = tiles;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  std::vector<float> expected = o.out.data;
  o.arguments.tiles = nullptr;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  EXPECT_EQ(o.out.data, expected);

  sizes = sizesOf(1, 1, 20);
  ASSERT_OK(attn_kernel_find_tiles(kernel.get(), &sizes, &capture, 1, nullptr,
                                   tiles, &again));
  attn_tiles_release(tiles);
  o.arguments.tiles = again;
  EXPECT_FAILS(ATTN_ERROR, "expects 'tiles' number of queries 70, got 20",
               attn_kernel_run(kernel.get(), &o.arguments));
  attn_tiles_release(again);
  EXPECT_FAILS(ATTN_ERROR, "expects a kernel that needs lists of tiles",
               attn_kernel_find_tiles(plainKernel(), &sizes, nullptr, 0,
                                      nullptr, nullptr, &tiles));
  sizes = sizesOf(1, 1, INT32_MAX);
  EXPECT_FAILS(ATTN_ERROR, "out of memory",
               attn_kernel_find_tiles(kernel.get(), &sizes, &capture, 1,
                                      nullptr, nullptr, &tiles));
}

TEST(Kernel, SequencesBehindEachOtherAreThoseOfABatch) {
  attn_spec spec = cpuSpec();
  spec.ragged_queries = spec.ragged_keys = 1;
  Owned<attn_kernel> kernel = kernelOf(plainMod, spec);
  Operands o(1, 1, 30);
  const int32_t starts[] = {0, 10, 30};
  attn_starts two = {sizeof two, starts, 2};
  o.arguments.query_starts = o.arguments.key_starts = &two;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  std::vector<float> expected = o.out.data;
  // The second alone.
  for (attn_tensor *t :
       {&o.query.view, &o.key.view, &o.value.view, &o.out.view})
    t->sizes[2] = 20, t->data = static_cast<float *>(t->data) + 10 * dim;
  o.arguments.query_starts = o.arguments.key_starts = nullptr;
  ASSERT_OK(attn_kernel_run(plainKernel(), &o.arguments));
  for (size_t i = 10 * dim; i < expected.size(); ++i)
    EXPECT_NEAR(o.out.data[i], expected[i], 1e-5);

  EXPECT_FAILS(ATTN_ERROR, "expects starts of sequences of 'query', got null",
               attn_kernel_run(kernel.get(), &o.arguments));
  two.sequences = INT64_MAX;
  o.arguments.query_starts = &two;
  EXPECT_FAILS(ATTN_INVALID_CALL, "'query_starts' of fewer than 2^31 sequences",
               attn_kernel_run(kernel.get(), &o.arguments));
  two.size = 1;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'query_starts' with a size of 24",
               attn_kernel_run(kernel.get(), &o.arguments));
}

TEST(Kernel, PagesInOrderAreContiguousMemory) {
  attn_mod *made = nullptr;
  ASSERT_OK(attn_mod_with_lengths(modOf(plainMod).get(), &made));
  Owned<attn_mod> mod(made, attn_mod_release);
  attn_spec spec = cpuSpec();
  spec.paged = 1;
  Owned<attn_kernel> kernel = kernelOf(mod.get(), spec);
  // A sequence of 32 keys, in two pages of 16.
  Operands o(1, 1, 32);
  for (attn_tensor *t : {&o.key.view, &o.value.view})
    t->sizes[0] = 2, t->sizes[2] = 16, t->strides[0] = 16 * dim;
  const int32_t table[] = {0, 1}, length = 32;
  std::vector<int64_t> one{1}, oneByTwo{1, 2};
  attn_capture pages = captureOf(table, ATTN_I32, oneByTwo),
               lengths = captureOf(&length, ATTN_I32, one);
  o.arguments.captures = &lengths, o.arguments.capture_count = 1;
  o.arguments.pages = &pages;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  Operands whole(1, 1, 32);
  ASSERT_OK(attn_kernel_run(plainKernel(), &whole.arguments));
  for (size_t i = 0; i < whole.out.data.size(); ++i)
    EXPECT_NEAR(o.out.data[i], whole.out.data[i], 1e-5);
  o.arguments.pages = nullptr;
  EXPECT_FAILS(ATTN_ERROR, "expects 'pages'",
               attn_kernel_run(kernel.get(), &o.arguments));
}

TEST(Kernel, WorkspacesAreCountedAndTaken) {
  attn_spec spec = cpuSpec();
  spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 16, shares>>";
  spec.shares = 4;
  Owned<attn_kernel> kernel = kernelOf(plainMod, spec);
  attn_sizes small = sizesOf(1, 1, 16), large = sizesOf(2, 2, 64);
  ASSERT_OK(attn_kernel_prepare(kernel.get(), &small, &large));
  ASSERT_OK(attn_kernel_prepare(kernel.get(), &small, nullptr));
  ASSERT_OK(attn_kernel_prepare(kernel.get(), nullptr, nullptr));
  EXPECT_FAILS(ATTN_ERROR, "expects",
               attn_kernel_prepare(kernel.get(), &large, &small));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'smallest', got NULL",
               attn_kernel_prepare(kernel.get(), nullptr, &large));
  int64_t bytes = -1;
  ASSERT_OK(attn_kernel_workspace_bytes(kernel.get(), &small, &large, &bytes));
  ASSERT_GT(bytes, 0);
  Operands o(1, 2, 64);
  std::vector<double> memory(bytes / 8 + 2);
  o.arguments.workspace = memory.data();
  o.arguments.workspace_bytes = bytes - 1;
  EXPECT_FAILS(ATTN_ERROR, "workspace",
               attn_kernel_run(kernel.get(), &o.arguments));
  o.arguments.workspace_bytes = bytes;
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  Operands plain(1, 2, 64);
  ASSERT_OK(attn_kernel_run(plainKernel(), &plain.arguments));
  for (size_t i = 0; i < plain.out.data.size(); ++i)
    EXPECT_NEAR(o.out.data[i], plain.out.data[i], 1e-5);
}

TEST(Kernel, WrongTensorsAreErrors) {
  Operands o(1, 1, 16);
  auto run = [&] { return attn_kernel_run(plainKernel(), &o.arguments); };
  o.query.view.type = ATTN_BF16;
  EXPECT_FAILS(ATTN_ERROR, "expects 'query' of f32, got bf16", run());
  o.query.view.type = 0;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects an attn_type of 'query'", run());
  o.query.view.type = ATTN_F32, o.query.view.data = nullptr;
  EXPECT_FAILS(ATTN_ERROR, "expects memory for 'query', got null", run());
  o.query.view.sizes[0] = INT64_MAX;
  EXPECT_FAILS(ATTN_INVALID_CALL, "fewer than 2^31 heads", run());
  o.query.view.sizes[0] = 1, o.query.view.sizes[3] = INT64_MAX;
  EXPECT_FAILS(ATTN_ERROR, "expects", run());
  o.query.view.sizes[3] = -1;
  EXPECT_FAILS(ATTN_INVALID_CALL, "with sizes of at least 0, got -1", run());
  o.arguments.query = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'query', got NULL", run());
  o.arguments.size = 8;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'arguments' with a size of", run());
  float lse;
  Operands other(1, 1, 16);
  other.arguments.lse = &lse;
  EXPECT_FAILS(ATTN_ERROR, "expects no 'lse'",
               attn_kernel_run(plainKernel(), &other.arguments));
}

/// A function of the driver.
template <typename... Parameters>
static int call(const char *name, Parameters... parameters) {
  static void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  auto *function =
      reinterpret_cast<int (*)(Parameters...)>(dlsym(driver, name));
  return function ? function(parameters...) : -1;
}

/// Memory of the fake GPU, which the host may write.
static void *allocate(size_t bytes) {
  void *context = nullptr;
  unsigned long long address = 0;
  EXPECT_EQ(call("cuDevicePrimaryCtxRetain", &context, 0), 0);
  EXPECT_EQ(call("cuCtxSetCurrent", context), 0);
  EXPECT_EQ(call("cuMemAlloc_v2", &address, bytes), 0);
  return reinterpret_cast<void *>(address);
}

TEST(Kernel, RunsOnAGPU) {
  useFakeCUDA()->runsKernels = true;
  attn_spec spec = cpuSpec();
  spec.target = ATTN_CUDA;
  spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 16>>";
  const int32_t first = 0, none = 99;
  spec.device = &none;
  Owned<attn_mod> mod = modOf(plainMod);
  attn_kernel *compiled = nullptr;
  EXPECT_EQ(attn_kernel_compile(mod.get(), &spec, &compiled), ATTN_ERROR);
  EXPECT_EQ(compiled, nullptr);
  spec.device = &first;
  Owned<attn_kernel> kernel = kernelOf(mod.get(), spec);
  attn_sizes sizes = sizesOf(1, 1, 16);
  ASSERT_OK(attn_kernel_prepare(kernel.get(), &sizes, nullptr));

  Operands o(1, 1, 16);
  ASSERT_OK(attn_kernel_run(plainKernel(), &o.arguments));
  for (Tensor *t : {&o.query, &o.key, &o.value, &o.out}) {
    size_t bytes = t->data.size() * sizeof(float);
    t->view.data = allocate(bytes);
    ASSERT_TRUE(t->view.data);
    std::memcpy(t->view.data, t->data.data(), t == &o.out ? 0 : bytes);
  }
  ASSERT_OK(attn_kernel_run(kernel.get(), &o.arguments));
  for (size_t i = 0; i < o.out.data.size(); ++i)
    ASSERT_NEAR(static_cast<float *>(o.out.view.data)[i], o.out.data[i], 1e-3);
}
