// What a launch of gradients needs on a GPU, without a GPU: kernels that are
// prepared, memory that is given, and what it says where something is missing.
// The fake GPU takes any PTX and lets a block have 256 threads.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Gradient.h"
#include "attn/Runtime/CUDADriver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

using namespace attn;
using attn::cuda::FakeCUDA;

namespace {

class GradientKernelTest : public testing::Test {
protected:
  FakeCUDA &fake = *useFakeCUDA();
};

Mod modOf(const char *source) {
  Result<Mod> mod = Mod::fromSource(source, "mod.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

constexpr const char *plain = "attn.mod @noop";
/// Whose tiles come from lists.
constexpr const char *documents = R"(
attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
)";

KernelSpec specOf(ElementType type) {
  KernelSpec spec;
  spec.target = Target::CUDA;
  spec.device = 0;
  spec.type = type;
  return spec;
}

/// Kernels that are compiled fast, and that the fake GPU launches.
KernelSpec smallSpec() {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.headDim = spec.valueDim = 16;
  spec.schedule = "[#attn.schedule<tiling = <q = 16, kv = 16>>, "
                  "#attn.schedule<tiling = <q = 16, kv = 16, owns_keys>>]";
  return spec;
}

/// One for all tests to which it does not matter what was prepared before.
const GradientKernel &ofDocuments() {
  static Result<GradientKernel> kernel =
      GradientKernel::compile(modOf(documents), smallSpec());
  EXPECT_TRUE(kernel) << kernel.error();
  return *kernel;
}

/// The arguments of 2 heads, `length` positions and 16 channels of bf16, in
/// memory that is used for all of them.
struct Arguments : GradientArguments {
  explicit Arguments(int64_t length, int64_t stride = 16)
      : memory(2 * length * stride), rows(2 * length), ids(2 * length) {
    for (TensorView *view : {&query, &key, &value, &out, &gradOut, &gradQuery,
                             &gradKey, &gradValue}) {
      view->data = memory.data();
      view->type = ElementType::BF16;
      view->sizes = {1, 2, length, 16};
      view->strides = {2 * length * stride, length * stride, stride};
    }
    sizes.heads = sizes.kvHeads = 2;
    sizes.queries = sizes.keys = length;
    lse = rows.data(), stream = &memory;
  }
  void giveWorkspace(const GradientKernel &kernel) {
    workspaceBytes = kernel.workspaceBytes(sizes, captures);
    // The vector's memory is aligned to 16 bytes.
    space.resize(workspaceBytes / sizeof(float));
    workspace = space.data();
  }
  /// Of `documents`, `stride` apart.
  void giveCaptures(int64_t stride = 1) {
    captures = {{ids.data(), {sizes.keys}, {stride}}};
  }

  std::vector<uint16_t> memory;
  std::vector<float> rows, space;
  std::vector<int32_t> ids;
  ProblemSizes sizes;
};

std::string errorOf(const Result<void> &result) {
  return result ? "" : result.error();
}

std::string errorOfCapture(const GradientKernel &kernel,
                           const GradientArguments &a) {
  useFakeCUDA()->isCapturing = true;
  Result<void> ran = kernel.run(a);
  useFakeCUDA()->isCapturing = false;
  return errorOf(ran);
}

/// Of a launch of `length` positions.
std::string unprepared(int64_t length) {
  std::string count = std::to_string(length);
  return "expects GradientKernel::prepare() for batch size 1, number of heads "
         "2, number of key heads 2, number of queries " +
         count + ", number of keys " + count +
         " and this memory before a stream capture: what they take is not "
         "compiled yet";
}

} // namespace

TEST_F(GradientKernelTest, WhatIsPreparedNeitherCompilesNorAllocatesNorWaits) {
  Mod mod = modOf(documents);
  Result<GradientKernel> kernel = GradientKernel::compile(mod, smallSpec());
  ASSERT_TRUE(kernel) << kernel.error();
  Arguments a(128);
  a.giveCaptures();
  Result<void> prepared = kernel->prepare(a.sizes);
  ASSERT_TRUE(prepared) << prepared.error();
  int modules = fake.loadedModules;
  Result<GradientTiles> tiles = kernel->findTiles(a.sizes, a.captures);
  ASSERT_TRUE(tiles) << tiles.error();
  EXPECT_EQ(tiles->lists.size(), 2u);
  EXPECT_EQ(fake.loadedModules, modules); // those that find lists are there
  a.giveWorkspace(*kernel);
  a.tiles = &*tiles;
  int memoryCalls = fake.memoryCalls;
  fake.sequence.clear();
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  EXPECT_EQ(fake.loadedModules, modules);
  EXPECT_EQ(fake.memoryCalls, memoryCalls);
  EXPECT_EQ(fake.sequence, "launch attention_grad_query 16 x 32\n"
                           "launch attention_grad_key 16 x 32\n");
}

TEST_F(GradientKernelTest, AStreamCaptureIsGivenItsMemory) {
  const GradientKernel &kernel = ofDocuments();
  Arguments a(128);
  a.giveCaptures();
  EXPECT_EQ(errorOfCapture(kernel, a),
            "expects a workspace of 2048 bytes for a launch in a stream "
            "capture, got none");
  a.giveWorkspace(kernel);
  EXPECT_EQ(errorOfCapture(kernel, a),
            "expects lists of tiles (GradientKernel::findTiles) for a launch "
            "in a stream capture");
  Result<GradientTiles> tiles = kernel.findTiles(a.sizes, a.captures);
  ASSERT_TRUE(tiles) << tiles.error();
  a.tiles = &*tiles;
  EXPECT_EQ(errorOfCapture(kernel, a), "");
}

TEST_F(GradientKernelTest, AStreamCaptureTakesWhatIsPrepared) {
  Result<GradientKernel> kernel =
      GradientKernel::compile(modOf(plain), smallSpec());
  ASSERT_TRUE(kernel) << kernel.error();
  Arguments aligned(64), misaligned(64, 65);
  aligned.giveWorkspace(*kernel), misaligned.giveWorkspace(*kernel);
  EXPECT_EQ(errorOfCapture(*kernel, aligned), "");
  EXPECT_EQ(errorOfCapture(*kernel, misaligned), unprepared(64));
  // For the memory that the spec names, not for this.
  ASSERT_TRUE(kernel->prepare());
  EXPECT_EQ(errorOfCapture(*kernel, misaligned), unprepared(64));
  Result<void> prepared = kernel->prepare(misaligned);
  ASSERT_TRUE(prepared) << prepared.error();
  EXPECT_EQ(errorOfCapture(*kernel, misaligned), "");
}

TEST_F(GradientKernelTest, CapturesWithStridesArePreparedAsWell) {
  Result<GradientKernel> kernel =
      GradientKernel::compile(modOf(documents), smallSpec());
  ASSERT_TRUE(kernel) << kernel.error();
  Arguments a(128);
  a.giveWorkspace(*kernel);
  a.giveCaptures(/*stride=*/2);
  Result<GradientTiles> tiles = kernel->findTiles(a.sizes, a.captures);
  ASSERT_TRUE(tiles) << tiles.error();
  a.tiles = &*tiles;
  EXPECT_EQ(errorOfCapture(*kernel, a), unprepared(128));
  ASSERT_TRUE(kernel->prepare(a));
  EXPECT_EQ(errorOfCapture(*kernel, a), "");
}

/// A kernel for sm_90a goes to every GPU's where TMA does not take a tensor.
TEST_F(GradientKernelTest, WhatTMADoesNotTakeIsPreparedWithTheArguments) {
  KernelSpec spec = specOf(ElementType::BF16);
  spec.headDim = spec.valueDim = 16;
  Result<GradientKernel> kernel = GradientKernel::compile(modOf(plain), spec);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_NE(kernel->schedule().find("producers"), std::string::npos);
  Arguments a(64);
  a.giveWorkspace(*kernel);
  a.query.strides[1] = int64_t(1) << 44;
  EXPECT_EQ(errorOfCapture(*kernel, a), unprepared(64));
  ASSERT_TRUE(kernel->prepare(a));
  int modules = fake.loadedModules;
  EXPECT_NE(errorOfCapture(*kernel, a), unprepared(64));
  EXPECT_EQ(fake.loadedModules, modules);
}

TEST_F(GradientKernelTest, AWorkspaceOfARangeSufficesForAllOfIt) {
  // Elements of the first are owned by heads, those of the second by queries;
  // all pairs add to the third.
  Result<GradientKernel> kernel =
      GradientKernel::compile(modOf(R"(
attn.mod @tables(%slopes: tensor<?xf32>, %rows: tensor<?xf32>, %factor: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %slopes[%h] : tensor<?xf32>
    %y = attn.load %rows[%q] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %z = arith.mulf %x, %f : f32
    %w = arith.mulf %y, %f : f32
    %v = arith.mulf %s, %factor : f32
    %t = arith.addf %z, %w : f32
    %u = arith.addf %t, %v : f32
    attn.yield %u : f32
  }
)"),
                              smallSpec(), {"slopes", "rows", "factor"});
  ASSERT_TRUE(kernel) << kernel.error();
  auto bytesOf = [&](const auto &sizes, const ProblemSizes &captured) {
    return kernel->workspaceBytes(sizes, {{nullptr, {captured.heads}},
                                          {nullptr, {captured.queries}},
                                          {nullptr, {}}});
  };
  SizeRange range;
  range.smallest.heads = 1, range.largest.heads = 40;
  range.largest.queries = 5000, range.largest.keys = 3000;
  range.largest.batch = 3;
  int64_t all = bytesOf(range, range.largest), most = 0;
  ProblemSizes sizes;
  for (sizes.batch = 1; sizes.batch <= 3; ++sizes.batch)
    for (sizes.heads = 1; sizes.heads <= 40; sizes.heads += 13)
      for (sizes.queries = 0; sizes.queries <= 5000; sizes.queries += 125)
        for (sizes.keys = 0; sizes.keys <= 3000; sizes.keys += 1500)
          for (const ProblemSizes &captured : {sizes, range.largest}) {
            int64_t bytes = bytesOf(sizes, captured);
            EXPECT_LE(bytes, all) << sizes.batch << " " << sizes.heads << " "
                                  << sizes.queries << " " << sizes.keys;
            most = std::max(most, bytes);
          }
  // Nor much more.
  EXPECT_LE(all, 2 * most);
  // Without captures it is that of the largest.
  const GradientKernel &without = ofDocuments();
  EXPECT_EQ(without.workspaceBytes(range),
            without.workspaceBytes(range.largest));
}

TEST_F(GradientKernelTest, WhatARangeTakesIsPrepared) {
  Result<GradientKernel> kernel =
      GradientKernel::compile(modOf(documents), smallSpec());
  ASSERT_TRUE(kernel) << kernel.error();
  SizeRange range;
  range.smallest.heads = range.largest.heads = 2;
  range.smallest.queries = range.smallest.keys = 200;
  range.largest.queries = range.largest.keys = 100;
  EXPECT_EQ(errorOf(kernel->prepare(range)),
            "expects a largest number of queries to prepare for of at least "
            "the smallest, 200, got 100");
  range.smallest.queries = range.smallest.keys = 16;
  Result<void> prepared = kernel->prepare(range);
  ASSERT_TRUE(prepared) << prepared.error();
  int modules = fake.loadedModules;
  std::vector<float> space(kernel->workspaceBytes(range) / sizeof(float));
  for (int64_t length : {16, 33, 100}) {
    Arguments a(length);
    a.giveCaptures();
    a.workspace = space.data();
    a.workspaceBytes = kernel->workspaceBytes(range);
    Result<GradientTiles> tiles = kernel->findTiles(a.sizes, a.captures);
    ASSERT_TRUE(tiles) << tiles.error();
    a.tiles = &*tiles;
    EXPECT_EQ(errorOfCapture(*kernel, a), "") << length;
  }
  EXPECT_EQ(fake.loadedModules, modules);
}

TEST_F(GradientKernelTest, AWorkspaceIsLargeEnoughAndAligned) {
  const GradientKernel &kernel = ofDocuments();
  Arguments a(128);
  a.giveCaptures();
  a.giveWorkspace(kernel);
  fake.sequence.clear();
  --a.workspaceBytes;
  EXPECT_EQ(errorOf(kernel.run(a)),
            "expects a workspace of at least 2048 bytes, got 2047");
  a.workspaceBytes += 8;
  a.workspace = a.space.data() + 1;
  EXPECT_EQ(errorOf(kernel.run(a)), "expects a workspace aligned to 16 bytes");
  EXPECT_EQ(fake.sequence, "");
}

TEST_F(GradientKernelTest, ListsAreForTheSameProblem) {
  const GradientKernel &kernel = ofDocuments();
  Arguments a(128), longer(192);
  a.giveCaptures(), longer.giveCaptures();
  Result<GradientTiles> tiles = kernel.findTiles(longer.sizes, longer.captures);
  ASSERT_TRUE(tiles) << tiles.error();
  a.tiles = &*tiles;
  EXPECT_EQ(errorOf(kernel.run(a)),
            "expects 'tiles' number of queries 128, got 192");
}

/// Nothing is launched on memory that is not the GPU's.
TEST_F(GradientKernelTest, MemoryIsThatOfTheKernelsGPU) {
  const GradientKernel &kernel = ofDocuments();
  Arguments a(128);
  a.giveCaptures();
  std::vector<uint16_t> elsewhere(2 * 128 * 64);
  auto address = reinterpret_cast<unsigned long long>(elsewhere.data());
  auto errorWith = [&](const std::function<void(GradientArguments &)> &move) {
    GradientArguments moved = a;
    move(moved);
    fake.sequence.clear();
    std::string error = errorOf(kernel.run(moved));
    EXPECT_EQ(fake.sequence, "");
    return error;
  };
  fake.memoryOfGPU1 = address;
  EXPECT_EQ(errorWith([&](auto &a) { a.gradOut.data = elsewhere.data(); }),
            "expects 'gradOut' in memory of GPU 0, got memory of GPU 1");
  EXPECT_EQ(errorWith([&](auto &a) { a.out.data = elsewhere.data(); }),
            "expects 'out' in memory of GPU 0, got memory of GPU 1");
  fake.memoryOfGPU1 = 0;
  fake.unknownMemory = address;
  EXPECT_EQ(errorWith([&](auto &a) {
              a.lse = reinterpret_cast<float *>(elsewhere.data());
            }),
            "expects 'lse' in memory of GPU 0, got memory of the host, which "
            "the driver does not know");
  EXPECT_EQ(errorWith([&](auto &a) { a.captures[0].data = elsewhere.data(); }),
            "expects 'ids' in memory of GPU 0, got memory of the host, which "
            "the driver does not know");
  fake.unknownMemory = 0;
}

TEST_F(GradientKernelTest, TheDeviceIsSaid) {
  std::thread([] {
    KernelSpec spec = specOf(ElementType::F32);
    spec.device.reset();
    Result<GradientKernel> kernel = GradientKernel::compile(modOf(plain), spec);
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().find("no CUDA context is current"), 0u)
        << kernel.error();
    spec.device = 3;
    EXPECT_EQ(GradientKernel::compile(modOf(plain), spec).error(),
              "there is no GPU 3");
  }).join();
}

