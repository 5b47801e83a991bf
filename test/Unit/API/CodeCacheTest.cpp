// What comes from the cache instead of the compiler, and that it is the same.
#include "../Cache/Folder.h"
#include "../Doubles/FakeCUDADriver.h"

#include "attn/API/Attention.h"
#include "attn/API/Cache.h"
#include "attn/API/Gradient.h"
#include "attn/API/SoftmaxGradient.h"
#include "attn/API/Tiles.h"
#include "attn/Runtime/CUDADriver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace attn;
using attn::cuda::FakeCUDA;

namespace {

class CodeCache : public testing::Test {
protected:
  CodeCache() { useIt(); }
  ~CodeCache() override { useNoCache(); }

  void useIt(int64_t mostBytes = int64_t(1) << 30) {
    useCache({folder.path, mostBytes,
              [this](const std::string &text) { remarks.push_back(text); }});
  }

  /// What `step` did.
  template <typename Step> CodeCounts countsOf(Step step) {
    CodeCounts before = codeCounts();
    step();
    CodeCounts after = codeCounts();
    return {after.compiled - before.compiled, after.cached - before.cached};
  }

  Folder folder;
  std::vector<std::string> remarks;
};

constexpr char capped[] = R"(
attn.mod @capped score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = math.tanh %s : f32
  attn.yield %t : f32
} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
)";

/// Whose tiles are not one run, so that it needs lists.
constexpr char striped[] = R"(
attn.mod @striped mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %c = arith.constant 7 : i32
  %two = arith.constant 2 : i32
  %block = arith.shrsi %kv, %c : i32
  %odd = arith.remsi %block, %two : i32
  %zero = arith.constant 0 : i32
  %keep = arith.cmpi eq, %odd, %zero : i32
  attn.yield %keep : i1
}
)";

