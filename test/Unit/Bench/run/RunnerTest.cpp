// Backends that do what they must not: each is found out, and by its own words.
#include "run/Runner.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace attn;
using namespace attn::bench;

namespace {
/// `math` under another name, with a fault added.
class Faulty final : public Backend {
public:
  using Fault = void (*)(const TensorView &out, const Problem &);

  Faulty(Device &device, Fault fault)
      : math(createMathCPU(device)), fault(fault) {}
  const char *name() const override { return "faulty"; }
  std::optional<Refusal> prepare(const Problem &newProblem) override {
    problem = &newProblem;
    return math->prepare(newProblem);
  }
  Result<void> run(Pass pass) override {
    if (Result<void> ran = math->run(pass); !ran)
      return ran;
    fault(problem->out, *problem);
    return {};
  }
  void finish() override { math->finish(); }

private:
  std::unique_ptr<Backend> math;
  Fault fault;
  const Problem *problem = nullptr;
};

/// The first outcome of a small causal case in f32.
Outcome outcomeWith(Faulty::Fault fault, int64_t queries = 37) {
  Result<Mod> mod = Mod::fromSource(
      "attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
      "  %keep = arith.cmpi sge, %q, %kv : i32\n"
      "  attn.yield %keep : i1\n"
      "}\n",
      "causal.mlir");
  EXPECT_TRUE(mod) << mod.error();
  LoadedMod loaded{"causal", "causal.mlir", *mod};
  Case item;
  item.mod = &loaded;
  item.sizes.batch = item.sizes.kvHeads = 2;
  item.sizes.heads = 4;
  item.sizes.queries = queries;
  item.sizes.keys = 41;
  item.sizes.headDim = item.sizes.valueDim = 16;
  std::unique_ptr<Device> device = createCPUDevice();
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::make_unique<Faulty>(*device, fault));
  return Runner(*device, std::move(backends)).run(item).outcomes[0];
}

float *elementOf(const TensorView &out, int64_t offset) {
  return static_cast<float *>(out.data) + offset;
}

TEST(Runner, AGoodResultIsTimed) {
  Outcome outcome = outcomeWith([](const TensorView &, const Problem &) {});
  EXPECT_EQ(outcome.kind, Outcome::Timed) << outcome.reason;
  EXPECT_GT(outcome.seconds, 0);
  EXPECT_LT(*outcome.maxError, 1e-5);
}

TEST(Runner, ASmallErrorIsWrong) {
  Outcome outcome = outcomeWith([](const TensorView &out, const Problem &) {
    *elementOf(out, 1234) += 1e-4f;
  });
  EXPECT_EQ(outcome.kind, Outcome::Wrong);
  EXPECT_NE(outcome.reason.find("exceeds"), std::string::npos);
  EXPECT_EQ(outcome.seconds, 0);
}

TEST(Runner, AnElementNotWrittenIsWrong) {
  Outcome outcome = outcomeWith([](const TensorView &out, const Problem &) {
    std::memset(elementOf(out, 1234), 0xff, sizeof(float));
  });
  EXPECT_EQ(outcome.kind, Outcome::Wrong);
  EXPECT_NE(outcome.reason.find("NaN at (0,"), std::string::npos)
      << outcome.reason;
}

TEST(Runner, AWriteOutsideFails) {
  Outcome past = outcomeWith([](const TensorView &out, const Problem &) {
    *elementOf(out, out.sizes[0] * out.strides[0]) = 0;
  });
  EXPECT_EQ(past.kind, Outcome::Failed);
  EXPECT_EQ(past.reason, "writes past the output");
  Outcome before = outcomeWith(
      [](const TensorView &out, const Problem &) { *elementOf(out, -1) = 0; });
  EXPECT_EQ(before.kind, Outcome::Failed);
  EXPECT_EQ(before.reason, "writes before the output");
}

TEST(Runner, AReadOutsideMeetsNaN) {
  Outcome outcome =
      outcomeWith([](const TensorView &out, const Problem &problem) {
        const auto *key = static_cast<const float *>(problem.key.data);
        *elementOf(out, 0) +=
            key[problem.key.sizes[0] * problem.key.strides[0]] * 0;
      });
  EXPECT_EQ(outcome.kind, Outcome::Wrong);
}

TEST(Runner, NoQueries) {
  Outcome outcome = outcomeWith([](const TensorView &, const Problem &) {}, 0);
  EXPECT_EQ(outcome.kind, Outcome::Timed) << outcome.reason;
  EXPECT_EQ(*outcome.maxError, 0);
}
} // namespace
