// attn-print-mask-analysis: what the compiler understands of a mask program,
// and what it makes of the tiles of one problem.
#include "attn/Analysis/MaskLogic.h"
#include "attn/Analysis/TileClass.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <limits>

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNPRINTMASKANALYSISPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
struct PrintMaskAnalysis
    : mlir::attn::impl::AttnPrintMaskAnalysisPassBase<PrintMaskAnalysis> {
  using AttnPrintMaskAnalysisPassBase::AttnPrintMaskAnalysisPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    for (int64_t size : {queries.getValue(), keys.getValue(),
                         queryTile.getValue(), keyTile.getValue()})
      if (size < 0 || size > most) {
        getOperation().emitError()
            << "expects sizes from 0 to " << most << ", got " << size;
        return signalPassFailure();
      }
    if (queryTile == 0 || keyTile == 0) {
      getOperation().emitError() << "expects tiles of at least 1 position";
      return signalPassFailure();
    }
    constexpr int64_t mostTiles = 1 << 20;
    if (llvm::divideCeil(queries, queryTile) * llvm::divideCeil(keys, keyTile) >
        mostTiles) {
      getOperation().emitError() << "expects at most " << mostTiles << " tiles";
      return signalPassFailure();
    }
    for (ModOp mod : getOperation().getOps<ModOp>()) {
      if (!mod.standsAlone()) {
        mod.emitOpError() << "expects a mod that stands alone: run "
                             "attn-inline-mods first";
        return signalPassFailure();
      }
      MaskLogic logic(mod.getMask());
      llvm::outs() << "mask of @" << mod.getSymName() << "\n";
      logic.print(llvm::outs());
      for (const MaskLogic::Remark &remark : logic.remarks)
        emitRemark(remark.location) << remark.text;
      if (queries > 0 && keys > 0)
        printTiles(mod, logic);
    }
  }

private:
  /// The IR that a kernel would execute, folded for each tile of one problem.
  void printTiles(ModOp mod, MaskLogic &logic) {
    OpBuilder builder(&getContext());
    auto func = func::FuncOp::create(builder, mod.getLoc(), "tiles",
                                     builder.getFunctionType({}, {}));
    auto b =
        ImplicitLocOpBuilder::atBlockBegin(mod.getLoc(), func.addEntryBlock());
    for (int64_t q = 0; q < queries; q += queryTile) {
      llvm::outs() << "  ";
      for (int64_t kv = 0; kv < keys; kv += keyTile)
        llvm::outs() << classify(b, mod, logic, q, kv);
      llvm::outs() << "\n";
    }
    func->erase();
  }

  /// A part from each of its values, unknown if one of them is.
  Interval partOver(ImplicitLocOpBuilder &b, Value part,
                    ProgramDependence &positions, LowerLoadFn load,
                    int64_t first, int64_t end) {
    bool isFloat = isa<FloatType>(part.getType());
    Value low, high;
    for (int64_t i = first; i < end; ++i) {
      SliceCloner slice(b, load);
      Value zero = arith::ConstantIntOp::create(b, 0, 32);
      slice.map(positions.batch, zero), slice.map(positions.head, zero);
      slice.map(positions.isRow(part) ? positions.query : positions.key,
                arith::ConstantIntOp::create(b, i, 32));
      auto *block = cast<BlockArgument>(positions.batch).getOwner();
      for (BlockArgument capture : block->getArguments().drop_back(4))
        slice.map(capture, UnrealizedConversionCastOp::create(
                               b, capture.getType(), ValueRange{})
                               .getResult(0));
      Value value = slice.get(part);
      if (value.getType().isInteger(1))
        value = b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), value);
      else if (!isFloat)
        value = b.createOrFold<arith::IndexCastOp>(b.getIndexType(), value);
      low = !low      ? value
            : isFloat ? b.createOrFold<arith::MinimumFOp>(low, value)
                      : b.createOrFold<arith::MinSIOp>(low, value);
      high = !high     ? value
             : isFloat ? b.createOrFold<arith::MaximumFOp>(high, value)
                       : b.createOrFold<arith::MaxSIOp>(high, value);
    }
    return {low, high, {}};
  }

  /// '.', '+' or '#' for an empty, partial or full tile, '?' if what it holds
  /// is known at run time only.
  char classify(ImplicitLocOpBuilder &b, ModOp mod, MaskLogic &logic, int64_t q,
                int64_t kv) {
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, value);
    };
    Box box{index(q), index(std::min<int64_t>(q + queryTile, queries) - 1),
            index(kv), index(std::min<int64_t>(kv + keyTile, keys) - 1)};
    SmallVector<Value> unknown;
    for (Attribute type : mod.getCaptureTypes())
      unknown.push_back(UnrealizedConversionCastOp::create(
                            b, cast<TypeAttr>(type).getValue(), ValueRange{})
                            .getResult(0));
    auto placeholder = [&](Type type) -> Value {
      return UnrealizedConversionCastOp::create(b, type, ValueRange{})
          .getResult(0);
    };
    auto load = [&](OpBuilder &, LoadOp op, ValueRange, Value) -> Value {
      return placeholder(op.getType());
    };
    MaskContext context{index(0),    index(0), index(queries),
                        index(keys), unknown,  load};
    TileClass found = emitTileClass(b, logic, context, box, [&](Value part) {
      bool isRow = logic.dependence()->isRow(part);
      return partOver(b, part, *logic.dependence(), load, isRow ? q : kv,
                      isRow ? std::min<int64_t>(q + queryTile, queries)
                            : std::min<int64_t>(kv + keyTile, keys));
    });
    auto known = [](Value value) -> std::optional<bool> {
      if (matchPattern(value, m_One()))
        return true;
      if (matchPattern(value, m_Zero()))
        return false;
      return std::nullopt;
    };
    if (known(found.canKeep) == false)
      return '.';
    if (known(found.canDrop) == false)
      return '#';
    return known(found.doesKeep) == true && known(found.doesDrop) == true ? '+'
                                                                          : '?';
  }
};
} // namespace
