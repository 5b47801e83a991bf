// tile-share-diagonals: see its description in Passes.td.
#include "Earlier.h"
#include "Recompute.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESHAREDIAGONALSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

//===--- what follows from a distance -------------------------------------===//

/// How a value of a body depends on the element's position. Integers of any
/// width count modulo two to its power, so that what wraps does no harm.
struct Dependence {
  enum Kind {
    Linear,     ///< base + row * the element's row + column * its column
    OfDistance, ///< anything that is the same along a diagonal
    Other
  } kind = Other;
  int64_t row = 0, column = 0;

  bool isUniform() const { return kind == Linear && row == 0 && column == 0; }
  bool isOfDistance() const {
    return kind == OfDistance || (kind == Linear && row + column == 0);
  }
  /// Sums keep their slopes small.
  static Dependence linear(int64_t row, int64_t column) {
    constexpr int64_t most = 1 << 20;
    bool isSmall = std::abs(row) <= most && std::abs(column) <= most;
    return isSmall ? Dependence{Linear, row, column} : Dependence();
  }
};

class Distances {
public:
  explicit Distances(linalg::GenericOp op) : op(op), body(*op.getBody()) {}

  /// What is worth it to be made for diagonals alone, in the body's order.
  SmallVector<Value> find() {
    SmallVector<Value> found;
    for (Operation &inner : body.without_terminator())
      for (Value result : inner.getResults())
        if (isWord(result) && isMadeFromDistance(result) &&
            isNeededBeside(result) && isCostly(result))
          found.push_back(result);
    return found;
  }

  /// What the body yields, if the distance decides it.
  Value findResult() {
    Value result = body.getTerminator()->getOperand(0);
    return isMadeFromDistance(result) ? result : Value();
  }

private:
  static bool isWord(Value value) {
    return value.getType().isF32() || value.getType().isInteger(32);
  }

  bool isMadeFromDistance(Value value) {
    Dependence on = dependenceOf(value);
    return on.isOfDistance() && !on.isUniform();
  }

  /// Whether something else than a word of the same diagonal is made of it.
  bool isNeededBeside(Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      user = body.findAncestorOpInBlock(*user);
      if (user == body.getTerminator() || user->getNumResults() != 1)
        return true;
      Value result = user->getResult(0);
      if (!dependenceOf(result).isOfDistance())
        return true;
      return !isWord(result) && isNeededBeside(result);
    });
  }

  Dependence dependenceOf(Value value) {
    Operation *definition = value.getDefiningOp();
    if (value.getParentBlock() != &body)
      return Dependence::linear(0, 0);
    if (!definition) {
      OpOperand *input = op.getMatchingOpOperand(cast<BlockArgument>(value));
      return isa<RankedTensorType>(input->get().getType())
                 ? Dependence()
                 : Dependence::linear(0, 0);
    }
    auto known = dependences.find(value);
    if (known != dependences.end())
      return known->second;
    return dependences[value] = compute(definition);
  }

  Dependence compute(Operation *definition) {
    if (auto position = dyn_cast<linalg::IndexOp>(definition))
      return position.getDim() == 0 ? Dependence::linear(1, 0)
                                    : Dependence::linear(0, 1);
    auto operand = [&](unsigned i) {
      return dependenceOf(definition->getOperand(i));
    };
    if (isa<arith::AddIOp, arith::SubIOp>(definition)) {
      Dependence lhs = operand(0), rhs = operand(1);
      int64_t sign = isa<arith::AddIOp>(definition) ? 1 : -1;
      if (lhs.kind == Dependence::Linear && rhs.kind == Dependence::Linear)
        return Dependence::linear(lhs.row + sign * rhs.row,
                                  lhs.column + sign * rhs.column);
    }
    // Not the other way, as what wraps in 32 bits does not in 64.
    if (isa<arith::IndexCastOp>(definition) &&
        definition->getResult(0).getType().isInteger(32) &&
        operand(0).kind == Dependence::Linear)
      return operand(0);
    return ofFunction(definition);
  }

  /// Of what `definition` makes of its operands, and of those of what is inside
  /// of it.
  Dependence ofFunction(Operation *definition) {
    bool isUniform = true, isOfDistance = true;
    definition->walk([&](Operation *inner) {
      // Captured tables are not written while they are read.
      isOfDistance &= isa<memref::LoadOp>(inner) || isMemoryEffectFree(inner) ||
                      inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>();
      for (Value used : inner->getOperands()) {
        if (definition->isAncestor(used.getParentRegion()->getParentOp()))
          continue;
        Dependence on = dependenceOf(used);
        isUniform &= on.isUniform();
        isOfDistance &= on.isOfDistance();
      }
    });
    if (!isOfDistance)
      return Dependence();
    return isUniform ? Dependence::linear(0, 0)
                     : Dependence{Dependence::OfDistance, 0, 0};
  }

  //===--- costs ----------------------------------------------------------===//
  /// In instructions of the least kind, about: an element of shared memory is
  /// two, for each one and a half elements of the tile.
  static constexpr int64_t least = 8;

  bool isCostly(Value value) {
    llvm::SetVector<Operation *> needed;
    collect(value, needed);
    int64_t cost = 0;
    for (Operation *op : needed)
      op->walk([&](Operation *inner) { cost += costOf(inner); });
    return cost >= least;
  }

  void collect(Value value, llvm::SetVector<Operation *> &needed) {
    Operation *definition = value.getDefiningOp();
    if (!definition || definition->getBlock() != &body ||
        dependenceOf(value).isUniform() || !needed.insert(definition))
      return;
    definition->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        collect(operand, needed);
    });
  }

  static int64_t costOf(Operation *op) {
    if (isa<linalg::IndexOp, arith::ConstantOp, arith::IndexCastOp>(op) ||
        op->hasTrait<OpTrait::IsTerminator>())
      return 0;
    if (isa<memref::LoadOp>(op))
      return 8;
    if (isa<arith::DivFOp>(op) || isa<math::MathDialect>(op->getDialect()))
      return 8;
    if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
            arith::CeilDivSIOp, arith::FloorDivSIOp, arith::CeilDivUIOp>(op))
      return matchPattern(op->getOperand(1), m_Constant()) ? 4 : 16;
    if (isa<arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::FPToUIOp>(
            op))
      return 2;
    return 1;
  }

  linalg::GenericOp op;
  Block &body;
  llvm::DenseMap<Value, Dependence> dependences;
};

