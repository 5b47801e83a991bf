// attn-to-tile-lists: from an attention to the functions that find its tiles.
#include "Team.h"
#include "TileFinder.h"

#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOTILELISTSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

using Build = void (*)(ModuleOp, Team &, const TileFinderSpec &);

static void convert(AttentionOp op, bool warps, Build build) {
  auto func = cast<func::FuncOp>(op->getParentOp());
  ModOp mod = op.lookupMod();
  Region none;
  Region &mask = mod && mod.hasMask() ? mod.getMask() : none;
  TileFinderSpec spec{func.getName(),
                      mask,
                      llvm::to_vector(op.getCaptures().getTypes()),
                      captureRolesOf(op),
                      op.getSchedule()->getTiling().q,
                      op.getSchedule()->getTiling().kv};
  std::unique_ptr<Team> team =
      warps ? createWarp(op.getLoc()) : createThread(op.getLoc());
  build(func->getParentOfType<ModuleOp>(), *team, spec);
  replaceByKernels(op, {});
}

namespace {
struct AttnToTileLists
    : mlir::attn::impl::AttnToTileListsPassBase<AttnToTileLists> {
  using AttnToTileListsPassBase::AttnToTileListsPassBase;

  void runOnOperation() override {
    Build build = functions == "lists"        ? buildTileLists
                  : functions == "transposed" ? buildTransposedLists
                  : functions == "pairs"      ? buildPairCounts
                                              : nullptr;
    if (!build) {
      emitError(getOperation().getLoc())
          << "expects 'functions' lists, transposed or pairs, got '"
          << functions << "'";
      return signalPassFailure();
    }
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    for (AttentionOp op : ops)
      if (failed(checkKernelFunction(op)))
        return signalPassFailure();
    for (AttentionOp op : ops)
      convert(op, warps, build);
    eraseMods(getOperation());
  }
};
} // namespace
