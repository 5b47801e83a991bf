// The analysis of masks against brute force, for thousands of random programs:
// the IR that a kernel would execute is folded for one problem and one tile.
// ATTN_FUZZ_PROGRAMS sets how many programs, ATTN_FUZZ_SEED the first seed.
#include "RandomMask.h"

#include "attn/Analysis/TileClass.h"
#include "attn/Analysis/VisitBounds.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <tuple>

using namespace mlir;
using namespace mlir::attn;
using ::attn::test::MaskInputs;
using ::attn::test::MaskTree;

namespace {

struct Problem {
  MaskInputs inputs;
  int64_t queries, keys;
  int64_t firstQuery, lastQuery, firstKey, lastKey;
};

std::optional<bool> bitOf(Value value) {
  APInt number;
  if (!matchPattern(value, m_ConstantInt(&number)))
    return std::nullopt;
  return !number.isZero();
}
std::optional<int64_t> numberOf(Value value) {
  APInt number;
  if (!matchPattern(value, m_ConstantInt(&number)))
    return std::nullopt;
  return number.getSExtValue();
}

/// What the analyses know about a program.
struct Known {
  /// The class of the tile; or one query and key of each class, or one pair of
  /// each distance, are enough to find it.
  bool decided = false, hasClasses = false;
  bool keyRuns = false, queryRuns = false; ///< bounds on keys, on queries
};

/// Folds what the analyses emit about one program.
class Folder {
public:
  Folder(MLIRContext &context, ModOp mod, const Problem &problem)
      : mod(mod), logic(mod.getMask()), problem(problem),
        func(func::FuncOp::create(UnknownLoc::get(&context), "folded",
                                  FunctionType::get(&context, {}, {}))),
        b(ImplicitLocOpBuilder::atBlockBegin(func.getLoc(),
                                             func.addEntryBlock())) {}
  ~Folder() { func.erase(); }

  /// Empty if all is well, else what is wrong.
  std::string check(const MaskTree &tree) {
    bool keeps = false, drops = false;
    for (int64_t q = problem.firstQuery; q <= problem.lastQuery; ++q)
      for (int64_t kv = problem.firstKey; kv <= problem.lastKey; ++kv)
        (evaluate(tree, problem.inputs, 1, 2, q, kv) ? keeps : drops) = true;
    Box box{index(problem.firstQuery), index(problem.lastQuery),
            index(problem.firstKey), index(problem.lastKey)};
    PositionClasses classes(logic);
    TileClass found = emitTileClass(
        b, logic, context(), box, [&](Value part) { return partOf(part); },
        &classes);
    auto canKeep = bitOf(found.canKeep), doesKeep = bitOf(found.doesKeep);
    auto canDrop = bitOf(found.canDrop), doesDrop = bitOf(found.doesDrop);
    if (!canKeep || !doesKeep || !canDrop || !doesDrop)
      return "does not fold:\n" + unfolded();
    if (keeps && !*canKeep)
      return "called empty, keeps a pair";
    if (drops && !*canDrop)
      return "called full, drops a pair";
    if (!keeps && *doesKeep)
      return "said to keep a pair, is empty";
    if (!drops && *doesDrop)
      return "said to drop a pair, is full";
    known.decided = *canKeep == *doesKeep && *canDrop == *doesDrop;
    std::optional<bool> guards =
        bitOf(IntervalEmitter(b, logic, context()).guardsHold());
    if (!guards)
      return "guards do not fold";
    if (logic.isExact && *guards && !known.decided)
      return "exact, but not decided";
    for (Axis axis : {Axis::Key, Axis::Query})
      if (logic.hasOneRun(axis)) {
        (axis == Axis::Key ? known.keyRuns : known.queryRuns) = true;
        std::string wrong = checkBounds(tree, axis, *guards);
        if (!wrong.empty())
          return wrong;
      }
    if (logic.hasOneRun(Axis::Key))
      return "";
    return known.decided ? "" : checkClasses(tree, classes, found.difference);
  }