//===--- taking it out ----------------------------------------------------===//

class DiagonalSharer {
public:
  DiagonalSharer(gpu::GPUFuncOp func, ScheduleAttr schedule)
      : func(func), roles(schedule.getRoles()),
        rows(schedule.getTiling().getRows()), bytes(sharedBytesOf(func)),
        most(mostBytes(bytes, roles.getThreads())) {}

  void run() {
    SmallVector<ScatterAddOp> sums;
    func.walk([&](ScatterAddOp op) { sums.push_back(op); });
    for (ScatterAddOp op : sums)
      sumBefore(op);
    func.walk([&](linalg::GenericOp op) {
      auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
      if (type && type.getRank() == 2 && isOfRows(type) &&
          type.getDimSize(0) == rows)
        shareIn(op);
    });
    setSharedBytes(func, bytes);
  }

private:
  /// So that no fewer blocks fit a multiprocessor: of 228 KB, of which the
  /// system takes one for each, and of threads with a tile each. And not past
  /// what the smallest GPUs give a block.
  static int64_t mostBytes(int64_t bytes, int64_t threads) {
    constexpr int64_t all = 228 * 1024, ofSystem = 1024, smallest = 99 * 1024,
                      mostThreads = 512;
    int64_t blocks = std::max<int64_t>(
        1, std::min(all / (bytes + ofSystem), mostThreads / threads));
    int64_t most = all / blocks - ofSystem;
    return bytes <= smallest ? std::min(most, smallest) : most;
  }

  void shareIn(linalg::GenericOp op) {
    SmallVector<Value> found = Distances(op).find();
    // The last first: those before may be part of it.
    for (Value value : llvm::reverse(found)) {
      int64_t columns =
          cast<RankedTensorType>(op.getResult(0).getType()).getDimSize(1);
      int64_t ofWarp = shared::diagonalsOfWarp(rows / roles.warps, columns);
      op = withInput(op, value, share(op, value, columns, placeFor(ofWarp)));
    }
  }

