// Transposes the tiles whose rows are queries, so that vector lanes are
// queries. See TileQueriesInnermostPass in Passes.td.
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEQUERIESINNERMOSTPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;

/// Whether `op` is a product of two tiles: two parallel dimensions, one
/// reduction, and two inputs. Buffers are not transposed.
static bool isContraction(linalg::GenericOp op) {
  return op.hasPureTensorSemantics() && op.getNumLoops() == 3 &&
         op.getNumReductionLoops() == 1 && op.getNumDpsInputs() == 2 &&
         op.getNumDpsInits() == 1 &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getNumResults() ==
             2 &&
         llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) {
           return map.isProjectedPermutation();
         });
}

static bool isTile(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && type.hasStaticShape();
}

static RankedTensorType transposed(Type type) {
  auto tile = cast<RankedTensorType>(type);
  return RankedTensorType::get({tile.getDimSize(1), tile.getDimSize(0)},
                               tile.getElementType());
}

/// Turns named operations into linalg.generic, so that there is one form to
/// handle; the mark of a zero-safe product stays.
static void generalizeAll(func::FuncOp function) {
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp>(op))
      named.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (linalg::LinalgOp op : named) {
    Attribute zeroSafe = op->getAttr(tile::zeroSafeMark);
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::GenericOp> generic =
        linalg::generalizeNamedOp(rewriter, op);
    assert(succeeded(generic) && "every named operation has a generic form");
    if (zeroSafe)
      (*generic)->setAttr(tile::zeroSafeMark, zeroSafe);
  }
}

/// `value`, a tile, with its elements extended to `type`, next to where it is
/// defined.
static Value widen(Value value, Type type) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  auto tile = cast<RankedTensorType>(value.getType());
  Value empty = tensor::EmptyOp::create(builder, loc, tile.getShape(), type);
  AffineMap map = builder.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, empty.getType(), value, empty,
             ArrayRef<AffineMap>{map, map}, parallel,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value wide = arith::ExtFOp::create(b, loc, type, args[0]);
               linalg::YieldOp::create(b, loc, wide);
             })
      .getResult(0);
}

/// Gives contractions operands of the type of their result.
static void widenContractions(func::FuncOp function) {
  SmallVector<linalg::GenericOp> contractions;
  function.walk([&](linalg::GenericOp op) {
    if (isContraction(op))
      contractions.push_back(op);
  });
  llvm::DenseMap<Value, Value> wideValues;
  for (linalg::GenericOp op : contractions) {
    for (OpOperand *input : op.getDpsInputOperands()) {
      BlockArgument argument = op.getMatchingBlockArgument(input);
      if (!argument.hasOneUse())
        continue;
      auto extension = dyn_cast<arith::ExtFOp>(*argument.getUsers().begin());
      if (!extension)
        continue;
      Value &wide = wideValues[input->get()];
      if (!wide)
        wide = widen(input->get(), extension.getType());
      input->set(wide);
      argument.setType(extension.getType());
      extension.replaceAllUsesWith(static_cast<Value>(argument));
      extension.erase();
    }
  }
}

namespace {
/// The tiles to transpose: all those that share the query dimension with the
/// result of a contraction.
class Transposition {
public:
  explicit Transposition(func::FuncOp function) : function(function) {}

  void run() {
    collect();
    for (Value tile : tiles)
      rewriteDefinition(tile);
    for (Value tile : tiles)
      rewriteUses(tile);
  }

private:
  void collect();
  void add(Value tile) {
    if (isTile(tile))
      tiles.insert(tile);
  }
  void spreadFromUses(Value tile);
  void spreadFromDefinition(Value tile);
  void spreadInGeneric(linalg::GenericOp op, AffineMap map);
  void rewriteDefinition(Value tile);
  void rewriteUses(Value tile);
  static void permuteMap(linalg::GenericOp op, unsigned operand);
  static Value transpose(OpBuilder &builder, Value tile);

  func::FuncOp function;
  llvm::SetVector<Value> tiles;
  /// The materialized transpositions.
  llvm::DenseSet<Operation *> boundaries;
  /// What stands for a tile whose definition could not be changed.
  llvm::DenseMap<Value, Value> transposedAtBoundary;
};
} // namespace

void Transposition::collect() {
  function.walk([&](linalg::GenericOp op) {
    if (isContraction(op))
      add(op.getResult(0));
  });
  for (size_t i = 0; i < tiles.size(); ++i) {
    Value tile = tiles[i];
    spreadFromDefinition(tile);
    spreadFromUses(tile);
  }
}