  Known known;

private:
  /// What is left that is no constant.
  std::string unfolded() {
    std::string text;
    llvm::raw_string_ostream os(text);
    func.walk([&](Operation *op) {
      if (!op->hasTrait<OpTrait::ConstantLike>() && op != func)
        os << *op << "\n";
    });
    return text;
  }

  std::string checkBounds(const MaskTree &tree, Axis axis, bool guards) {
    bool isKey = axis == Axis::Key;
    // Of the other axis.
    int64_t first = isKey ? problem.firstQuery : problem.firstKey;
    int64_t last = isKey ? problem.lastQuery : problem.lastKey;
    VisitBounds bounds =
        emitVisitBounds(b, logic, context(), axis, index(first), index(last));
    auto mayLow = numberOf(bounds.may.low), mayHigh = numberOf(bounds.may.high);
    auto mustLow = numberOf(bounds.must.low),
         mustHigh = numberOf(bounds.must.high);
    if (!mayLow || !mayHigh || !mustLow || !mustHigh)
      return "bounds do not fold";
    for (int64_t i = 0; i < (isKey ? problem.keys : problem.queries); ++i) {
      bool some = false, all = true;
      for (int64_t j = first; j <= last; ++j) {
        bool kept =
            evaluate(tree, problem.inputs, 1, 2, isKey ? j : i, isKey ? i : j);
        some |= kept, all &= kept;
      }
      bool may = *mayLow <= i && i <= *mayHigh;
      bool must = *mustLow <= i && i <= *mustHigh;
      std::string position = (isKey ? " key " : " query ") + std::to_string(i);
      if (some && !may)
        return "bounds leave out" + position;
      if (must && !all)
        return "bounds do not mask" + position;
      if (guards && (may != some || must != all))
        return "bounds are not tight at" + position;
    }
    return "";
  }

  std::string checkClasses(const MaskTree &tree, PositionClasses &classes,
                           const PositionClasses::Difference &difference) {
    auto queries = bitOf(difference.queries), keys = bitOf(difference.keys),
         distances = bitOf(difference.distances);
    if (!queries || !keys || !distances)
      return "difference does not fold:\n" + unfolded();
    known.hasClasses = !*queries || !*keys || !*distances;
    if (!known.hasClasses)
      return "";
    auto valuesOf = [&](bool isRow) {
      std::vector<std::vector<Attribute>> all;
      int64_t last = isRow ? problem.lastQuery : problem.lastKey;
      for (int64_t i = isRow ? problem.firstQuery : problem.firstKey; i <= last;
           ++i) {
        all.emplace_back();
        for (Value value : isRow ? classes.ofQuery : classes.ofKey)
          matchPattern(valueAt(value, i, isRow),
                       m_Constant(&all.back().emplace_back()));
      }
      return all;
    };
    auto ofQuery = valuesOf(/*isRow=*/true), ofKey = valuesOf(/*isRow=*/false);
    std::map<std::tuple<int64_t, int64_t>, bool> byKey, byQuery;
    std::map<int64_t, bool> byDistance;
    auto classOf = [](auto &all, size_t i) {
      return std::find(all.begin(), all.end(), all[i]) - all.begin();
    };
    for (int64_t q = problem.firstQuery; q <= problem.lastQuery; ++q)
      for (int64_t kv = problem.firstKey; kv <= problem.lastKey; ++kv) {
        bool kept = evaluate(tree, problem.inputs, 1, 2, q, kv);
        std::tuple row(classOf(ofQuery, q - problem.firstQuery), kv);
        std::tuple column(classOf(ofKey, kv - problem.firstKey), q);
        if (!*queries && byKey.emplace(row, kept).first->second != kept)
          return "queries of one class differ";
        if (!*keys && byQuery.emplace(column, kept).first->second != kept)
          return "keys of one class differ";
        if (!*distances &&
            byDistance.emplace(q - kv, kept).first->second != kept)
          return "pairs of one distance differ";
      }
    return "";
  }

