// Packages: what is loaded is what was saved, gives the bits of the kernel that
// is compiled in the process, and is refused if it is damaged.
#include "../../../lib/Launch/PackageImpl.h"
#include "../Doubles/FakeCUDADriver.h"
#include "Object.h"
#include "Problem.h"

#include "attn/Runtime/CUDADriver.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

namespace {

KernelPackage compiled(const Mod &mod, const PackageSpec &spec) {
  auto package = KernelPackage::compile(mod, spec);
  EXPECT_TRUE(package) << package.error();
  return *package;
}

/// Through bytes.
KernelPackage reloaded(const KernelPackage &package) {
  std::string bytes = package.save();
  auto loaded = KernelPackage::load(bytes);
  EXPECT_TRUE(loaded) << loaded.error();
  EXPECT_TRUE(loaded->save() == bytes);
  return *loaded;
}

/// A problem's operands in memory of the fake GPU, which the host reads.
struct GPUProblem {
  explicit GPUProblem(Problem &problem) : arguments(problem.forward()) {
    arguments.lse = nullptr;
    arguments.query.data = moved(problem.query.data(), problem.query.size());
    arguments.key.data = moved(problem.key.data(), problem.key.size());
    arguments.value.data = moved(problem.value.data(), problem.value.size());
    arguments.out.data = moved(problem.out.data(), problem.out.size());
    for (size_t i = 0; i < problem.captures.size(); ++i)
      arguments.captures[i].data = moved(problem.captures[i].bytes.data(),
                                         problem.captures[i].bytes.size());
  }

  void *moved(const void *data, size_t bytes) {
    auto buffer = cuda::Buffer::allocate(static_cast<int64_t>(bytes));
    EXPECT_TRUE(buffer);
    buffers.push_back(std::move(*buffer));
    std::memcpy(buffers.back().data(), data, bytes);
    return buffers.back().data();
  }
  std::vector<char> out(const Problem &problem) const {
    auto *data = static_cast<const char *>(arguments.out.data);
    return {data, data + problem.out.size()};
  }

  AttentionArguments arguments;
  std::vector<cuda::Buffer> buffers;
};

std::vector<char> runOnGPU(const AttentionKernel &kernel, Problem &problem) {
  GPUProblem on(problem);
  Result<void> ran = kernel.run(on.arguments);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error());
  return on.out(problem);
}

/// By the functions of an object, tiles and workspace first.
std::vector<char> runOnGPU(const KernelPackage &package, Problem &problem) {
  GPUProblem on(problem);
  Object object({package});
  EXPECT_EQ(attn_aot_load(&object.kernels, 0), ATTN_AOT_OK) << why();
  struct {
    attn_aot_args common;
    attn_aot_capture captures[4];
  } args{argsOf(on.arguments), {}};
  size_t count = on.arguments.captures.size();
  for (size_t i = 0; i < count; ++i)
    args.captures[i] = {on.arguments.captures[i].data,
                        on.arguments.captures[i].sizes.data(), nullptr};
  args.common.size += count * sizeof(attn_aot_capture);
  args.common.device = 0;
  void *tiles = nullptr;
  EXPECT_EQ(attn_aot_find_tiles(&object.kernels, &args.common, nullptr, &tiles),
            ATTN_AOT_OK)
      << why();
  EXPECT_EQ(tiles != nullptr, package.needsTileLists());
  args.common.tiles = tiles;
  int64_t bytes = -1;
  EXPECT_EQ(attn_aot_prepare(&object.kernels, &args.common), ATTN_AOT_OK);
  EXPECT_EQ(attn_aot_workspace_bytes(&object.kernels, &args.common, &bytes),
            ATTN_AOT_OK);
  std::vector<char> zeros(bytes + 16);
  void *workspace = on.moved(zeros.data(), zeros.size());
  int before = useFakeCUDA()->memoryCalls;
  EXPECT_EQ(attn_aot_forward(&object.kernels, &args.common, workspace, bytes,
                             nullptr),
            ATTN_AOT_OK)
      << why();
  EXPECT_EQ(useFakeCUDA()->memoryCalls, before); // nothing is allocated
  attn_aot_free_tiles(tiles);
  return on.out(problem);
}

struct Case {
  const char *mod;
  ElementType type;
  int64_t headDim, queries, keys;
  std::vector<std::string> wrt;
};

class PackageBits : public testing::TestWithParam<Case> {};