TEST_F(GradientKernelTest, HandWrittenSchedulesDecide) {
  auto errorOf = [&](const std::string &schedules, KernelSpec spec) {
    spec.schedule = schedules;
    Result<GradientKernel> kernel = GradientKernel::compile(modOf(plain), spec);
    return kernel ? "" : kernel.error();
  };
  const std::string roles =
      "[#attn.schedule<tiling = <q = 64, kv = 64>, "
      "roles = <warps = 4, producers = 4>>, "
      "#attn.schedule<tiling = <q = 64, kv = 64, owns_keys>, "
      "roles = <warps = 4, producers = 4>>]";
  KernelSpec spec = specOf(ElementType::BF16);
  EXPECT_EQ(errorOf(roles, spec), "");
  EXPECT_EQ(errorOf("#attn.schedule<tiling = <q = 32, kv = 16>>", spec), "");
  EXPECT_EQ(errorOf("[#attn.schedule<tiling = <q = 64, kv = 64>>, "
                    "#attn.schedule<tiling = <q = 64, kv = 64, owns_keys>, "
                    "roles = <warps = 4, producers = 4>>]",
                    spec),
            "expects schedules that all have producers, or none");
  spec.portable = true;
  EXPECT_EQ(errorOf(roles, spec),
            "expects a schedule without producers: only GPUs of compute "
            "capability 9.0 run those");
  spec.portable = false;
  spec.type = ElementType::F32;
  EXPECT_EQ(errorOf(roles, spec),
            "expects a schedule without producers for f32 or rows that do not "
            "start at multiples of 16 bytes");
}
