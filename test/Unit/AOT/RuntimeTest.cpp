// The C functions behind generated objects: what they refuse, with which code.
#include "../../../lib/Launch/PackageImpl.h"
#include "../Doubles/FakeCUDADriver.h"
#include "Object.h"
#include "Problem.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

namespace {

/// Compiled once: without captures, with gradients.
const KernelPackage &causal() {
  static const KernelPackage package = [] {
    PackageSpec spec = cpuSpec(ElementType::F32, 8);
    spec.kernel.lse = spec.gradients = true;
    auto made = KernelPackage::compile(readMod("causal"), spec);
    EXPECT_TRUE(made) << made.error();
    return *made;
  }();
  return package;
}

/// `package` as if it were made for a GPU, in whatever is seen before it is
/// loaded there.
KernelPackage disguised(const char *made, bool hasPortable) {
  auto impl = std::make_shared<KernelPackage::Impl>(causal().impl());
  impl->made = made;
  for (VariantImages &variant : impl->forward.variants)
    variant.images.front().target = made;
  if (!hasPortable)
    impl->forward.variants.back().images.clear();
  return KernelPackage(impl);
}

TEST(AOTRuntime, GivesTheBitsOfThePackage) {
  Object object({disguised("sm90a", true), causal()});
  ASSERT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_OK) << why();
  ASSERT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_OK); // again
  Mod mod = readMod("causal");
  Problem a(mod, causal().spec(), 33, 40), b(mod, causal().spec(), 33, 40);
  attn_aot_args args = argsOf(a.forward());
  EXPECT_EQ(attn_aot_supports(&object.kernels, &args), ATTN_AOT_OK);
  EXPECT_EQ(attn_aot_prepare(&object.kernels, &args), ATTN_AOT_OK);
  void *tiles = &args;
  EXPECT_EQ(attn_aot_find_tiles(&object.kernels, &args, nullptr, &tiles),
            ATTN_AOT_OK);
  EXPECT_EQ(tiles, nullptr); // the kernel finds them itself
  attn_aot_free_tiles(tiles);
  int64_t bytes = -1;
  ASSERT_EQ(attn_aot_workspace_bytes(&object.kernels, &args, &bytes), 0);
  std::vector<std::max_align_t> workspace(bytes / sizeof(std::max_align_t) + 1);
  ASSERT_EQ(attn_aot_forward(&object.kernels, &args, workspace.data(), bytes,
                             nullptr),
            ATTN_AOT_OK)
      << why();
  auto kernel = causal().kernel();
  ASSERT_TRUE(kernel && kernel->run(b.forward()));
  EXPECT_TRUE(a.out == b.out && a.lse == b.lse);

  attn_aot_backward_args backward = argsOf(a.backward({}));
  ASSERT_EQ(
      attn_aot_backward_workspace_bytes(&object.kernels, &backward, &bytes),
      ATTN_AOT_OK);
  workspace.resize(bytes / sizeof(std::max_align_t) + 1);
  ASSERT_EQ(attn_aot_backward(&object.kernels, &backward, workspace.data(),
                              bytes, nullptr),
            ATTN_AOT_OK)
      << why();
  auto gradients = causal().gradients();
  ASSERT_TRUE(gradients && gradients->run(b.backward({})));
  EXPECT_TRUE(a.gradQuery == b.gradQuery && a.gradKey == b.gradKey &&
              a.gradValue == b.gradValue);
  EXPECT_EQ(attn_aot_backward(&object.kernels, &backward, workspace.data(),
                              bytes - 1, nullptr),
            ATTN_AOT_WORKSPACE_TOO_SMALL);
  EXPECT_EQ(why(), "expects a workspace of at least " + std::to_string(bytes) +
                       " bytes, got " + std::to_string(bytes - 1));
  EXPECT_EQ(attn_aot_backward(&object.kernels, &backward,
                              reinterpret_cast<char *>(workspace.data()) + 4,
                              bytes, nullptr),
            ATTN_AOT_BAD_ARGUMENT);
}

