// What `compiled` says of what it did before a timed run.
#include "backends/Backend.h"
#include "backends/TileListSource.h"
#include "cases/Cases.h"
#include "run/CaseData.h"
#include "run/GradientData.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::bench;

namespace {
/// A case on the CPU with everything that a backend is given.
class Prepared {
public:
  /// `mask`: what a mask program yields of %q and %kv.
  explicit Prepared(const std::string &mask)
      : mod(Mod::fromSource(
            "attn.mod @m mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n" + mask +
                "  attn.yield %keep : i1\n}\n",
            "m.mlir")),
        device(createCPUDevice()) {
    EXPECT_TRUE(mod) << mod.error();
    loaded = std::make_unique<LoadedMod>(LoadedMod{"m", "m.mlir", *mod});
    item.mod = loaded.get();
    item.sizes = {1, 2, 1, 200, 200, 16, 16};
    const InputPools &inputs = pools.get(item.type);
    data = std::move(*CaseData::create(*device, item, inputs));
    gradients =
        std::move(*GradientData::create(*device, data->problem(), inputs[0],
                                        /*ofCaptures=*/true));
    backend = createCompiled("compiled", *device, {"auto"});
    EXPECT_FALSE(backend->prepare(data->problem()));
  }

  Result<Mod> mod;
  std::unique_ptr<LoadedMod> loaded;
  Case item;
  InputPoolCache pools;
  std::unique_ptr<Device> device;
  std::unique_ptr<CaseData> data;
  std::unique_ptr<GradientData> gradients;
  std::unique_ptr<Backend> backend;
};

const char *const causal = "  %keep = arith.cmpi sge, %q, %kv : i32\n";
/// No one run of tiles: every other 64 keys.
const char *const stripes = "  %c = arith.constant 64 : i32\n"
                            "  %d = arith.andi %kv, %c : i32\n"
                            "  %z = arith.constant 0 : i32\n"
                            "  %keep = arith.cmpi eq, %d, %z : i32\n";

TEST(Compiled, CompilesForEachPass) {
  Prepared with(causal);
  EXPECT_GT(with.backend->compileSeconds(Pass::Forward), 0);
  EXPECT_EQ(with.backend->compileSeconds(Pass::Backward), 0);
  EXPECT_FALSE(with.backend->prepareBackward(with.gradients->gradients()));
  EXPECT_GT(with.backend->compileSeconds(Pass::Backward), 0);
  EXPECT_FALSE(with.backend->listsSeconds(Pass::Backward));
  EXPECT_FALSE(with.backend->tileLists()->makesLists());
}

TEST(Compiled, CountsWhatItCompiles) {
  Prepared with(causal);
  ASSERT_EQ(with.backend->kernels().size(), 1u);
  KernelCount first = with.backend->kernels()[0];
  EXPECT_EQ(first.backend, "compiled");
  EXPECT_EQ(first.of, "m f32 D16");
  EXPECT_GE(first.compiles, 1);
  EXPECT_GE(first.seconds, with.backend->compileSeconds(Pass::Forward));
  // The same problem again takes what is there.
  EXPECT_FALSE(with.backend->prepare(with.data->problem()));
  EXPECT_EQ(with.backend->compileSeconds(Pass::Forward), 0);
  ASSERT_EQ(with.backend->kernels().size(), 1u);
  EXPECT_EQ(with.backend->kernels()[0].compiles, first.compiles);
  EXPECT_EQ(with.backend->kernels()[0].seconds, first.seconds);
}

TEST(Compiled, MoreCompilesThanAllowedAreAFailure) {
  Prepared with(causal);
  CompiledOptions options;
  options.schedule = "auto";
  options.mostCompiles = 0;
  std::unique_ptr<Backend> backend =
      createCompiled("compiled", *with.device, options);
  std::optional<Refusal> refusal = backend->prepare(with.data->problem());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->kind, Refusal::Failed);
  int compiles = backend->kernels()[0].compiles;
  EXPECT_EQ(refusal->reason, "the kernel of m f32 D16 was compiled " +
                                 std::to_string(compiles) +
                                 " times, of which 'dynamic' allows 0");
}

TEST(Compiled, MakesTheListsOfGradientsBeforeTheyAreTimed) {
  Prepared with(stripes);
  EXPECT_FALSE(with.backend->listsSeconds(Pass::Backward));
  EXPECT_FALSE(with.backend->prepareBackward(with.gradients->gradients()));
  ASSERT_TRUE(with.backend->listsSeconds(Pass::Backward));
  EXPECT_GT(*with.backend->listsSeconds(Pass::Backward), 0);
  ASSERT_TRUE(with.gradients->poison());
  Result<void> ran = with.backend->run(Pass::Backward);
  ASSERT_TRUE(ran) << ran.error();
  Result<GradientError> error =
      with.gradients->compare(with.backend->hasCaptureGradients());
  ASSERT_TRUE(error) << error.error();
  EXPECT_LE(error->share, 1);
  // What the lists cost is asked for when all passes are over.
  with.backend->finish();
  EXPECT_TRUE(with.backend->listsSeconds(Pass::Backward));
  EXPECT_TRUE(with.backend->tileLists()->makesLists());
  EXPECT_FALSE(with.backend->prepare(with.data->problem()));
  EXPECT_FALSE(with.backend->listsSeconds(Pass::Backward));
}
} // namespace
