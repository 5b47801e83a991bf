// Which kernel a GPU gets, without a GPU: the fake one has compute
// capability 9.0, takes any PTX, and lets a block have 256 threads, so that it
// refuses to launch the kernel with warps of two roles (384 threads) and says
// so.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Attention.h"

#include <gtest/gtest.h>

#include <vector>

using namespace attn;

namespace {

class CUDAKernelTest : public testing::Test {
protected:
  CUDAKernelTest() { useFakeCUDA(); }
};

Mod plainMod() {
  Result<Mod> mod = Mod::fromSource("attn.mod @noop", "noop.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

KernelSpec specOf(ElementType type) {
  KernelSpec spec;
  spec.target = Target::CUDA;
  spec.type = type;
  return spec;
}

bool hasRoles(const KernelSpec &spec) {
  Result<AttentionKernel> kernel = AttentionKernel::compile(plainMod(), spec);
  EXPECT_TRUE(kernel) << kernel.error();
  return kernel &&
         kernel->schedule().find("producers = 4") != std::string::npos;
}

/// Runs on tensors of 1 batch, 2 heads, 300 positions and 64 channels in one
/// buffer, rows `stride` elements apart.
Result<void> run(const AttentionKernel &kernel, std::vector<uint16_t> &memory,
                 int64_t stride) {
  memory.resize(2 * 300 * stride);
  TensorView view;
  view.data = memory.data();
  view.type = ElementType::BF16;
  view.sizes = {1, 2, 300, 64};
  view.strides = {2 * 300 * stride, 300 * stride, stride};
  return kernel.run(view, view, view, {}, view);
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
  spec.schedule = "#attn.schedule<q = 64, kv = 64, warps = 4>";
  EXPECT_FALSE(hasRoles(spec));
  spec.schedule = "#attn.schedule<q = 64, kv = 64, warps = 4, producers = 4>";
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

TEST_F(CUDAKernelTest, EachLaunchTakesTheKernelThatItsMemoryAllows) {
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
