// tile-to-nvvm: walks a kernel in program order, gives each operation on tiles
// to its emitter, and flattens the tiles that loops and branches carry.
#include "Distribution.h"

#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_TILETONVVMPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

class TileToNVVM {
public:
  TileToNVVM(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule)
      : func(func), d(func, schedule) {}

  void run() {
    convertBlock(func.getBody().front());
    // They use each other in both directions: bodies use what loops carry.
    for (Operation *op : dead)
      op->dropAllReferences();
    for (Operation *op : dead)
      op->erase();
  }

private:
  void convertBlock(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      d.b.setInsertionPoint(&op);
      d.b.setLoc(op.getLoc());
      convert(&op);
    }
  }

  void convert(Operation *op) {
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return convertLoop(loop);
    if (auto branch = dyn_cast<scf::IfOp>(op))
      return convertBranch(branch);
    if (auto loop = dyn_cast<scf::WhileOp>(op))
      return convertWhile(loop);
    if (auto copy = dyn_cast<CopyOp>(op)) {
      emitCopy(d, copy);
    } else if (auto view = dyn_cast<ViewOp>(op)) {
      emitView(d, view);
    } else if (auto load = dyn_cast<LoadOp>(op)) {
      load.getHeld() ? emitHeldLoad(d, load) : emitLoad(d, load);
    } else if (auto store = dyn_cast<StoreOp>(op)) {
      store.getHeld() ? emitHeldStore(d, store) : emitStore(d, store);
    } else if (auto add = dyn_cast<ScatterAddOp>(op)) {
      emitScatterAdd(d, add);
    } else if (auto test = dyn_cast<HasNonfiniteOp>(op)) {
      emitHasNonfinite(d, test);
    } else if (auto any = dyn_cast<AnyAboveOp>(op)) {
      emitAnyAbove(d, any);
    } else if (auto any = dyn_cast<AnyBeyondOp>(op)) {
      emitAnyBeyond(d, any);
    } else if (auto combine = dyn_cast<CombineThreadsOp>(op)) {
      emitCombineThreads(d, combine);
    } else if (auto add = dyn_cast<AddNonfiniteOp>(op)) {
      emitAddNonfinite(d, add);
    } else if (auto clear = dyn_cast<ClearNonfiniteOp>(op)) {
      emitClearNonfinite(d, clear);
    } else if (auto isolate = dyn_cast<IsolateNonfiniteOp>(op)) {
      emitIsolateNonfinite(d, isolate);
    } else if (auto ring = dyn_cast<RingOp>(op)) {
      emitRing(d, ring);
    } else if (auto fill = dyn_cast<FillOp>(op)) {
      emitFill(d, fill);
    } else if (auto fill = dyn_cast<FillVectorOp>(op)) {
      emitFillVector(d, fill);
    } else if (auto peek = dyn_cast<PeekOp>(op)) {
      emitPeek(d, peek);
    } else if (auto read = dyn_cast<ReadOp>(op)) {
      emitRead(d, read);
    } else if (auto release = dyn_cast<ReleaseOp>(op)) {
      emitRelease(d, release);
    } else if (auto share = dyn_cast<ShareOp>(op)) {
      emitShare(d, share);
    } else if (auto put = dyn_cast<PutOp>(op)) {
      emitPut(d, put);
    } else if (auto add = dyn_cast<AddToMemoryOp>(op)) {
      emitAddToMemory(d, add);
    } else if (auto draw = dyn_cast<DrawTaskOp>(op)) {
      emitDrawTask(d, draw);
    } else if (auto send = dyn_cast<SendOp>(op)) {
      emitSend(d, send);
    } else if (auto receive = dyn_cast<ReceiveOp>(op)) {
      emitReceive(d, receive);
    } else if (auto drain = dyn_cast<DrainOp>(op)) {
      emitDrain(d, drain);
    } else if (isa<AwaitDrainOp>(op)) {
      emitAwaitDrain(d);
    } else if (auto await = dyn_cast<AwaitOp>(op)) {
      emitAwait(d, await);
    } else if (isa<TakeTurnOp>(op)) {
      emitTakeTurn(d);
    } else if (auto pass = dyn_cast<PassTurnOp>(op)) {
      emitPassTurn(d, pass);
    } else if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      if (!isTile(constant.getType()))
        return;
      convertConstant(constant);
    } else if (auto contract = dyn_cast<linalg::ContractOp>(op)) {
      emitContract(d, contract);
    } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      emitElementwise(d, generic);
    } else if (auto reduce = dyn_cast<linalg::ReduceOp>(op)) {
      emitReduce(d, reduce);
    } else if (!isa<tensor::EmptyOp>(op)) {
      return;
    }
    dead.push_back(op);
  }

  static bool isTile(Type type) { return isa<RankedTensorType>(type); }

  void convertConstant(arith::ConstantOp op) {
    auto splat = cast<SplatElementsAttr>(op.getValue());
    Value scalar = arith::ConstantOp::create(
        d.b, cast<TypedAttr>(splat.getSplatValue<Attribute>()));
    d.parts[op.getResult()] =
        Fragment(d.fragmentSize(cast<RankedTensorType>(op.getType())), scalar);
  }

  //===--- values that regions carry --------------------------------------===//
  // Matrices of 16-bit elements are carried as words.
  static bool inWords(Type type) {
    auto tile = dyn_cast<RankedTensorType>(type);
    return tile && tile.getRank() == 2 && tile.getElementTypeBitWidth() == 16;
  }

  SmallVector<Value> flatten(ValueRange values) {
    SmallVector<Value> flat;
    for (Value value : values) {
      if (inWords(value.getType()))
        llvm::append_range(flat, d.wordsOf(value));
      else if (isTile(value.getType()))
        llvm::append_range(flat, d.parts.lookup(value));
      else
        flat.push_back(value);
    }
    return flat;
  }

  SmallVector<Type> flattenTypes(TypeRange types) {
    SmallVector<Type> flat;
    for (Type type : types) {
      auto tile = dyn_cast<RankedTensorType>(type);
      if (inWords(type))
        flat.append(d.fragmentSize(tile) / 2, d.b.getI32Type());
      else if (tile)
        flat.append(d.fragmentSize(tile), tile.getElementType());
      else
        flat.push_back(type);
    }
    return flat;
  }

  /// The inverse of flatten: `values` stand for `flat`.
  void unflatten(ValueRange values, ValueRange flat) {
    for (Value value : values) {
      auto tile = dyn_cast<RankedTensorType>(value.getType());
      int64_t count = tile ? d.fragmentSize(tile) : 1;
      if (inWords(value.getType()))
        setWords(value, Fragment(flat.take_front(count /= 2)));
      else if (tile)
        d.parts[value] = Fragment(flat.take_front(count));
      else
        value.replaceAllUsesWith(flat.front());
      flat = flat.drop_front(count);
    }
  }

  void setWords(Value tile, Fragment words) {
    Fragment &elements = d.parts[tile];
    elements.clear();
    OpBuilder::InsertionGuard guard(d.b);
    d.b.setInsertionPointAfterValue(words.front());
    auto pair = VectorType::get(
        {2}, cast<RankedTensorType>(tile.getType()).getElementType());
    for (Value word : words) {
      Value vector = LLVM::BitcastOp::create(d.b, pair, word);
      for (int64_t i : {0, 1})
        elements.push_back(vector::ExtractOp::create(d.b, vector, i));
    }
    d.words[tile] = std::move(words);
  }

  void convertLoop(scf::ForOp loop) {
    if (llvm::none_of(loop.getResultTypes(), isTile))
      return convertBlock(*loop.getBody());
    auto flat =
        scf::ForOp::create(d.b, loop.getLowerBound(), loop.getUpperBound(),
                           loop.getStep(), flatten(loop.getInitArgs()));
    Block *from = loop.getBody(), *to = flat.getBody();
    loop.getInductionVar().replaceAllUsesWith(flat.getInductionVar());
    unflatten(loop.getRegionIterArgs(), flat.getRegionIterArgs());
    to->getOperations().splice(to->end(), from->getOperations());
    convertBody(*to);
    unflatten(loop.getResults(), flat.getResults());
    dead.push_back(loop);
  }

  void convertBranch(scf::IfOp branch) {
    if (llvm::none_of(branch.getResultTypes(), isTile)) {
      for (Region *region : branch.getRegions())
        for (Block &block : *region)
          convertBlock(block);
      return;
    }
    auto flat = scf::IfOp::create(d.b, flattenTypes(branch.getResultTypes()),
                                  branch.getCondition(), /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
    for (auto [from, to] :
         llvm::zip(branch->getRegions(), flat->getRegions())) {
      Block &block = to.front();
      block.getOperations().splice(block.end(), from.front().getOperations());
      convertBody(block);
    }
    unflatten(branch.getResults(), flat.getResults());
    dead.push_back(branch);
  }

  /// `number`, and what follows from it, computed again in each attempt: LLVM
  /// would keep it all in registers for an attempt that hardly ever comes.
  Value recomputed(Value number) {
    return LLVM::InlineAsmOp::create(
               d.b, d.b.getI32Type(), ValueRange{number}, "mov.b32 $0, $1;",
               "=r,r", /*has_side_effects=*/true, /*is_align_stack=*/false,
               LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
        .getResult(0);
  }

  /// A loop over tasks carries numbers; one over attempts results in tiles.
  void convertWhile(scf::WhileOp loop) {
    if (llvm::none_of(loop.getResultTypes(), isTile)) {
      convertBlock(*loop.getBeforeBody());
      return convertBlock(*loop.getAfterBody());
    }
    SmallVector<Type> types = flattenTypes(loop.getResultTypes());
    auto flat = scf::WhileOp::create(d.b, types, loop.getInits());
    Block *before = d.b.createBlock(
        &flat.getBefore(), {}, loop.getInits().getTypes(),
        SmallVector<Location>(loop.getInits().size(), loop.getLoc()));
    Block *after =
        d.b.createBlock(&flat.getAfter(), {}, types,
                        SmallVector<Location>(types.size(), loop.getLoc()));
    Block *from = loop.getBeforeBody();
    for (auto [a, b] : llvm::zip(from->getArguments(), before->getArguments()))
      a.replaceAllUsesWith(b);
    before->getOperations().splice(before->end(), from->getOperations());
    after->getOperations().splice(after->end(),
                                  loop.getAfterBody()->getOperations());
    auto condition = cast<scf::ConditionOp>(before->back());
    d.b.setInsertionPointToStart(before);
    Value outside = d.thread;
    d.thread = recomputed(outside);
    for (Operation &op :
         llvm::make_early_inc_range(before->without_terminator())) {
      d.b.setInsertionPoint(&op);
      d.b.setLoc(op.getLoc());
      convert(&op);
    }
    d.thread = outside;
    d.b.setInsertionPoint(condition);
    scf::ConditionOp::create(d.b, condition.getCondition(),
                             flatten(condition.getArgs()));
    condition.erase();
    unflatten(loop.getResults(), flat.getResults());
    dead.push_back(loop);
  }

  /// Converts a body whose yield still yields tiles.
  void convertBody(Block &block) {
    auto yield = cast<scf::YieldOp>(block.back());
    for (Operation &op :
         llvm::make_early_inc_range(block.without_terminator())) {
      d.b.setInsertionPoint(&op);
      d.b.setLoc(op.getLoc());
      convert(&op);
    }
    d.b.setInsertionPoint(yield);
    scf::YieldOp::create(d.b, flatten(yield.getOperands()));
    yield.erase();
  }

  gpu::GPUFuncOp func;
  Distribution d;
  SmallVector<Operation *> dead;
};

struct TileToNVVMDriver
    : mlir::attn::impl::TileToNVVMPassBase<TileToNVVMDriver> {
  using TileToNVVMPassBase::TileToNVVMPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    auto schedule =
        func->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
    if (!schedule)
      return;
    if (failed(checkKernel(func, schedule)))
      return signalPassFailure();
    TileToNVVM(func, schedule).run();
  }
};

} // namespace