TEST(AOTRuntime, RefusesArguments) {
  Object object({causal()});
  Problem problem(readMod("causal"), causal().spec(), 5, 5);
  attn_aot_args args = argsOf(problem.forward());
  auto run = [&] {
    return attn_aot_forward(&object.kernels, &args, nullptr, 0, nullptr);
  };
  EXPECT_EQ(run(), ATTN_AOT_NOT_LOADED);
  EXPECT_EQ(why(), "expects load() for the CPU first");
  ASSERT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_OK) << why();
  EXPECT_EQ(run(), ATTN_AOT_OK);
  args.device = 3;
  EXPECT_EQ(run(), ATTN_AOT_NOT_LOADED);
  EXPECT_EQ(why(), "expects load() for GPU 3 first");
  args.device = -1, args.size -= 8;
  EXPECT_EQ(run(), ATTN_AOT_BAD_ARGUMENT);
  EXPECT_EQ(why(), "expects arguments of " + std::to_string(sizeof args) +
                       " bytes, got " + std::to_string(sizeof args - 8));
  args.size += 8, args.key.sizes[3] = 9;
  EXPECT_EQ(run(), ATTN_AOT_BAD_ARGUMENT);
  EXPECT_EQ(why(), "expects 'key' head dimension 8, got 9");
  EXPECT_EQ(attn_aot_supports(&object.kernels, &args), ATTN_AOT_BAD_ARGUMENT);
  args.key.sizes[3] = 8, args.lse = nullptr;
  EXPECT_EQ(run(), ATTN_AOT_BAD_ARGUMENT);
  EXPECT_EQ(why(), "expects memory for 'lse', got null");
  args = argsOf(problem.forward());
  EXPECT_EQ(run(), ATTN_AOT_OK);
  args.query_starts.sequences = int64_t(1) << 62;
  EXPECT_EQ(run(), ATTN_AOT_OK); // of a kernel that takes none
  attn_aot_unload(&object.kernels);
  EXPECT_EQ(run(), ATTN_AOT_NOT_LOADED);
}

TEST(AOTRuntime, RefusesNull) {
  Object object({causal()});
  ASSERT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_OK) << why();
  Problem problem(readMod("causal"), causal().spec(), 5, 5);
  attn_aot_args args = argsOf(problem.forward());
  const attn_aot_kernels *kernels = &object.kernels;
  void *tiles = nullptr;
  int64_t bytes = 0;
  for (int code :
       {attn_aot_supports(kernels, nullptr), attn_aot_prepare(kernels, nullptr),
        attn_aot_workspace_bytes(kernels, nullptr, &bytes),
        attn_aot_workspace_bytes(kernels, &args, nullptr),
        attn_aot_find_tiles(kernels, nullptr, nullptr, &tiles),
        attn_aot_find_tiles(kernels, &args, nullptr, nullptr),
        attn_aot_forward(kernels, nullptr, nullptr, 0, nullptr),
        attn_aot_backward_prepare(kernels, nullptr),
        attn_aot_backward_workspace_bytes(kernels, nullptr, &bytes),
        attn_aot_find_backward_tiles(kernels, nullptr, nullptr, &tiles),
        attn_aot_backward(kernels, nullptr, nullptr, 0, nullptr)})
    EXPECT_EQ(code, ATTN_AOT_BAD_ARGUMENT);
  EXPECT_EQ(why(), "expects 'args', got NULL");
}

/// Numbers that nobody has so many of do not end the process.
TEST(AOTRuntime, RefusesAbsurdNumbersOfSequences) {
  PackageSpec spec = cpuSpec(ElementType::F32, 8);
  spec.kernel.raggedQueries = spec.kernel.raggedKeys = true;
  spec.kernel.checked = true;
  Result<KernelPackage> package =
      KernelPackage::compile(readMod("causal"), spec);
  ASSERT_TRUE(package) << package.error();
  Object object({*package});
  ASSERT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_OK) << why();
  Problem problem(readMod("causal"), causal().spec(), 5, 5);
  attn_aot_args args = argsOf(problem.forward());
  args.lse = nullptr;
  int32_t starts[] = {0, 5};
  for (int64_t sequences : {int64_t(1) << 31, int64_t(1) << 62, INT64_MAX}) {
    args.query_starts = args.key_starts = {starts, sequences};
    EXPECT_EQ(attn_aot_forward(&object.kernels, &args, nullptr, 0, nullptr),
              ATTN_AOT_BAD_ARGUMENT);
    EXPECT_NE(why().find("sequences"), std::string::npos) << why();
  }
}

