// Which kernel a GPU gets, without a GPU: the fake one has compute
// capability 9.0, takes any PTX, and lets a block have 256 threads, so that it
// refuses to launch the kernel with warps of two roles (384 threads) and says
// so.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Attention.h"
#include "attn/API/Tiles.h"
#include "attn/Runtime/CUDADriver.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

using namespace attn;
using attn::cuda::FakeCUDA;

namespace {

class CUDAKernelTest : public testing::Test {
protected:
  CUDAKernelTest() { useFakeCUDA(); }
};

/// A GPU of so few multiprocessors that tasks are many, while this lives.
class ManyTasks {
public:
  explicit ManyTasks(int multiprocessors) {
    useFakeCUDA()->multiprocessors = multiprocessors;
  }
  ~ManyTasks() { useFakeCUDA()->multiprocessors = before; }

private:
  int before = useFakeCUDA()->multiprocessors;
};

Mod plainMod() {
  Result<Mod> mod = Mod::fromSource("attn.mod @noop", "noop.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

KernelSpec specOf(ElementType type) {
  KernelSpec spec;
  spec.target = Target::CUDA;
  spec.device = 0;
  spec.type = type;
  return spec;
}

bool hasRoles(const KernelSpec &spec) {
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  EXPECT_TRUE(kernel) << kernel.error();
  return kernel &&
         kernel->schedule().find("producers = 4") != std::string::npos;
}

/// Runs on tensors of 1 batch, 2 heads, `length` positions and 64 channels in
/// one buffer, rows `stride` elements apart.
Result<void> run(const AttentionKernel &kernel, std::vector<uint16_t> &memory,
                 int64_t stride, int64_t length = 300, void *stream = nullptr) {
  memory.resize(2 * length * stride);
  TensorView view;
  view.data = memory.data();
  view.type = ElementType::BF16;
  view.sizes = {1, 2, length, 64};
  view.strides = {2 * length * stride, length * stride, stride};
  return kernel.run(view, view, view, {}, view, nullptr, stream);
}

/// What the fake driver saw of one run.
std::string launchesOf(const AttentionKernel &kernel, int64_t stride,
                       int64_t length) {
  FakeCUDA &fake = *useFakeCUDA();
  fake.sequence.clear();
  std::vector<uint16_t> memory;
  Result<void> done = run(kernel, memory, stride, length);
  EXPECT_TRUE(done) << done.error();
  return fake.sequence;
}

/// Whose tiles come from lists.
Result<Mod> documentMod() {
  return Mod::fromSource(R"(
attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
)",
                         "documents.mlir");
}

} // namespace

TEST_F(CUDAKernelTest, SixteenBitTypesGetTheKernelOfTheGPU) {
  EXPECT_TRUE(hasRoles(specOf(ElementType::BF16)));
  EXPECT_TRUE(hasRoles(specOf(ElementType::F16)));
  EXPECT_FALSE(hasRoles(specOf(ElementType::F32)));
}

TEST_F(CUDAKernelTest, WhatTheCopyEngineCannotReadGetsThePortableOne) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.aligned = false;
  EXPECT_FALSE(hasRoles(spec));
  spec.aligned = true;
  spec.headDim = spec.valueDim = 68; // rows of 136 bytes
  EXPECT_FALSE(hasRoles(spec));
}

TEST_F(CUDAKernelTest, ThePortableOneOnRequest) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.portable = true;
  EXPECT_FALSE(hasRoles(spec));
}

TEST_F(CUDAKernelTest, AHandWrittenScheduleDecides) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule =
      "#attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>";
  EXPECT_FALSE(hasRoles(spec));
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>, "
                  "roles = <warps = 4, producers = 4>>";
  EXPECT_TRUE(hasRoles(spec));

  spec.portable = true;
  EXPECT_EQ(AttentionKernel::compile(plainMod(), spec).error(),
            "expects a schedule without producers: only GPUs of compute "
            "capability 9.0 run those");
  spec.portable = false;
  spec.type = ElementType::F32;
  EXPECT_EQ(AttentionKernel::compile(plainMod(), spec).error(),
            "expects a schedule without producers for f32 or rows that do not "
            "start at multiples of 16 bytes");
}