TEST_P(PackageBits, AreThoseOfTheProcess) {
  const Case &c = GetParam();
  Mod mod = readMod(c.mod);
  PackageSpec spec = cpuSpec(c.type, c.headDim);
  spec.kernel.lse = spec.gradients = true;
  spec.wrt = c.wrt;
  KernelPackage package = reloaded(compiled(mod, spec));
  EXPECT_EQ(package.captures().size(), mod.captures().size());

  auto here = AttentionKernel::compile(mod, spec.kernel);
  auto there = package.kernel();
  ASSERT_TRUE(here) << here.error();
  ASSERT_TRUE(there) << there.error();
  EXPECT_EQ(here->schedule(), there->schedule());
  EXPECT_EQ(here->needsTileLists(), package.needsTileLists());
  Problem a(mod, spec.kernel, c.queries, c.keys);
  Problem b(mod, spec.kernel, c.queries, c.keys);
  ASSERT_TRUE(here->run(a.forward()));
  ASSERT_TRUE(there->run(b.forward()));
  EXPECT_TRUE(a.out == b.out && a.lse == b.lse);
  EXPECT_FALSE(a.out == Problem(mod, spec.kernel, c.queries, c.keys).out);

  auto gradientHere = GradientKernel::compile(mod, spec.kernel, c.wrt);
  auto gradientThere = package.gradients();
  ASSERT_TRUE(gradientHere) << gradientHere.error();
  ASSERT_TRUE(gradientThere) << gradientThere.error();
  ASSERT_TRUE(gradientHere->run(a.backward(package.wrt())));
  ASSERT_TRUE(gradientThere->run(b.backward(package.wrt())));
  EXPECT_TRUE(a.gradQuery == b.gradQuery && a.gradKey == b.gradKey &&
              a.gradValue == b.gradValue);
  EXPECT_TRUE(a.gradCaptures == b.gradCaptures);
}

INSTANTIATE_TEST_SUITE_P(
    All, PackageBits,
    testing::Values(Case{"alibi", ElementType::F32, 8, 70, 90, {"slopes"}},
                    Case{"document_mask", ElementType::BF16, 8, 150, 150, {}}),
    [](const auto &info) { return std::string(info.param.mod); });

struct GPUCase {
  const char *name, *made, *mod, *schedule;
  int64_t headDim, length;
};

class GPUPackageBits : public testing::TestWithParam<GPUCase> {};

/// On the PTX machine.
TEST_P(GPUPackageBits, AreThoseOfTheProcess) {
  const GPUCase &c = GetParam();
  useFakeCUDA()->runsKernels = true;
  ASSERT_TRUE(cuda::useDevice(0));
  Mod mod = readMod(c.mod);
  PackageSpec spec = cpuSpec(ElementType::BF16, c.headDim);
  spec.made = c.made;
  spec.kernel.schedule = c.schedule;
  KernelPackage package = reloaded(compiled(mod, spec));
  spec.kernel.target = Target::CUDA, spec.kernel.device = 0;
  spec.kernel.portable = spec.made == "sm80";
  auto here = AttentionKernel::compile(mod, spec.kernel);
  auto there = package.kernel(0);
  ASSERT_TRUE(here) << here.error();
  ASSERT_TRUE(there) << there.error();
  EXPECT_EQ(here->schedule(), there->schedule());
  Problem problem(mod, spec.kernel, c.length, c.length);
  std::vector<char> a = runOnGPU(*here, problem);
  EXPECT_TRUE(a == runOnGPU(*there, problem));
  EXPECT_TRUE(a == runOnGPU(package, problem));
  EXPECT_FALSE(a == problem.out);
  useFakeCUDA()->runsKernels = false;
}

