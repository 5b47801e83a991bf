// Which images a GPU takes; the fake one has compute capability 9.0.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/Runtime/CubinStore.h"
#include "attn/Runtime/LoadedKernel.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace attn;
using attn::cuda::LoadedKernel;

namespace {

class LoadedKernelTest : public testing::Test {
protected:
  LoadedKernelTest() {
    useFakeCUDA();
    EXPECT_TRUE(cuda::useDevice(0));
    KernelEntry entry;
    entry.name = "attention", entry.threads = 128;
    image.entries.push_back(entry);
    image.code = ".entry attention(\n";
  }

  Result<std::vector<LoadedKernel>> load(KernelImage::Code kind,
                                         const char *target) {
    image.kind = kind, image.target = target;
    return LoadedKernel::load(image);
  }

  KernelImage image;
};

TEST_F(LoadedKernelTest, PTXAndCubins) {
  for (auto [kind, target] : {std::pair(KernelImage::Code::PTX, "sm_80"),
                              {KernelImage::Code::PTX, "sm_90a"},
                              {KernelImage::Code::Cubin, "sm_90"},
                              {KernelImage::Code::Cubin, "sm_90a"}}) {
    auto kernels = load(kind, target);
    ASSERT_TRUE(kernels) << kernels.error();
    ASSERT_EQ(kernels->size(), 1u);
    EXPECT_EQ(kernels->front().entry().name, "attention");
  }
}

TEST_F(LoadedKernelTest, Errors) {
  EXPECT_EQ(load(KernelImage::Code::PTX, "sm_100").error(),
            "expects a GPU that runs PTX for sm_100, got Fake GPU, which is "
            "sm_90");
  EXPECT_EQ(load(KernelImage::Code::Cubin, "sm_80").error(),
            "expects a GPU that runs a cubin for sm_80, got Fake GPU, which is "
            "sm_90");
  EXPECT_EQ(load(KernelImage::Code::PTX, "z80").error(),
            "expects an image for a chip such as sm_80, got one for 'z80'");
  EXPECT_EQ(load(KernelImage::Code::SharedObject, "x86-64-v3").error(),
            "expects an image for a GPU, got one for a CPU (x86-64-v3)");
  image.code = "syntax-error";
  EXPECT_EQ(load(KernelImage::Code::Cubin, "sm_90")
                .error()
                .find("the CUDA driver rejects the cubin: cuModuleLoadDataEx"),
            0u);
}

//===--- what is made of PTX ----------------------------------------------===//

/// Machine code of the fake GPU.
struct Cubins final : cuda::CubinStore {
  std::optional<std::string> cubinOf(const std::string &chip,
                                     const std::string &ptx) const override {
    asked.push_back(chip + "; " + ptx);
    return code;
  }
  std::optional<std::string> code;
  mutable std::vector<std::string> asked;
};

class CubinStoreTest : public LoadedKernelTest {
protected:
  CubinStoreTest() { cuda::setCubinStore(store); }
  ~CubinStoreTest() override { cuda::setCubinStore(nullptr); }

  bool loads(const char *target = "sm_80") {
    return bool(load(KernelImage::Code::PTX, target));
  }

  std::shared_ptr<Cubins> store = std::make_shared<Cubins>();
  cuda::FakeCUDA &gpu = *useFakeCUDA();
  int loaded = gpu.loadedCubins, jit = gpu.jitModules;
};

TEST_F(CubinStoreTest, IsAskedForCodeOfThisGPU) {
  store->code = "// cubin\n" + image.code;
  EXPECT_TRUE(loads());
  EXPECT_EQ(gpu.loadedCubins, loaded + 1);
  EXPECT_EQ(gpu.jitModules, jit);
  EXPECT_TRUE(loads("sm_90a"));
  EXPECT_EQ(store->asked, (std::vector<std::string>{"sm_90; " + image.code,
                                                    "sm_90a; " + image.code}));
  // Machine code is no PTX.
  EXPECT_TRUE(load(KernelImage::Code::Cubin, "sm_90"));
  EXPECT_EQ(store->asked.size(), 2u);
}

TEST_F(CubinStoreTest, TheDriverCompilesWhatItHasNot) {
  EXPECT_TRUE(loads());
  EXPECT_EQ(gpu.jitModules, jit + 1);
  EXPECT_EQ(store->asked.size(), 1u);
}

TEST_F(CubinStoreTest, TheDriverCompilesWhatItRefuses) {
  store->code = "// cubin\nsyntax-error";
  EXPECT_TRUE(loads());
  EXPECT_EQ(gpu.jitModules, jit + 1);
}

} // namespace
