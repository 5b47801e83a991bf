// Code for CPUs that the machine which runs the tests may not have: every
// element type and odd dimension must come out as object code. LLVM's back ends
// abort where they have no answer, and so would this program.
#include "attn/InitAll.h"
#include "attn/Pipelines/CPU.h"
#include "attn/Runtime/CPUFeatures.h"
#include "attn/Target/Object/EmitObject.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Object/ObjectFile.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

using namespace mlir;
using mlir::attn::CPUTarget;

namespace {

const char *const cpus[] = {"sapphirerapids", "x86-64-v2",      "x86-64-v3",
                            "skylake-avx512", "icelake-server", "znver4",
                            "graniterapids"};

/// A kernel with a mask, a score program and an LSE, of `type` with head
/// dimension `d` and value dimension `dv`, whose tiles have `rows` of each.
std::string source(const char *type, int64_t d, int64_t dv, int64_t rows) {
  std::string tile = std::to_string(rows);
  std::string prefix = "tensor<?x?x?x", q = prefix + std::to_string(d) + "x",
              v = prefix + std::to_string(dv) + "x";
  return "!q = " + q + type + ">\n!v = " + v + type + R"(>
!l = tensor<?x?x?xf32>
attn.mod @m
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = math.tanh %s : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @layer(%q: !q, %k: !q, %v: !v) -> (!v, !l) {
  %o, %l = attn.attention %q, %k, %v mod @m
    {schedule = #attn.schedule<tiling = <q = )" +
         tile + ", kv = " + tile + R"(>>} : (!q, !q, !v) -> (!v, !l)
  return %o, %l : !v, !l
})";
}

class Object : public testing::Test {
protected:
  Object() {
    DialectRegistry registry;
    mlir::attn::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.disableMultithreading();
  }

  void compile(const char *cpu, const char *type, int64_t d, int64_t dv,
               int64_t rows = 16) {
    SCOPED_TRACE(std::string(cpu) + " " + type + " " + std::to_string(d) + " " +
                 std::to_string(dv));
    llvm::Expected<CPUTarget> target = CPUTarget::create(cpu);
    ASSERT_TRUE(!!target) << llvm::toString(target.takeError());
    OwningOpRef<ModuleOp> module =
        parseSourceString<ModuleOp>(source(type, d, dv, rows), &context);
    ASSERT_TRUE(module);
    PassManager pm(&context);
    mlir::attn::CPUPipelineOptions options;
    options.lanes = target->lanes();
    options.registers = target->registers();
    options.matrixUnits =
        target->hasMatrixUnits() && std::string(type) == "bf16";
    mlir::attn::buildCPUPipeline(pm, options);
    ASSERT_TRUE(succeeded(pm.run(*module)));
    auto object = mlir::attn::emitObject(*module, {"layer"}, *target);
    ASSERT_TRUE(!!object) << llvm::toString(object.takeError());
    checkSymbols(**object);
    auto linked = mlir::attn::linkObject((*object)->getBuffer());
    ASSERT_TRUE(!!linked) << llvm::toString(linked.takeError());
  }

  /// What the code calls has to be there where it runs: the C library, and the
  /// conversions of f16 of those CPUs that have no instruction for them.
  static void checkSymbols(const llvm::MemoryBuffer &object) {
    auto file = llvm::object::ObjectFile::createObjectFile(object);
    ASSERT_TRUE(!!file) << llvm::toString(file.takeError());
    static const std::set<std::string> known = {
        "memcpy", "memset", "fmaf", "logf", "__extendhfsf2", "__truncsfhf2"};
    for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
      auto flags = symbol.getFlags();
      auto name = symbol.getName();
      ASSERT_TRUE(flags && name);
      if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty())
        EXPECT_TRUE(known.count(name->str())) << name->str();
    }
  }

  MLIRContext context;
};

} // namespace

// Wholes of vectors, one more, one less, and what is left of both: with 8
// columns and one, X86 had no answer for bf16.
TEST_F(Object, EveryDimensionCompilesForEveryCPU) {
  const int64_t dims[] = {1, 7, 8, 9, 17, 24, 25, 33, 57, 65, 127, 129, 255};
  bool all = std::getenv("ATTN_TEST_LONG");
  size_t turn = 0;
  for (const char *type : {"bf16", "f16", "f32"})
    for (size_t i = 0; i < std::size(dims); ++i) {
      int64_t d = dims[i], dv = dims[(i + 3) % std::size(dims)];
      for (size_t c = 0; c < std::size(cpus); ++c)
        // In turn: each CPU meets every type and, over the types, dimension.
        if (all || c == turn % std::size(cpus) || (c == 0 && type[0] == 'b'))
          compile(cpus[c], type, d, dv);
      ++turn;
    }
}

// A register of the unit has one shape in all of a kernel.
TEST_F(Object, EveryDimensionCompilesForMatrixUnits) {
  const int64_t dims[] = {8, 16, 40, 64, 72, 80, 96, 112, 128, 200, 208, 256};
  for (size_t i = 0; i < std::size(dims); ++i)
    compile("sapphirerapids", "bf16", dims[i], dims[(i + 5) % std::size(dims)],
            /*rows=*/i % 2 ? 48 : 64);
}

TEST_F(Object, VectorsAreThoseOfTheCPU) {
  auto vectors = [](const char *cpu) {
    llvm::Expected<CPUTarget> target = CPUTarget::create(cpu);
    EXPECT_TRUE(!!target);
    return std::pair(target->lanes(), target->registers());
  };
  EXPECT_EQ(vectors("x86-64-v2"), std::pair(int64_t(4), int64_t(16)));
  EXPECT_EQ(vectors("x86-64-v3"), std::pair(int64_t(8), int64_t(16)));
  EXPECT_EQ(vectors("sapphirerapids"), std::pair(int64_t(16), int64_t(32)));
}

TEST_F(Object, NothingIsMissingOfThisMachine) {
  llvm::Expected<CPUTarget> target = CPUTarget::create("");
  ASSERT_TRUE(!!target);
  std::vector<std::string> missing =
      // The system may keep matrix units from programs.
      ::attn::cpu::missingFeatures(target->features(/*withMatrixUnits=*/false));
  EXPECT_TRUE(missing.empty()) << missing.front();
}

// An image says what its code may use; the runtime must know how to ask for it.
TEST_F(Object, EveryFeatureIsKnown) {
  for (const char *cpu :
       {"x86-64", "x86-64-v4", "bdver4", "btver2", "haswell", "cascadelake",
        "cooperlake", "tigerlake", "alderlake", "sierraforest", "arrowlake",
        "pantherlake", "diamondrapids", "znver1", "znver5", "sapphirerapids",
        "graniterapids"}) {
    llvm::Expected<CPUTarget> target = CPUTarget::create(cpu);
    ASSERT_TRUE(!!target) << llvm::toString(target.takeError());
    EXPECT_EQ(target->name(), cpu);
    std::vector<std::string> features = target->features();
    EXPECT_TRUE(llvm::is_contained(features, "sse2")) << cpu;
    for (const std::string &feature : features)
      EXPECT_TRUE(::attn::cpu::isKnownFeature(feature)) << cpu << feature;
  }
}

TEST_F(Object, UnknownNames) {
  llvm::Expected<CPUTarget> target = CPUTarget::create("pentium9");
  ASSERT_FALSE(!!target);
  EXPECT_EQ(llvm::toString(target.takeError()),
            "expects the name of a CPU such as x86-64-v3, got 'pentium9'");
}