  MaskContext context() {
    return {index(1),   index(2), index(problem.queries), index(problem.keys),
            captures(), load};
  }
  /// Tables are only read through `load`.
  ValueRange captures() {
    if (captureValues.empty())
      for (Type type : mod.getCaptureTypes().getAsValueRange<TypeAttr>())
        captureValues.push_back(
            type.isInteger(32) ? Value(arith::ConstantIntOp::create(
                                     b, problem.inputs.scalar, 32))
            : type.isInteger(64)
                ? Value(arith::ConstantIntOp::create(
                      b, problem.inputs.longScalar, 64))
                : UnrealizedConversionCastOp::create(b, type, ValueRange{})
                      .getResult(0));
    return captureValues;
  }

  Value valueAt(Value value, int64_t position, bool isRow) {
    ProgramDependence &positions = *logic.dependence();
    SliceCloner slice(b, load);
    slice.map(positions.batch, arith::ConstantIntOp::create(b, 1, 32));
    slice.map(positions.head, arith::ConstantIntOp::create(b, 2, 32));
    slice.map(isRow ? positions.query : positions.key,
              arith::ConstantIntOp::create(b, position, 32));
    for (auto [argument, captured] :
         llvm::zip(mod.getMask().getArguments(), captures()))
      slice.map(argument, captured);
    return slice.get(value);
  }

  Interval partOf(Value part) {
    bool isRow = logic.dependence()->isRow(part);
    int64_t first = isRow ? problem.firstQuery : problem.firstKey;
    int64_t last = isRow ? problem.lastQuery : problem.lastKey;
    Value low, high;
    for (int64_t i = first; i <= last; ++i) {
      Value value = valueAt(part, i, isRow);
      if (isa<FloatType>(part.getType())) {
        low = low ? b.createOrFold<arith::MinimumFOp>(low, value) : value;
        high = high ? b.createOrFold<arith::MaximumFOp>(high, value) : value;
        continue;
      }
      value =
          part.getType().isInteger(1)
              ? b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), value)
              : b.createOrFold<arith::IndexCastOp>(b.getIndexType(), value);
      low = low ? b.createOrFold<arith::MinSIOp>(low, value) : value;
      high = high ? b.createOrFold<arith::MaxSIOp>(high, value) : value;
    }
    // Tables per tile have 32 bits: further out, 64 bits are not bounded.
    auto numbers = std::pair(numberOf(low), numberOf(high));
    if (part.getType().isInteger(64) && numbers.first && numbers.second) {
      low = index(*numbers.first <= INT32_MIN
                      ? INT64_MIN
                      : std::min<int64_t>(*numbers.first, INT32_MAX));
      high = index(*numbers.second >= INT32_MAX
                       ? INT64_MAX
                       : std::max<int64_t>(*numbers.second, INT32_MIN));
    }
    return {low, high, {}};
  }

  Value loadEntry(OpBuilder &builder, LoadOp op, ValueRange indices) {
    std::optional<int64_t> i = numberOf(indices[0]);
    if (!i)
      return UnrealizedConversionCastOp::create(builder, op.getLoc(),
                                                op.getType(), ValueRange{})
          .getResult(0);
    const MaskInputs &in = problem.inputs;
    int64_t last = static_cast<int64_t>(in.table.size()) - 1;
    int64_t clamped = std::max<int64_t>(std::min(*i, last), 0);
    unsigned width = op.getType().getIntOrFloatBitWidth();
    int64_t value = width == 8    ? in.bytes[clamped]
                    : width == 16 ? in.shorts[clamped]
                    : width == 64 ? in.longs[clamped]
                    : width == 1  ? in.flags[clamped]
                                  : in.table[clamped];
    return arith::ConstantIntOp::create(builder, op.getLoc(), value, width);
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  ModOp mod;
  MaskLogic logic;
  const Problem &problem;
  func::FuncOp func;
  ImplicitLocOpBuilder b;
  SmallVector<Value> captureValues;
  std::function<Value(OpBuilder &, LoadOp, ValueRange, Value)> loadFunction =
      [this](OpBuilder &builder, LoadOp op, ValueRange indices, Value) {
        return loadEntry(builder, op, indices);
      };
  LowerLoadFn load = loadFunction;
};