Mod modOf(const std::string &source) {
  Result<Mod> mod = Mod::fromSource(source, "test.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

KernelSpec smallSpec() {
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  return spec;
}

/// Of a whole entry, which stays whole.
void replacePayload(const std::string &path, const std::string &payload) {
  std::ifstream in(path, std::ios::binary);
  std::string file{std::istreambuf_iterator<char>(in), {}};
  std::string word;
  size_t keyBytes = 0, payloadBytes = 0;
  std::istringstream header(file.substr(file.find("key ")));
  header >> word >> keyBytes >> word >> payloadBytes;
  std::string key =
      file.substr(file.size() - payloadBytes - keyBytes, keyBytes);
  std::optional<cache::Kind> kind = cache::kindOf(file);
  ASSERT_TRUE(kind && cache::decode(file, *kind, key));
  std::ofstream(path, std::ios::binary) << cache::encode(*kind, key, payload);
}

AttentionKernel compiled(const Mod &mod, const KernelSpec &spec = smallSpec()) {
  Result<AttentionKernel> kernel = AttentionKernel::compile(mod, spec);
  EXPECT_TRUE(kernel) << kernel.error();
  return *kernel;
}

/// The result for some numbers.
std::vector<float> resultOf(const AttentionKernel &kernel) {
  constexpr int64_t queries = 300, channels = 16;
  std::vector<float> in(queries * channels), out(in.size());
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = float(int(i * 37 % 23) - 11) / 8;
  TensorView view;
  view.data = in.data();
  view.sizes = {1, 1, queries, channels};
  view.strides = {queries * channels, queries * channels, channels};
  TensorView result = view;
  result.data = out.data();
  Result<void> ran = kernel.run(view, view, view, {}, result);
  EXPECT_TRUE(ran) << ran.error();
  return out;
}

} // namespace

TEST_F(CodeCache, GivesTheSameKernelAgain) {
  for (const char *source : {capped, striped}) {
    std::vector<float> first, second, without;
    CodeCounts cold =
        countsOf([&] { first = resultOf(compiled(modOf(source))); });
    EXPECT_GT(cold.compiled, 0);
    EXPECT_EQ(cold.cached, 0);
    CodeCounts warm =
        countsOf([&] { second = resultOf(compiled(modOf(source))); });
    EXPECT_EQ(warm.compiled, 0);
    EXPECT_EQ(warm.cached, cold.compiled);
    useNoCache();
    without = resultOf(compiled(modOf(source)));
    EXPECT_EQ(first, second);
    EXPECT_EQ(first, without);
    useIt();
  }
  EXPECT_TRUE(remarks.empty()) << remarks[0];
}

TEST_F(CodeCache, HasGradientsAndSoftmax) {
  Mod mod = modOf(capped);
  auto all = [&] {
    KernelSpec spec = smallSpec();
    spec.lse = true;
    EXPECT_TRUE(GradientKernel::compile(mod, spec, {}));
    EXPECT_TRUE(SoftmaxKernel::compile(mod, Target::CPU, ElementType::F32,
                                       ElementType::F32));
    EXPECT_TRUE(SoftmaxGradientKernel::compile(mod, Target::CPU, {}));
  };
  CodeCounts cold = countsOf(all), warm = countsOf(all);
  EXPECT_GE(cold.compiled, 3);
  EXPECT_EQ(warm.compiled, 0);
  EXPECT_EQ(warm.cached, cold.compiled);
}

/// The name of a mod says nothing of what it does.
TEST_F(CodeCache, LooksAtWhatAModDoes) {
  auto counts = [&](const std::string &source) {
    return countsOf([&] { compiled(modOf(source)); }).compiled;
  };
  std::string mod = capped, other = capped;
  ASSERT_NE(counts(mod), 0);
  EXPECT_EQ(counts("// A comment.\n\n" + mod), 0);
  other.replace(other.find("capped"), 6, "mine");
  EXPECT_EQ(counts(other), 0);
  std::string edited = mod;
  edited.replace(edited.find("sge"), 3, "sgt");
  EXPECT_NE(counts(edited), 0);
}

TEST_F(CodeCache, LooksAtTheWholeSpec) {
  Mod mod = modOf(capped);
  compiled(mod);
  auto differs = [&](auto change) {
    KernelSpec spec = smallSpec();
    change(spec);
    EXPECT_NE(countsOf([&] { compiled(mod, spec); }).compiled, 0);
    EXPECT_EQ(countsOf([&] { compiled(mod, spec); }).compiled, 0);
  };
  differs([](KernelSpec &spec) { spec.type = ElementType::F16; });
  differs([](KernelSpec &spec) { spec.headDim = 17; });
  differs([](KernelSpec &spec) { spec.valueDim = 17; });
  differs([](KernelSpec &spec) { spec.lse = true; });
  differs([](KernelSpec &spec) { spec.scale = 0.5f; });
  differs([](KernelSpec &spec) {
    spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 32>>";
  });
}

/// A part of the directory is gone, or is not what it was.
TEST_F(CodeCache, CompilesWhatIsDamaged) {
  Mod mod = modOf(capped);
  std::vector<float> first = resultOf(compiled(mod));
  for (const std::string &name : folder.entries()) {
    std::fstream file(folder.file(name),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('!');
  }
  std::vector<float> second;
  EXPECT_NE(countsOf([&] { second = resultOf(compiled(mod)); }).compiled, 0);
  EXPECT_EQ(first, second);
  EXPECT_EQ(remarks.size(), 1u);
  EXPECT_EQ(countsOf([&] { compiled(mod); }).compiled, 0);
}

/// An entry may be whole and yet of no use.
TEST_F(CodeCache, CompilesWhatIsOfNoUse) {
  auto all = [&] {
    Mod mod = modOf(capped);
    std::vector<float> result = resultOf(compiled(mod));
    EXPECT_TRUE(SoftmaxKernel::compile(mod, Target::CPU, ElementType::F32,
                                       ElementType::F32));
    return result;
  };
  std::vector<float> first, second;
  CodeCounts cold = countsOf([&] { first = all(); });
  for (const char *payload : {"", "code", "4\ncode", "1000\ncode"}) {
    for (const std::string &name : folder.entries())
      replacePayload(folder.file(name), payload);
    EXPECT_EQ(countsOf([&] { second = all(); }).compiled, cold.compiled);
    EXPECT_EQ(first, second);
    EXPECT_EQ(countsOf(all).compiled, 0); // of what was written over it
  }
}

TEST_F(CodeCache, KeepsNoErrors) {
  Mod mod = modOf(capped);
  KernelSpec spec = smallSpec();
  spec.headDim = 1000;
  for (int i = 0; i < 2; ++i)
    EXPECT_FALSE(AttentionKernel::compile(mod, spec));
  EXPECT_TRUE(folder.entries().empty());
}

/// A directory that cannot be used is no error, and is said once.
TEST_F(CodeCache, IsNoReasonToFail) {
  std::ofstream(folder.file("file")) << "";
  useCache({folder.file("file"), 1 << 20,
            [this](const std::string &text) { remarks.push_back(text); }});
  compiled(modOf(capped));
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_NE(remarks[0].find("there is no cache: "), std::string::npos);
  EXPECT_EQ(countsOf([&] { compiled(modOf(capped)); }).cached, 0);
}

/// While it lives, ptxas makes machine code of the fake GPU, and notes for what
/// chip.
class FakePtxas {
public:
  explicit FakePtxas(const Folder &folder) : log(folder.file("ptxas.log")) {
    std::string path = folder.file("ptxas");
    std::ofstream(path) << "#!/bin/sh\necho \"$2\" >> " << log
                        << "\n{ echo '// cubin'; cat \"$3\"; } > \"$5\"\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    setenv("ATTN_PTXAS", path.c_str(), 1);
  }
  ~FakePtxas() { setenv("ATTN_PTXAS", "off", 1); }

  std::vector<std::string> chips() const {
    std::ifstream in(log);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
      lines.push_back(line);
    return lines;
  }

private:
  std::string log;
};

TEST_F(CodeCache, HasCodeForGPUs) {
  FakeCUDA *gpu = useFakeCUDA();
  Folder tools;
  FakePtxas ptxas(tools);
  useIt();
  ASSERT_TRUE(cuda::useDevice(0));
  KernelSpec spec;
  spec.target = Target::CUDA;
  spec.type = ElementType::BF16;
  int jit = gpu->jitModules, loaded = gpu->loadedCubins;
  auto all = [&] {
    Mod mod = modOf(striped);
    compiled(mod, spec);
    EXPECT_TRUE(SoftmaxKernel::compile(mod, Target::CUDA, ElementType::F32,
                                       ElementType::F32));
  };
  CodeCounts cold = countsOf(all), warm = countsOf(all);
  EXPECT_GE(cold.compiled, 2);
  EXPECT_EQ(warm.compiled, 0);
  EXPECT_EQ(warm.cached, cold.compiled);
  // ptxas compiled each once, and not again; the driver none.
  std::vector<std::string> chips = ptxas.chips();
  EXPECT_EQ(static_cast<int>(chips.size()), cold.compiled);
  EXPECT_EQ(std::count(chips.begin(), chips.end(), "-arch=sm_90a"), 1);
  EXPECT_EQ(std::count(chips.begin(), chips.end(), "-arch=sm_90"),
            cold.compiled - 1);
  EXPECT_EQ(gpu->jitModules, jit);
  EXPECT_EQ(gpu->loadedCubins - loaded, 2 * cold.compiled);
  // Another kernel of the same GPU.
  spec.portable = true;
  EXPECT_NE(countsOf([&] { compiled(modOf(striped), spec); }).compiled, 0);
}

/// Without a ptxas, and with one that fails, the driver compiles.
TEST_F(CodeCache, LeavesMachineCodeToTheDriver) {
  FakeCUDA *gpu = useFakeCUDA();
  ASSERT_TRUE(cuda::useDevice(0));
  KernelSpec spec;
  spec.target = Target::CUDA;
  spec.type = ElementType::BF16;
  int jit = gpu->jitModules;
  for (const char *none : {"off", "/bin/false", "/no/such/file"}) {
    setenv("ATTN_PTXAS", none, 1);
    useIt();
    compiled(modOf(capped), spec);
    EXPECT_EQ(gpu->jitModules, ++jit);
  }
  setenv("ATTN_PTXAS", "off", 1);
}