/// The second of two kernels begins before the first ends, where the GPU and
/// the memory allow it; products of f32 do not mind.
TEST_F(CUDAKernelTest, AScheduleMayBeDependent) {
  FakeCUDA &fake = *useFakeCUDA();
  KernelSpec spec = specOf(ElementType::BF16);
  spec.shares = 4;
  spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 32, shares>, "
                  "pipeline = <dependent>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<uint16_t> memory;
  int before = fake.dependentLaunches;
  EXPECT_TRUE(run(*kernel, memory, 64));
  EXPECT_EQ(fake.dependentLaunches, before + 1);
  EXPECT_TRUE(run(*kernel, memory, 65)); // rows of 130 bytes
  EXPECT_EQ(fake.dependentLaunches, before + 1);

  KernelSpec wide = spec;
  wide.type = ElementType::F32;
  EXPECT_TRUE(AttentionKernel::compile(plainMod(), wide));
  spec.portable = true;
  EXPECT_EQ(AttentionKernel::compile(plainMod(), spec).error(),
            "expects a schedule without 'dependent': only GPUs of compute "
            "capability 9.0 run those");
}

TEST_F(CUDAKernelTest, EachLaunchTakesTheKernelThatItsMemoryAllows) {
  ManyTasks manyTasks(1);
  Result<AttentionKernel> kernel =
      AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<uint16_t> memory;
  Result<void> aligned = run(*kernel, memory, 64);
  ASSERT_FALSE(aligned);
  EXPECT_NE(aligned.error().find("block 512x1x1"), std::string::npos)
      << aligned.error();
  // Rows of 130 bytes: 2 heads of 3 tiles, a number that each kernel of the
  // fake GPU stores.
  Result<void> misaligned = run(*kernel, memory, 65);
  ASSERT_TRUE(misaligned) << misaligned.error();
  EXPECT_EQ(memory[0], 6);
}

/// Ten tiles of 64 rows run at once on 132 multiprocessors, not on three; their
/// kernel has 256 threads, which the fake GPU takes.
TEST_F(CUDAKernelTest, FewTasksGetSmallTiles) {
  Result<AttentionKernel> kernel =
      AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<uint16_t> memory;
  Result<void> few = run(*kernel, memory, 64);
  ASSERT_TRUE(few) << few.error();
  EXPECT_EQ(memory[0], 10);
}

/// Six heads of which three share keys: 12 rows in a tile of 16, whose keys
/// four warps deal among them, then 18 in one of 32. Tasks are shares of the
/// keys, as many as run at once, whose parts another kernel merges, with eight
/// threads for each row and 4 channels of the two query tiles; but no more than
/// have two positions of theirs each (a tile itself, and visits of 256 or 64
/// keys), nor where keys are few and tasks of a head each all run at once. Of
/// more heads a few less run than could: 40 and not 42, one for each query
/// tile, 19 and not 20, which have two each.
TEST_F(CUDAKernelTest, FewQueriesOfHeadsThatShareKeysAreShares) {
  std::vector<uint16_t> memory(40 * 4000 * 64);
  FakeCUDA &fake = *useFakeCUDA();
  struct Expected {
    int multiprocessors;
    int64_t keyHeads, queries, keys;
    const char *launch;
  };
  for (auto [multiprocessors, keyHeads, queries, keys, launch] :
       {Expected{3, 2, 4, 4000,
                 "launch attention 6 x 128\nlaunch attention_merge 24 x 128\n"},
        {21, 40, 4, 4000,
         "launch attention 40 x 128\nlaunch attention_merge 480 x 128\n"},
        {10, 38, 4, 4000,
         "launch attention 19 x 128\nlaunch attention_merge 228 x 128\n"},
        {3, 2, 4, 1000,
         "launch attention 5 x 128\nlaunch attention_merge 24 x 128\n"},
        {3, 2, 6, 1000,
         "launch attention 6 x 64\nlaunch attention_merge 36 x 128\n"},
        {3, 2, 4, 100,
         "launch attention 2 x 128\nlaunch attention_merge 24 x 128\n"},
        {132, 2, 4, 500, "launch attention 6 x 256\n"}}) {
    ManyTasks many(multiprocessors);
    Result<AttentionKernel> kernel =
        AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
    ASSERT_TRUE(kernel) << kernel.error();
    TensorView query{memory.data(),
                     ElementType::BF16,
                     {1, 3 * keyHeads, queries, 64},
                     {3 * keyHeads * queries * 64, queries * 64, 64}};
    TensorView key = query;
    key.sizes[1] = keyHeads, key.sizes[2] = keys;
    key.strides[0] = keyHeads * keys * 64, key.strides[1] = keys * 64;
    fake.sequence.clear();
    Result<void> done =
        kernel->run(query, key, key, {}, query, nullptr, nullptr);
    ASSERT_TRUE(done) << done.error();
    EXPECT_EQ(fake.sequence, launch);
  }
}