  /// Where the distance decides to which element a number is added, those of a
  /// diagonal are summed before, if there is room.
  void sumBefore(ScatterAddOp op) {
    auto places = op.getPlaces().getDefiningOp<linalg::GenericOp>();
    auto tile = cast<RankedTensorType>(op.getTile().getType());
    if (!places || op.getDistinct() || tile.getRank() != 2)
      return;
    Value place = Distances(places).findResult();
    int64_t columns = tile.getDimSize(1);
    IntegerAttr offset;
    if (place)
      offset =
          placeFor(shared::diagonalSumsOfWarp(rows / roles.warps, columns));
    if (!offset)
      return;
    Value diagonals = share(places, place, columns, /*offset=*/{});
    OpBuilder b(op);
    auto type = RankedTensorType::get(
        {rows + columns - 1}, tile.getElementType(),
        DiagonalsAttr::get(b.getContext(), /*lanes=*/true));
    Value sums =
        SumDiagonalsOp::create(b, op.getLoc(), type, op.getTile(), offset);
    op.getTileMutable().assign(sums);
    op.getPlacesMutable().assign(diagonals);
    if (places->use_empty())
      places.erase();
  }

  /// Each has a place of its own: what is read of one stays while others are
  /// made. Null if there is no room.
  IntegerAttr placeFor(int64_t ofWarp) {
    int64_t offset = llvm::alignTo(bytes, 16);
    int64_t end = offset + roles.warps * roles.keyWarps * ofWarp;
    if (end > most)
      return IntegerAttr();
    bytes = end;
    return Builder(func.getContext()).getI64IntegerAttr(offset);
  }

  /// Without an offset lanes keep what they make.
  Value share(linalg::GenericOp op, Value value, int64_t columns,
              IntegerAttr offset) {
    ImplicitLocOpBuilder b(value.getLoc(), func);
    setInsertionPoint(b, op);
    auto type =
        RankedTensorType::get({rows + columns - 1}, value.getType(),
                              DiagonalsAttr::get(b.getContext(), !offset));
    auto diagonals = DiagonalsOp::create(b, type, offset);
    Block &block = diagonals.getBody().emplaceBlock();
    Value row = block.addArgument(b.getIndexType(), b.getLoc());
    b.setInsertionPointToStart(&block);
    Value column = arith::ConstantIndexOp::create(b, 0);
    IRMapping mapping;
    for (auto position : op.getBody()->getOps<linalg::IndexOp>())
      mapping.map(position.getResult(), position.getDim() == 0 ? row : column);
    for (OpOperand *input : op.getDpsInputOperands())
      if (!isa<RankedTensorType>(input->get().getType()))
        mapping.map(op.getMatchingBlockArgument(input), input->get());
    Value made = recompute(b, value, op.getRegion(), mapping);
    tile::YieldOp::create(b, ValueRange{made});
    return diagonals.getResult();
  }

  /// Before the wait for the product that the tile is made of, if what the body
  /// needs can be there by then; else before `op`.
  void setInsertionPoint(OpBuilder &b, linalg::GenericOp op) {
    b.setInsertionPoint(op);
    for (Value input : op.getDpsInputs())
      if (auto await = input.getDefiningOp<AwaitOp>();
          await && await->getBlock() == op->getBlock() &&
          moveNeededBefore(await, op, op.getDpsInputs()))
        return b.setInsertionPoint(await);
  }

  /// `op` with elements of `diagonals` in the place of `value`.
  linalg::GenericOp withInput(linalg::GenericOp op, Value value,
                              Value diagonals) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    SmallVector<Value> inputs(op.getDpsInputs());
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    maps.insert(maps.begin() + inputs.size(),
                diagonalsOf(b.getContext(), type.getDimSize(1)));
    inputs.push_back(diagonals);
    auto result = linalg::GenericOp::create(b, type, inputs, op.getOutputs(),
                                            maps, op.getIteratorTypesArray());
    result.getRegion().takeBody(op.getRegion());
    Block &body = result.getRegion().front();
    Value element =
        body.insertArgument(inputs.size() - 1, value.getType(), value.getLoc());
    value.replaceAllUsesWith(element);
    eraseUnused(body);
    op.replaceAllUsesWith(result);
    op.erase();
    return result;
  }

  static void eraseUnused(Block &body) {
    for (Operation *inner = body.getTerminator()->getPrevNode(); inner;) {
      Operation *before = inner->getPrevNode();
      if (isOpTriviallyDead(inner))
        inner->erase();
      inner = before;
    }
  }

  gpu::GPUFuncOp func;
  WarpRoles roles;
  int64_t rows, bytes, most;
};

struct TileShareDiagonals
    : tile::impl::TileShareDiagonalsPassBase<TileShareDiagonals> {
  using TileShareDiagonalsPassBase::TileShareDiagonalsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (auto schedule = func->getAttrOfType<ScheduleAttr>("attn.schedule"))
      DiagonalSharer(func, schedule).run();
  }
};

} // namespace
