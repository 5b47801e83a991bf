// Images for a CPU, loaded and run without MLIR or LLVM: the code is a shared
// object that a C++ compiler made (TaskDouble.cpp).
#include "attn/Runtime/LoadedCPUKernel.h"
#include "attn/Runtime/LoadedObject.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace attn;
using attn::cpu::LoadedKernel;

namespace {

std::string code() {
  std::ifstream file(ATTN_TASK_DOUBLE, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

KernelImage example() {
  KernelImage image;
  image.kind = KernelImage::Code::SharedObject;
  image.target = "x86-64";
  image.code = code();
  KernelEntry entry;
  entry.name = "number";
  entry.taskCount = "number_tasks";
  entry.signature = {{Parameter::Kind::Memory, {Role::Out}, 1, {}, 0},
                     {Parameter::Kind::Scalar, {Role::QueryCount}, 0, {}, 0},
                     {Parameter::Kind::Scalar, {Role::Task}, 0, {}, 0}};
  image.entries.push_back(entry);
  return image;
}

/// `out`, bound as the example takes it, for numbers from `first`.
Bindings numbersInto(std::vector<float> &out, uint64_t first) {
  Bindings bindings;
  bindings.memory({Role::Out}, out.data(), {static_cast<int64_t>(out.size())});
  bindings.word({Role::QueryCount}, first);
  return bindings;
}

void expectNumbers(const std::vector<float> &out, float first, size_t count) {
  for (size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ(out[i], i < count ? first + i : 0.0f) << i;
}

TEST(LoadedCPUKernel, RunsAllTasks) {
  auto kernels = LoadedKernel::load(example());
  ASSERT_TRUE(kernels) << kernels.error();
  ASSERT_EQ(kernels->size(), 1u);
  EXPECT_EQ(kernels->front().entry().name, "number");
  std::vector<float> out(1000);
  Bindings bindings = numbersInto(out, 7);
  ASSERT_TRUE(kernels->front().run(bindings));
  expectNumbers(out, 7, out.size());
}

TEST(LoadedCPUKernel, RunsSoManyShortTasks) {
  auto kernels = LoadedKernel::load(example());
  ASSERT_TRUE(kernels) << kernels.error();
  for (int64_t tasks : {0, 1, 999, 10000}) {
    std::vector<float> out(10001);
    Bindings bindings = numbersInto(out, 3);
    ASSERT_TRUE(kernels->front().runShort(tasks, bindings));
    expectNumbers(out, 3, static_cast<size_t>(tasks));
  }
}

TEST(LoadedCPUKernel, LivesAsLongAsAKernel) {
  std::vector<LoadedKernel> kept;
  for (int i = 0; i < 3; ++i) {
    auto kernels = LoadedKernel::load(example());
    ASSERT_TRUE(kernels) << kernels.error();
    kept.push_back(kernels->front());
  }
  std::vector<float> out(10);
  Bindings bindings = numbersInto(out, 0);
  ASSERT_TRUE(kept.back().run(bindings));
  expectNumbers(out, 0, out.size());
}

TEST(LoadedCPUKernel, Errors) {
  KernelImage image = example();
  std::vector<float> out(1);
  Bindings empty;
  auto kernels = LoadedKernel::load(image);
  ASSERT_TRUE(kernels) << kernels.error();
  EXPECT_EQ(kernels->front().run(empty).error(),
            "nothing is bound to the kernel's parameter 'out'");

  image.entries[0].taskCount = "tasks";
  EXPECT_EQ(LoadedKernel::load(image).error(),
            "the code of the image has no function 'tasks'");
  image = example();
  image.entries[0].name = "letter";
  EXPECT_EQ(LoadedKernel::load(image).error(),
            "the code of the image has no function 'letter'");
  image = example();
  image.target = "z9";
  image.features = {"warp-drive", "flux"};
  EXPECT_EQ(LoadedKernel::load(image).error(),
            "expects a CPU that runs code for z9, got one without warp-drive, "
            "flux");
  image.kind = KernelImage::Code::PTX, image.target = "sm_80";
  EXPECT_EQ(LoadedKernel::load(image).error(),
            "expects an image for a CPU, got one for a GPU (sm_80)");
}

TEST(LoadedObject, IsNoOther) {
  // Two at once are two: each has memory of its own.
  auto first = LoadedObject::load(code()), second = LoadedObject::load(code());
  ASSERT_TRUE(first && second);
  void *one = (*first)->find("packed_number");
  EXPECT_TRUE(one);
  EXPECT_NE(one, (*second)->find("packed_number"));
  EXPECT_EQ((*first)->find("packed_letter"), nullptr);
  first->reset();
  auto third = LoadedObject::load(code());
  ASSERT_TRUE(third);
  EXPECT_NE((*third)->find("packed_number"), (*second)->find("packed_number"));
}

int64_t openFiles() {
  std::filesystem::directory_iterator files("/proc/self/fd"), end;
  return std::distance(files, end);
}

TEST(LoadedObject, KeepsNoFileOpen) {
  int64_t before = openFiles();
  auto object = LoadedObject::load(code());
  ASSERT_TRUE(object) << object.error();
  EXPECT_EQ(openFiles(), before);
}

TEST(LoadedObject, ThroughAFile) {
  auto object = LoadedObject::loadThroughFile(code());
  ASSERT_TRUE(object) << object.error();
  EXPECT_TRUE((*object)->find("packed_number"));
  const char *before = std::getenv("TMPDIR");
  std::string folder = before ? before : "";
  setenv("TMPDIR", "/nowhere", 1);
  auto nowhere = LoadedObject::loadThroughFile(code());
  before ? setenv("TMPDIR", folder.c_str(), 1) : unsetenv("TMPDIR");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().find("the code cannot be loaded: cannot write "
                                 "/nowhere/attn-kernels-"),
            0u)
      << nowhere.error();
}

TEST(LoadedObject, IsRefusedIfItIsNone) {
  for (const std::string &bytes : {std::string(), std::string("no code")}) {
    auto object = LoadedObject::load(bytes);
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().find("the code cannot be loaded: /"), 0u)
        << object.error();
  }
}

} // namespace
