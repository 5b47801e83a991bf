// Which images a GPU takes; the fake one has compute capability 9.0.
#include "../Doubles/FakeCUDADriver.h"

#include "attn/Runtime/CubinStore.h"
#include "attn/Runtime/LoadedKernel.h"

#include <gtest/gtest.h>
#include <map>

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

//===--- what drivers make of PTX -----------------------------------------===//

struct Cubins final : cuda::CubinStore {
  std::optional<std::string> find(const std::string &assembler,
                                  const std::string &ptx) const override {
    auto found = kept.find(assembler + "; " + ptx);
    return found == kept.end() ? std::nullopt : std::optional(found->second);
  }
  void keep(const std::string &assembler, const std::string &ptx,
            const std::string &cubin) const override {
    kept[assembler + "; " + ptx] = cubin;
  }
  mutable std::map<std::string, std::string> kept;
};

class CubinStoreTest : public LoadedKernelTest {
protected:
  CubinStoreTest() { cuda::setCubinStore(store); }
  ~CubinStoreTest() override { cuda::setCubinStore(nullptr); }

  bool loads() { return bool(load(KernelImage::Code::PTX, "sm_80")); }

  std::shared_ptr<Cubins> store = std::make_shared<Cubins>();
  cuda::FakeCUDA &gpu = *useFakeCUDA();
  int assembled = gpu.assembledModules, jit = gpu.jitModules;
};

TEST_F(CubinStoreTest, PTXIsAssembledOnce) {
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(loads());
  EXPECT_EQ(gpu.assembledModules, assembled + 1);
  EXPECT_EQ(gpu.jitModules, jit);
  ASSERT_EQ(store->kept.size(), 1u);
  EXPECT_EQ(store->kept.begin()->first,
            "driver 13000, Fake GPU, sm_90; .entry attention(\n");
  // Machine code is no PTX.
  EXPECT_TRUE(load(KernelImage::Code::Cubin, "sm_90"));
  EXPECT_EQ(store->kept.size(), 1u);
}

TEST_F(CubinStoreTest, WhatTheDriverRefusesIsMadeAgain) {
  EXPECT_TRUE(loads());
  std::string whole = store->kept.begin()->second;
  store->kept.begin()->second = "syntax-error";
  EXPECT_TRUE(loads());
  EXPECT_EQ(gpu.assembledModules, assembled + 2);
  EXPECT_EQ(store->kept.begin()->second, whole);
}

TEST_F(CubinStoreTest, NoErrorIsKept) {
  image.code = "syntax-error";
  EXPECT_EQ(load(KernelImage::Code::PTX, "sm_80")
                .error()
                .find("the CUDA driver rejects the generated PTX: "
                      "cuModuleLoadDataEx"),
            0u);
  EXPECT_TRUE(store->kept.empty());
}

} // namespace