/// A tile with map (row, x) is transposed: so are all operands whose first
/// dimension is that row.
void Transposition::spreadInGeneric(linalg::GenericOp op, AffineMap map) {
  if (map.getNumResults() != 2 || !map.isProjectedPermutation())
    return;
  AffineExpr row = map.getResult(0);
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap other = op.getMatchingIndexingMap(&operand);
    if (!isTile(operand.get()) || other.getResult(0) != row)
      continue;
    add(operand.get());
    if (op.isDpsInit(&operand))
      add(op.getTiedOpResult(&operand));
  }
}

void Transposition::spreadFromDefinition(Value tile) {
  if (auto argument = dyn_cast<BlockArgument>(tile)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop)
      return;
    add(loop.getTiedLoopInit(argument)->get());
    add(loop.getTiedLoopYieldedValue(argument)->get());
    add(loop.getTiedLoopResult(argument));
    return;
  }
  Operation *op = tile.getDefiningOp();
  unsigned index = cast<OpResult>(tile).getResultNumber();
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return spreadInGeneric(generic, generic.getMatchingIndexingMap(
                                        generic.getDpsInitOperand(index)));
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return add(loop.getRegionIterArg(index));
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    add(branch.thenYield().getOperand(index));
    add(branch.elseYield().getOperand(index));
  }
}

void Transposition::spreadFromUses(Value tile) {
  for (OpOperand &use : tile.getUses()) {
    Operation *user = use.getOwner();
    if (auto generic = dyn_cast<linalg::GenericOp>(user)) {
      spreadInGeneric(generic, generic.getMatchingIndexingMap(&use));
    } else if (auto loop = dyn_cast<scf::ForOp>(user)) {
      add(loop.getTiedLoopRegionIterArg(&use));
    } else if (isa<scf::YieldOp>(user)) {
      Operation *parent = user->getParentOp();
      if (auto loop = dyn_cast<scf::ForOp>(parent))
        add(loop.getRegionIterArg(use.getOperandNumber()));
      else if (isa<scf::IfOp>(parent))
        add(parent->getResult(use.getOperandNumber()));
    }
  }
}

Value Transposition::transpose(OpBuilder &builder, Value tile) {
  Location loc = tile.getLoc();
  RankedTensorType type = transposed(tile.getType());
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(2);
  AffineMap swap = AffineMap::getPermutationMap(ArrayRef<unsigned>{1, 0},
                                                builder.getContext());
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, tile, empty,
             ArrayRef<AffineMap>{swap, identity}, parallel,
             [](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, args[0]);
             })
      .getResult(0);
}

void Transposition::permuteMap(linalg::GenericOp op, unsigned operand) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap map = maps[operand];
  maps[operand] =
      AffineMap::get(map.getNumDims(), 0, {map.getResult(1), map.getResult(0)},
                     op.getContext());
  op.setIndexingMapsAttr(Builder(op.getContext()).getAffineMapArrayAttr(maps));
}

/// Makes the definition of `tile` yield it transposed, or transposes it there.
void Transposition::rewriteDefinition(Value tile) {
  RankedTensorType type = transposed(tile.getType());
  Operation *op = tile.getDefiningOp();
  auto constant = dyn_cast_or_null<arith::ConstantOp>(op);
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue())
                        : SplatElementsAttr();
  if (splat) {
    constant.setValueAttr(splat.resizeSplat(type));
  } else if (op &&
             !isa<linalg::GenericOp, scf::ForOp, scf::IfOp, tensor::EmptyOp>(
                 op)) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    Value result = transpose(builder, tile);
    tile.replaceAllUsesExcept(result, result.getDefiningOp());
    boundaries.insert(result.getDefiningOp());
    transposedAtBoundary.insert({tile, result});
    return;
  }
  tile.setType(type);
}

void Transposition::rewriteUses(Value tile) {
  if (Value result = transposedAtBoundary.lookup(tile))
    tile = result;
  for (OpOperand &use : llvm::make_early_inc_range(tile.getUses())) {
    Operation *user = use.getOwner();
    if (auto generic = dyn_cast<linalg::GenericOp>(user)) {
      if (!boundaries.contains(generic))
        permuteMap(generic, use.getOperandNumber());
    } else if (!isa<scf::ForOp, scf::YieldOp>(user)) {
      OpBuilder builder(user);
      Value back = transpose(builder, tile);
      boundaries.insert(back.getDefiningOp());
      use.set(back);
    }
  }
}

namespace {
struct TileQueriesInnermost
    : public tile::impl::TileQueriesInnermostPassBase<TileQueriesInnermost> {
  void runOnOperation() override {
    generalizeAll(getOperation());
    widenContractions(getOperation());
    Transposition(getOperation()).run();
  }
};
} // namespace