/// 18 multiprocessors do 18 tiles of 128 rows at once, by 384 threads, sooner
/// than 12 of them tiles of 192, by 512; three have six of those to do or four
/// of these. The fake GPU refuses both, and says which.
TEST_F(CUDAKernelTest, FewRoundsOfTasksGetSmallerTiles) {
  for (auto [multiprocessors, block] :
       {std::pair<int, const char *>(18, "block 384x1x1"),
        {3, "block 512x1x1"}}) {
    ManyTasks manyTasks(multiprocessors);
    Result<AttentionKernel> kernel =
        AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
    ASSERT_TRUE(kernel) << kernel.error();
    std::vector<uint16_t> memory;
    Result<void> refused = run(*kernel, memory, 64, 1025);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find(block), std::string::npos)
        << multiprocessors << ": " << refused.error();
  }
}

/// Up to 1024 keys are a short row: with a mask, tiles of 128 queries, by 384
/// threads; longer rows take 192 by 512. The fake GPU refuses both, and says
/// which.
TEST_F(CUDAKernelTest, ShortRowsWithAMaskGetSmallerTiles) {
  ManyTasks manyTasks(3);
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
)",
                                    "causal.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Result<AttentionKernel> kernel =
      AttentionKernel::compile(*mod, specOf(ElementType::BF16));
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<uint16_t> memory;
  for (auto [length, block] :
       {std::pair<int64_t, const char *>(1024, "block 384x1x1"),
        {1025, "block 512x1x1"}}) {
    Result<void> refused = run(*kernel, memory, 64, length);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find(block), std::string::npos)
        << length << ": " << refused.error();
  }
}

/// Every function that finds tiles is launched with as many parameters as it
/// has; a real driver reads past the end of fewer.
TEST_F(CUDAKernelTest, ListsOfTilesAreLaunchedWithAllParameters) {
  ASSERT_TRUE(cuda::useDevice(0));
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @documents(%table: tensor<?xi32>, %n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %table[%q] : tensor<?xi32>
    %j = attn.load %table[%kv] : tensor<?xi32>
    %d = arith.subi %i, %j : i32
    %keep = arith.cmpi eq, %d, %n : i32
    attn.yield %keep : i1
  }
)",
                                    "documents.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Result<TileFinder> finder = TileFinder::compile(*mod, Target::CUDA, 64, 64);
  ASSERT_TRUE(finder) << finder.error();
  std::vector<int32_t> table(300);
  int32_t n = 0;
  std::vector<CaptureView> captures{{table.data(), {300}}, {&n, {}}};
  ProblemSizes sizes;
  sizes.queries = sizes.keys = 300;
  Result<TileLists> lists = finder->find(sizes, captures);
  ASSERT_TRUE(lists) << lists.error();
  Result<TileLists> again = finder->find(sizes, captures, nullptr, *lists);
  EXPECT_TRUE(again) << again.error();
  Result<TileLists> transposed = finder->transpose(*lists);
  EXPECT_TRUE(transposed) << transposed.error();
  Result<int64_t> pairs = finder->countPairs(sizes, captures);
  EXPECT_TRUE(pairs) << pairs.error();
}

TEST_F(CUDAKernelTest, WhatIsPreparedIsNotCompiledAgain) {
  FakeCUDA &fake = *useFakeCUDA();
  ManyTasks many(1);
  Result<AttentionKernel> kernel =
      AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
  ASSERT_TRUE(kernel) << kernel.error();
  int first = fake.loadedModules;
  ProblemSizes sizes;
  sizes.heads = 2, sizes.queries = sizes.keys = 300;
  Result<void> prepared = kernel->prepare(sizes);
  ASSERT_TRUE(prepared) << prepared.error();
  EXPECT_EQ(fake.loadedModules, first + 1); // the one for short rows
  ASSERT_TRUE(kernel->prepare(sizes));
  EXPECT_EQ(fake.loadedModules, first + 1);
  prepared = kernel->prepare();
  ASSERT_TRUE(prepared) << prepared.error();
  int all = fake.loadedModules;
  EXPECT_GT(all, first + 1);
  for (int64_t length : {1, 64, 300, 2000}) {
    std::vector<uint16_t> memory;
    (void)run(*kernel, memory, 64, length); // refused by this GPU
    EXPECT_EQ(fake.loadedModules, all) << length;
  }
}