INSTANTIATE_TEST_SUITE_P(
    All, GPUPackageBits,
    testing::Values(
        GPUCase{"Portable", "sm80", "causal",
                "#attn.schedule<tiling = <q = 64, kv = 64>>", 16, 70},
        GPUCase{"Lists", "sm80", "document_mask",
                "#attn.schedule<tiling = <q = 64, kv = 64>>", 16, 70},
        GPUCase{"Hopper", "sm90a", "noop",
                "#attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = "
                "4, producers = 4>, pipeline = <stages = 2>>",
                64, 70}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(Package, RefusesWhatIsDamaged) {
  KernelPackage package =
      compiled(readMod("noop"), cpuSpec(ElementType::F32, 8));
  std::string bytes = package.save();
  for (size_t size = 0; size < bytes.size(); size += bytes.size() / 50)
    EXPECT_FALSE(KernelPackage::load(bytes.substr(0, size))) << size;
  for (size_t at = 0; at < bytes.size(); at += bytes.size() / 50) {
    std::string other = bytes;
    other[at] ^= 4;
    EXPECT_FALSE(KernelPackage::load(other)) << at;
  }
  EXPECT_EQ(KernelPackage::load("attn-image 2\n").error(),
            "this is no package of kernels");
  EXPECT_EQ(KernelPackage::load("attn-package 99\n").error(),
            "expects a package of version 2, got 99");
  EXPECT_EQ(KernelPackage::load("attn-package 2\nchecksum 0\n").error(),
            "the package is not whole: its checksum differs");
  EXPECT_EQ(package.gradients().error(),
            "expects a package with gradients, got one of '@noop' without");
}

/// Names and schedules are whatever somebody wrote.
TEST(Package, SavesAnyText) {
  Result<Mod> mod =
      Mod::fromSource("attn.mod @\"a\\0Ab\\00c\\\\n d\"", "odd.mlir");
  ASSERT_TRUE(mod) << mod.error();
  PackageSpec spec = cpuSpec(ElementType::F32, 8);
  spec.kernel.schedule = "#attn.schedule<\n  tiling = <q = 64,\n kv = 64>>";
  KernelPackage package = compiled(*mod, spec);
  std::string bytes = package.save();
  Result<KernelPackage> loaded = KernelPackage::load(bytes);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->modName(), std::string("a\nb\0c\\n d", 9));
  EXPECT_EQ(loaded->spec().schedule, spec.kernel.schedule);
  EXPECT_EQ(loaded->save(), bytes);
}

/// Those for every GPU are taken on Hopper too, where rows are few; those that
/// come behind what takes all the rest are not.
TEST(Package, AloneHasAllThatHopperTakes) {
  PackageSpec spec = cpuSpec(ElementType::BF16, 16);
  spec.made = "sm90a", spec.ptxas.clear(), spec.fallback = false;
  KernelPackage package = compiled(readMod("causal"), spec);
  const PackagedKernels &kernels = package.impl().forward;
  size_t packed = 0;
  bool isRestTaken = false; // by one that asks for no sizes
  for (size_t i = 0; i < kernels.variants.size(); ++i) {
    std::string guard = toString(kernels.description.plan[i]);
    bool isOfSM90a = guard.find("sm90a") != guard.npos;
    bool isMade = !kernels.variants[i].images.empty();
    EXPECT_EQ(isMade, isOfSM90a || !isRestTaken) << guard;
    packed += guard.find("packed_rows") != guard.npos;
    isRestTaken |= isOfSM90a && guard.find('(') == guard.npos;
  }
  EXPECT_GT(packed, 0u);
  EXPECT_TRUE(isRestTaken);
}

TEST(Package, RefusesWhatCannotBeMade) {
  Mod mod = readMod("noop");
  PackageSpec spec = cpuSpec(ElementType::F32, 64);
  spec.made = "sm70";
  EXPECT_EQ(KernelPackage::compile(mod, spec).error(),
            "expects target cpu, sm80 or sm90a, got 'sm70'");
  spec.made = "cpu", spec.cpu = "pentium9";
  EXPECT_EQ(KernelPackage::compile(mod, spec).error(),
            "expects the name of a CPU such as x86-64-v3, got 'pentium9'");
  // There is no kernel of f32 for sm90a alone.
  spec.made = "sm90a", spec.fallback = false;
  EXPECT_EQ(KernelPackage::compile(mod, spec).error(),
            "expects kernels for sm90a alone, but there are none of this type "
            "and these dimensions: only those for every GPU");
  spec.made = "sm80";
  spec.kernel.schedule = "#attn.schedule<tiling = <q = 128, kv = 128>, roles = "
                         "<warps = 8, producers = 4>, pipeline = <stages = 2>>";
  EXPECT_EQ(KernelPackage::compile(mod, spec).error(),
            "expects a schedule without producers for sm80");
  spec.kernel.schedule = "#attn.schedule<tiling = <q = 16, kv = 64, shares>, "
                         "pipeline = <dependent>>";
  EXPECT_EQ(KernelPackage::compile(mod, spec).error(),
            "expects a schedule without 'dependent' for sm80");
}

} // namespace