TEST(AOTRuntime, ChoosesByTheDevice) {
  useFakeCUDA(); // of compute capability 9.0
  Object forGPUs({disguised("sm80", true)});
  EXPECT_EQ(attn_aot_load(&forGPUs.kernels, -1), ATTN_AOT_UNSUPPORTED_DEVICE);
  EXPECT_EQ(why(), "there is no code for a CPU in this object");
  EXPECT_EQ(attn_aot_load(&forGPUs.kernels, 7), ATTN_AOT_UNSUPPORTED_DEVICE);
  EXPECT_EQ(why(), "there is no GPU 7");
  EXPECT_EQ(attn_aot_load(&forGPUs.kernels, -2), ATTN_AOT_BAD_ARGUMENT);
  Object forCPUs({causal()});
  EXPECT_EQ(attn_aot_load(&forCPUs.kernels, 0), ATTN_AOT_UNSUPPORTED_DEVICE);
  EXPECT_EQ(why(), "there is no code for GPU 0 in this object");
  forCPUs.kernels.abi = 99;
  EXPECT_EQ(attn_aot_load(&forCPUs.kernels, -1), ATTN_AOT_BAD_ARGUMENT);
  EXPECT_EQ(why(), "expects an object for a runtime of version 1, got one for "
                   "99");

  auto lacking = std::make_shared<KernelPackage::Impl>(causal().impl());
  lacking->forward.variants.front().images.front().features = {"warp-drive"};
  Object object({KernelPackage(lacking)});
  EXPECT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_UNSUPPORTED_DEVICE);
  EXPECT_NE(why().find("got one without warp-drive"), std::string::npos);
  object.bytes[0].resize(100), object.table[0].size = 100;
  EXPECT_EQ(attn_aot_load(&object.kernels, -1), ATTN_AOT_DRIVER_ERROR);
  EXPECT_EQ(why(), "the package is not whole: its checksum differs");
}

/// What load() takes for a GPU of a compute capability: the name of the code,
/// which no GPU runs, or why there is none.
std::string chosenFor(int computeMajor,
                      const std::vector<KernelPackage> &packages) {
  Object object(packages);
  useFakeCUDA()->computeMajor = computeMajor;
  EXPECT_NE(attn_aot_load(&object.kernels, 0), ATTN_AOT_OK);
  useFakeCUDA()->computeMajor = 9;
  std::string text = why();
  size_t open = text.find('(');
  return open == text.npos ? text
                           : text.substr(open + 1, text.size() - open - 2);
}

TEST(AOTRuntime, ChoosesWhatWasMadeForTheGPU) {
  KernelPackage hopper = disguised("sm90a", true),
                all = disguised("sm80", true),
                alone = disguised("sm90a", false);
  for (bool turned : {false, true}) {
    std::vector<KernelPackage> both{hopper, all};
    if (turned)
      std::swap(both[0], both[1]);
    EXPECT_EQ(chosenFor(9, both), "sm90a");
    EXPECT_EQ(chosenFor(8, both), "sm80");
    EXPECT_EQ(chosenFor(10, both), "sm80");
  }
  EXPECT_EQ(chosenFor(9, {all}), "sm80");
  EXPECT_EQ(chosenFor(8, {hopper}), "sm90a"); // which falls back
  const char *none = "there is no code for GPU 0 in this object";
  EXPECT_NE(chosenFor(9, {alone}), none);
  EXPECT_EQ(chosenFor(8, {alone}), none);
  EXPECT_EQ(chosenFor(7, {hopper, all}), none);
}

TEST(AOTRuntime, HasWordsForAllCodes) {
  for (int code = ATTN_AOT_OK; code <= ATTN_AOT_DRIVER_ERROR; ++code)
    EXPECT_STRNE(attn_aot_error_string(code), "unknown error") << code;
  EXPECT_STREQ(attn_aot_error_string(99), "unknown error");
}

} // namespace