TEST_F(CUDAKernelTest, WhatIsPreparedNeitherAllocatesNorWaits) {
  FakeCUDA &fake = *useFakeCUDA();
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>, "
                  "roles = <warps = 4, producers = 4>, "
                  "pipeline = <persistent>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<uint16_t> memory;
  int memoryCalls = fake.memoryCalls;
  fake.sequence.clear();
  Result<void> done = run(*kernel, memory, 64, 64);
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(fake.memoryCalls, memoryCalls);
  EXPECT_EQ(fake.sequence, "launch attention 2 x 256\n");
}

TEST_F(CUDAKernelTest, AStreamCaptureTakesWhatIsPrepared) {
  FakeCUDA &fake = *useFakeCUDA();
  ManyTasks many(1);
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule =
      "#attn.variants<[<short_rows(100) -> <tiling = <q = 64, kv = 32>>>, "
      "<always -> <tiling = <q = 64, kv = 16>>>]>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  int stream = 0;
  std::vector<uint16_t> memory;
  fake.isCapturing = true;
  Result<void> unprepared = run(*kernel, memory, 64, 100, &stream);
  Result<void> compiled = run(*kernel, memory, 64, 101, &stream);
  fake.isCapturing = false;
  ProblemSizes sizes;
  sizes.queries = sizes.keys = 100;
  Result<void> prepared = kernel->prepare(sizes);
  fake.isCapturing = true;
  Result<void> done = run(*kernel, memory, 64, 100, &stream);
  fake.isCapturing = false;
  ASSERT_FALSE(unprepared);
  EXPECT_EQ(unprepared.error(),
            "expects AttentionKernel::prepare() for batch size 1, number of "
            "heads 2, number of key heads 2, number of queries 100, number of "
            "keys 100 and this memory before a stream capture: what they take "
            "is not compiled yet");
  EXPECT_TRUE(compiled) << compiled.error();
  EXPECT_TRUE(prepared) << prepared.error();
  EXPECT_TRUE(done) << done.error();
}

TEST_F(CUDAKernelTest, AStreamCaptureIsGivenItsLists) {
  FakeCUDA &fake = *useFakeCUDA();
  Result<Mod> mod = documentMod();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  int stream = 0;
  std::vector<uint16_t> memory(2 * 128 * 64);
  std::vector<int32_t> ids(128);
  TensorView view;
  view.data = memory.data();
  view.type = ElementType::BF16;
  view.sizes = {1, 2, 128, 64};
  view.strides = {2 * 128 * 64, 128 * 64, 64};
  std::vector<CaptureView> captures{{ids.data(), {128}}};
  ProblemSizes sizes;
  sizes.heads = 2, sizes.queries = sizes.keys = 128;
  Result<TileLists> lists = kernel->findTiles(sizes, captures);
  ASSERT_TRUE(lists) << lists.error();
  auto launch = [&](const TileLists *tiles) {
    return kernel->run(view, view, view, captures, view, nullptr, &stream,
                       tiles);
  };
  fake.isCapturing = true;
  Result<void> without = launch(nullptr), with = launch(&*lists);
  fake.isCapturing = false;
  EXPECT_FALSE(without);
  EXPECT_EQ(without.error(), "expects lists of tiles "
                             "(AttentionKernel::findTiles) for a launch in a "
                             "stream capture");
  EXPECT_TRUE(with) << with.error();
  without = launch(nullptr);
  EXPECT_TRUE(without) << without.error();
}

/// Each variant has the pipeline of its own family; other memory takes what is
/// left for it.
TEST_F(CUDAKernelTest, SomeVariantsMayHaveProducers) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule = "#attn.variants<[<short_rows(100) -> <tiling = <q = 64, kv = "
                  "32>, roles = <warps = 4, producers = 4>>>, <always -> "
                  "<tiling = <q = 32, kv = 16>>>]>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_EQ(launchesOf(*kernel, 64, 64), "launch attention 2 x 256\n");
  EXPECT_EQ(launchesOf(*kernel, 65, 64), "launch attention 4 x 32\n");
  EXPECT_EQ(launchesOf(*kernel, 64, 128), "launch attention 8 x 32\n");
}