class RandomMasks : public ::testing::Test {
protected:
  RandomMasks() {
    context.loadDialect<AttnDialect, arith::ArithDialect, math::MathDialect,
                        scf::SCFDialect, func::FuncDialect>();
  }

  std::string check(const MaskTree &tree, const Problem &problem,
                    Known *known = nullptr) {
    OwningOpRef<ModuleOp> module =
        parseSourceString<ModuleOp>(toMod(tree), &context);
    if (!module)
      return "does not parse";
    PassManager manager(&context);
    manager.addPass(createAttnTotalModsPass());
    manager.addPass(createCanonicalizerPass());
    // A constant index outside of a table of known size, say.
    ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) {});
    if (failed(manager.run(*module))) {
      ++rejected;
      return "";
    }
    Folder folder(context, *module->getOps<ModOp>().begin(), problem);
    std::string wrong = folder.check(tree);
    if (known)
      *known = folder.known;
    return wrong;
  }

  unsigned rejected = 0;
  MLIRContext context{MLIRContext::Threading::DISABLED};
};

Problem randomProblem(std::mt19937 &random) {
  Problem p;
  p.queries = 1 + random() % 40, p.keys = 1 + random() % 40;
  p.firstQuery = random() % p.queries;
  p.lastQuery = p.firstQuery + random() % (p.queries - p.firstQuery);
  p.firstKey = random() % p.keys;
  p.lastKey = p.firstKey + random() % (p.keys - p.firstKey);
  p.inputs = ::attn::test::randomInputs(random, std::max(p.queries, p.keys));
  return p;
}

TEST_F(RandomMasks, NeverWrong) {
  unsigned programs = ::attn::test::fromEnvironment("ATTN_FUZZ_PROGRAMS", 3000);
  unsigned firstSeed = ::attn::test::fromEnvironment("ATTN_FUZZ_SEED", 1);
  unsigned decided = 0, byClasses = 0, keyRuns = 0, queryRuns = 0;
  for (unsigned seed = firstSeed; seed < firstSeed + programs; ++seed) {
    std::mt19937 random(seed);
    MaskTree tree = ::attn::test::randomMask(random, 3 + random() % 25);
    Problem problem = randomProblem(random);
    Known known;
    std::string wrong = check(tree, problem, &known);
    decided += known.decided, byClasses += known.hasClasses;
    keyRuns += known.keyRuns, queryRuns += known.queryRuns;
    if (wrong.empty())
      continue;
    for (bool shrunk = true; shrunk;) {
      shrunk = false;
      for (const MaskTree &smaller : smallerTrees(tree)) {
        std::string still = check(smaller, problem);
        if (still.empty() || still == "does not parse")
          continue;
        tree = smaller, wrong = still, shrunk = true;
        break;
      }
    }
    ADD_FAILURE() << "seed " << seed << ": " << wrong << "\n"
                  << toMod(tree) << "queries " << problem.firstQuery << " to "
                  << problem.lastQuery << " of " << problem.queries << ", keys "
                  << problem.firstKey << " to " << problem.lastKey << " of "
                  << problem.keys << ", scalar " << problem.inputs.scalar
                  << ", table "
                  << ::testing::PrintToString(problem.inputs.table);
    if (::testing::Test::HasFailure())
      return;
  }
  // An analysis that decides nothing is never wrong either.
  EXPECT_GT(decided, programs / 2);
  EXPECT_GT(byClasses, (programs - decided) / 8);
  EXPECT_GT(keyRuns, programs / 8);
  EXPECT_GT(queryRuns, programs / 8);
  EXPECT_LT(rejected, programs / 50);
  RecordProperty("decided", static_cast<int>(decided));
  RecordProperty("byClasses", static_cast<int>(byClasses));
  RecordProperty("keyRuns", static_cast<int>(keyRuns));
  RecordProperty("queryRuns", static_cast<int>(queryRuns));
}

} // namespace