/// The whole plan by hand, with guards that ask for memory.
TEST_F(CUDAKernelTest, GuardsAskForMemory) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule =
      "#attn.variants<[<short_rows(100) and aligned -> <tiling = <q = 64, kv = "
      "32>>>, "
      "<always -> <tiling = <q = 32, kv = 16>, pipeline = <unaligned>>>]>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_NE(kernel->schedule().find("unaligned"), std::string::npos);
  EXPECT_EQ(launchesOf(*kernel, 64, 64), "launch attention 2 x 32\n");
  EXPECT_EQ(launchesOf(*kernel, 65, 64), "launch attention 4 x 32\n");
  EXPECT_EQ(launchesOf(*kernel, 64, 128), "launch attention 8 x 32\n");
}

/// Few queries, few tasks, few rounds and short rows of up to 1024 positions;
/// what is longer takes the kernel that compile() made.
TEST_F(CUDAKernelTest, WhatARangeTakesIsPrepared) {
  FakeCUDA &fake = *useFakeCUDA();
  ManyTasks many(3);
  Result<AttentionKernel> kernel =
      AttentionKernel::compile(plainMod(), specOf(ElementType::BF16));
  ASSERT_TRUE(kernel) << kernel.error();
  int first = fake.loadedModules;
  SizeRange range;
  range.smallest.heads = range.largest.heads = 2;
  range.smallest.queries = range.smallest.keys = 200;
  range.largest.queries = range.largest.keys = 1024;
  Result<void> prepared = kernel->prepare(range);
  ASSERT_TRUE(prepared) << prepared.error();
  int loaded = fake.loadedModules;
  EXPECT_EQ(loaded, first + 2); // tasks are never few
  std::vector<uint16_t> memory;
  for (int64_t length : {200, 256, 384, 576, 1000, 1024}) {
    (void)run(*kernel, memory, 64, length); // refused by this GPU
    EXPECT_EQ(fake.loadedModules, loaded) << length;
  }
  int stream = 0;
  fake.isCapturing = true;
  Result<void> outside = run(*kernel, memory, 64, 64, &stream);
  fake.isCapturing = false;
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error(),
            "expects AttentionKernel::prepare() for batch size 1, number of "
            "heads 2, number of key heads 2, number of queries 64, number of "
            "keys 64 and this memory before a stream capture: what they take "
            "is not compiled yet");
  range.smallest.queries = range.smallest.keys = 1;
  prepared = kernel->prepare(range);
  ASSERT_TRUE(prepared) << prepared.error();
  // Few tasks of at most 512 keys and of more, and 16, 32 and 64 rows, each with
  // a kernel that merges.
  EXPECT_EQ(fake.loadedModules, loaded + 8);
  for (int64_t length : {64, 16, 1})
    (void)run(*kernel, memory, 64, length);
  EXPECT_EQ(fake.loadedModules, loaded + 8);
}

TEST_F(CUDAKernelTest, ARangeBeginsBeforeItEnds) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  SizeRange range;
  range.smallest.queries = 300, range.largest.queries = 200;
  Result<void> prepared = kernel->prepare(range);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error(),
            "expects a largest number of queries to prepare for of at least "
            "the smallest, 300, got 200");
  range.smallest.queries = -1;
  prepared = kernel->prepare(range);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error(), "expects a number of queries of at least 0 to "
                              "prepare for, got -1");
}

TEST_F(CUDAKernelTest, TheDeviceIsSaid) {
  std::thread([] {
    KernelSpec spec = specOf(ElementType::F32);
    spec.device.reset();
    Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().find("no CUDA context is current"), 0u)
        << kernel.error();
    spec.device = 3;
    EXPECT_EQ(AttentionKernel::compile(plainMod(), spec).error(),
              "there is no GPU 3");
    EXPECT_EQ(AttentionKernel::check(plainMod(), spec).error(),
              "there is no GPU 3");
  }).join();
}

TEST_F(CUDAKernelTest, AKernelRunsFromAnyThread) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.portable = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::thread([&] {
    ASSERT_EQ(cuda::currentContext(), nullptr);
    std::vector<uint16_t> memory;
    Result<void> done = run(*kernel, memory, 64);
    EXPECT_TRUE(done) << done.error();
    done = run(*kernel, memory, 65); // compiles the one for any rows
    EXPECT_TRUE(done) << done.error();
    EXPECT_EQ(cuda::currentContext(), nullptr);
  }).join();
}
