// Elementwise work and row reductions on tiles in registers.
#include "Distribution.h"
#include "PositionBits.h"
#include "attn/Dialect/Tile/IR/Marks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

#include <array>
#include <cstdlib>
#include <limits>

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// What `value` becomes where `mapping` says nothing: itself, as it is defined
/// outside the body.
static Value lookup(const IRMapping &mapping, Value value) {
  return mapping.lookupOrDefault(value);
}

/// Clones a body without its terminator and returns what it yields.
static Value cloneBody(ImplicitLocOpBuilder &b, Block &body,
                       IRMapping &mapping) {
  for (Operation &op : body.without_terminator())
    if (!mapping.contains(op.getResult(0)))
      b.clone(op, mapping);
  return lookup(mapping, body.getTerminator()->getOperand(0));
}

namespace {

/// How a value changes with the position in the tile: value = base + row * the
/// element's row + column * its column. Only differences and single positions
/// are followed, so that tile offsets cannot make them overflow.
struct Slope {
  int64_t row = 0, column = 0;

  bool isFollowed() const {
    return std::abs(row) <= 1 && std::abs(column) <= 1 && row * column <= 0;
  }
};

class Elementwise {
public:
  Elementwise(Distribution &d, linalg::GenericOp op)
      : d(d), b(d.b), op(op), body(*op.getBody()),
        type(cast<RankedTensorType>(op.getResultTypes().front())),
        isVector(type.getRank() == 1),
        columns(isVector ? 0 : type.getDimSize(1)), bits(d, body, columns) {}

  Fragment emit() {
    for (OpOperand *input : op.getDpsInputOperands())
      inputs.push_back(read(*input));
    for (Value operand : body.getTerminator()->getOperands())
      findNeeded(operand);
    Fragment result;
    for (int64_t i = 0, e = d.fragmentSize(type); i < e; ++i)
      result.push_back(emitElement(i));
    return result;
  }

private:
  /// Adds `value` and what it is made of, up to conditions that are known as
  /// bits.
  void findNeeded(Value value) {
    Operation *definition = value.getDefiningOp();
    if (!definition || definition->getBlock() != &body ||
        !needed.insert(definition).second || (!isVector && bits.covers(value)))
      return;
    definition->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        findNeeded(operand);
    });
  }

  /// Where an element of the result lies in fragments, and in the tile.
  struct Place {
    int64_t element, row, columnBlock, c;
  };

  Place placeOf(int64_t i) {
    if (!isVector)
      return {i, d.rowIndexOf(i, columns), i / 4 % (columns / 8), i % 2};
    return isOfColumns(type) ? Place{i, 0, i / 2, i % 2} : Place{i, i, 0, 0};
  }

  /// Elements of an input, and which of them belongs to one of the result.
  struct Input {
    Fragment elements;
    enum { OfNone, OfElement, OfRow, OfColumn, OfDiagonal } index;
    Value tile = {}; ///< of diagonals, read where elements are used
  };

  Input read(OpOperand &input) {
    Value value = input.get();
    if (!isa<RankedTensorType>(value.getType()))
      return {{value}, Input::OfNone};
    if (isOfDiagonals(cast<RankedTensorType>(value.getType())))
      return {{}, Input::OfDiagonal, value};
    AffineMap map = op.getMatchingIndexingMap(&input);
    if (map.isIdentity())
      return {d.fragmentOf(value, isOfColumns(type)), Input::OfElement};
    bool ofColumns = map.getResult(0) == getAffineDimExpr(1, op.getContext());
    return {d.fragmentOf(value, ofColumns),
            ofColumns ? Input::OfColumn : Input::OfRow};
  }

  Value elementOf(const Input &input, const Place &place) {
    switch (input.index) {
    case Input::OfNone:
      return input.elements.front();
    case Input::OfElement:
      return input.elements[place.element];
    case Input::OfRow:
      return input.elements[place.row];
    case Input::OfColumn:
      return input
          .elements[Distribution::columnIndex(place.columnBlock, place.c)];
    case Input::OfDiagonal:
      return onDiagonal(input.tile, place);
    }
    return Value();
  }

  /// Elements of one diagonal have one: it is read once.
  Value onDiagonal(Value diagonals, const Place &place) {
    int64_t distance = Distribution::firstRowDistance(place.row) -
                       (8 * place.columnBlock + place.c);
    Value &element = onDiagonals[{diagonals, distance}];
    if (!element)
      element = d.diagonal(diagonals, place.row, place.columnBlock, place.c);
    return element;
  }

  Value positionOf(linalg::IndexOp index, const Place &place) {
    bool isColumn = isVector ? isOfColumns(type) : index.getDim() == 1;
    return isColumn ? d.column(place.columnBlock, place.c) : d.row(place.row);
  }

  Value emitElement(int64_t i) {
    Place place = placeOf(i);
    auto [element, row, columnBlock, c] = place;
    IRMapping mapping;
    for (auto [input, argument] : llvm::zip(inputs, op.getRegionInputArgs()))
      mapping.map(argument, elementOf(input, place));
    for (auto position : body.getOps<linalg::IndexOp>())
      mapping.map(position.getResult(), positionOf(position, place));
    for (auto conversion : body.getOps<arith::SIToFPOp>())
      if (Value value = isOfColumns(type)
                            ? Value()
                            : convertPosition(conversion, row, columnBlock, c))
        mapping.map(conversion.getResult(), value);
    for (Operation &op : body.without_terminator())
      if (needed.contains(&op) && !mapping.contains(op.getResult(0))) {
        if (!isVector && bits.covers(op.getResult(0)))
          mapping.map(op.getResult(0),
                      bits.test(op.getResult(0), row, columnBlock, c));
        else if (isVector || !op.hasAttr(neighboursMark))
          b.clone(op, mapping);
        else
          mapping.map(op.getResult(0),
                      ofNeighbours(cast<memref::LoadOp>(op), mapping, place));
      }
    return lookup(mapping, body.getTerminator()->getOperand(0));
  }

  /// Both are read for the first of them, in an instruction that LLVM does not
  /// take apart.
  Value ofNeighbours(memref::LoadOp load, const IRMapping &mapping,
                     const Place &place) {
    Value &both = neighbours[{load, place.element - place.c}];
    if (!both) {
      SmallVector<Value> indices;
      for (Value index : load.getIndices())
        indices.push_back(lookup(mapping, index));
      both =
          loadTwo(load.getType(), d.globalPointer(load.getMemRef(), indices));
    }
    return vector::ExtractOp::create(b, both, place.c);
  }

  Value loadTwo(Type type, Value pointer) {
    bool isWide = type.getIntOrFloatBitWidth() == 32;
    Value both = LLVM::InlineAsmOp::create(
                     b, b.getIntegerType(isWide ? 64 : 32), ValueRange{pointer},
                     isWide ? "ld.global.nc.b64 $0, [$1];"
                            : "ld.global.nc.b32 $0, [$1];",
                     isWide ? "=l,l" : "=r,l", /*has_side_effects=*/false,
                     /*is_align_stack=*/false, LLVM::TailCallKind::None,
                     LLVM::AsmDialectAttr(), ArrayAttr())
                     .getResult(0);
    return LLVM::BitcastOp::create(b, VectorType::get({2}, type), both);
  }

  /// Integers become floats at an eighth of the rate of additions. The float of
  /// a position is made once for the tile's first element of this thread, and
  /// the others are a constant away: exact below 2^24, like the conversion
  /// itself, and within its rounding error above.
  Value convertPosition(arith::SIToFPOp conversion, int64_t row,
                        int64_t columnBlock, int64_t c) {
    std::optional<Slope> slope = slopeOf(conversion.getIn());
    if (!slope || !conversion.getType().isF32())
      return Value();
    Value &base = conversions[conversion];
    if (!base)
      base = convertFirst(conversion);
    int64_t distance = slope->row * Distribution::firstRowDistance(row) +
                       slope->column * (8 * columnBlock + c);
    if (distance == 0)
      return base;
    return arith::AddFOp::create(b, base, d.f32(distance));
  }

  /// The conversion for the thread's first row and column.
  Value convertFirst(arith::SIToFPOp conversion) {
    IRMapping mapping;
    for (auto position : body.getOps<linalg::IndexOp>())
      mapping.map(position.getResult(),
                  position.getDim() == 0 ? d.row(0) : d.column(0, 0));
    cloneWithOperands(conversion.getIn(), mapping);
    Value first = lookup(mapping, conversion.getIn());
    // LLVM would keep those of scores for it, one for each element.
    if (isSummed() && first.getType().isInteger(32))
      first = d.anew(first);
    return arith::SIToFPOp::create(b, conversion.getType(), first);
  }

  /// Whether the result is there for its sums alone, long after scores.
  bool isSummed() {
    return llvm::all_of(op->getUsers(), llvm::IsaPred<linalg::ReduceOp>);
  }

  void cloneWithOperands(Value value, IRMapping &mapping) {
    Operation *definition = value.getDefiningOp();
    if (!definition || definition->getBlock() != &body ||
        mapping.contains(value))
      return;
    for (Value operand : definition->getOperands())
      cloneWithOperands(operand, mapping);
    b.clone(*definition, mapping);
  }

  /// nullopt: it also depends on something else of the element, or is not
  /// followed.
  std::optional<Slope> slopeOf(Value value) {
    Operation *definition = value.getDefiningOp();
    if (!definition)
      return value.getParentBlock() == &body ? std::nullopt
                                             : std::optional<Slope>(Slope());
    if (definition->getBlock() != &body || isa<arith::ConstantOp>(definition))
      return Slope();
    if (auto position = dyn_cast<linalg::IndexOp>(definition))
      return position.getDim() == 0 ? Slope{1, 0} : Slope{0, 1};
    if (isa<arith::IndexCastOp>(definition))
      return slopeOf(definition->getOperand(0));
    if (!isa<arith::AddIOp, arith::SubIOp>(definition))
      return std::nullopt;
    std::optional<Slope> lhs = slopeOf(definition->getOperand(0)),
                         rhs = slopeOf(definition->getOperand(1));
    if (!lhs || !rhs)
      return std::nullopt;
    int64_t sign = isa<arith::AddIOp>(definition) ? 1 : -1;
    Slope sum{lhs->row + sign * rhs->row, lhs->column + sign * rhs->column};
    return sum.isFollowed() ? std::optional<Slope>(sum) : std::nullopt;
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  linalg::GenericOp op;
  Block &body;
  RankedTensorType type;
  bool isVector;
  int64_t columns;
  PositionBits bits;
  llvm::SmallPtrSet<Operation *, 16> needed;
  llvm::DenseMap<Operation *, Value> conversions;
  SmallVector<Input> inputs; ///< in order
  llvm::DenseMap<std::pair<Value, int64_t>, Value> onDiagonals;
  llvm::DenseMap<std::pair<Operation *, int64_t>, Value> neighbours;
};

} // namespace

/// Whether a product of wgmma alone uses `tile`, as what its sums start with.
static bool isStartOfProduct(Value tile) {
  if (!tile.hasOneUse())
    return false;
  auto product = dyn_cast<StartOp>(*tile.user_begin());
  return product && product.getInit() == tile;
}

void tile::emitElementwise(Distribution &d, linalg::GenericOp op) {
  Value result = op.getResult(0);
  Fragment elements = Elementwise(d, op).emit();
  d.parts[result] =
      isStartOfProduct(result) ? asAccumulator(d, elements) : elements;
}

void tile::emitReduce(Distribution &d, linalg::ReduceOp op) {
  Value input = op.getInputs().front();
  int64_t columns = cast<RankedTensorType>(input.getType()).getDimSize(1);
  Fragment elements = d.parts.lookup(input);
  Fragment init = d.parts.lookup(op.getInits().front());
  Block &body = op.getCombiner().front();
  auto combine = [&](Value x, Value y) {
    IRMapping mapping;
    mapping.map(body.getArgument(0), x);
    mapping.map(body.getArgument(1), y);
    return cloneBody(d.b, body, mapping);
  };
  Fragment result;
  for (int64_t row = 0; row < 2 * d.blocks; ++row) {
    SmallVector<Value> own;
    for (auto [i, element] : llvm::enumerate(elements))
      if (d.rowIndexOf(i, columns) == row)
        own.push_back(element);
    // Pairwise, for a short chain of dependences.
    while (own.size() > 1) {
      SmallVector<Value> half;
      for (size_t i = 0; i + 1 < own.size(); i += 2)
        half.push_back(combine(own[i], own[i + 1]));
      if (own.size() % 2)
        half.push_back(own.back());
      own = half;
    }
    Value total = own.front();
    if (!op->hasAttr(withinThreadMark))
      for (int64_t mask : {1, 2})
        total = combine(total, d.shuffleXor(total, mask));
    result.push_back(combine(total, init[row]));
  }
  d.parts[op->getResult(0)] = result;
}

/// Floats above zero are in the order of their bits, whatever the sign of
/// others; and the GPU has a maximum of three integers, but only of two floats.
/// A bound below zero is exceeded by the bits of all.
void tile::emitAnyAbove(Distribution &d, AnyAboveOp op) {
  ImplicitLocOpBuilder &b = d.b;
  int64_t columns =
      cast<RankedTensorType>(op.getTile().getType()).getDimSize(1);
  auto bitsOf = [&](Value x) -> Value {
    return arith::BitcastOp::create(b, b.getI32Type(), x);
  };
  const Fragment bounds = d.parts.lookup(op.getBounds());
  // Several chains, for short ones.
  constexpr size_t chains = 2;
  SmallVector<std::array<Value, chains>> greatest(bounds.size());
  SmallVector<size_t> seen(bounds.size());
  for (auto [i, element] : llvm::enumerate(d.parts.lookup(op.getTile()))) {
    int64_t row = d.rowIndexOf(i, columns);
    Value &sofar = greatest[row][seen[row]++ / 2 % chains];
    Value bits = bitsOf(element);
    sofar = sofar ? arith::MaxSIOp::create(b, sofar, bits) : bits;
  }
  Value any;
  for (auto [bound, chain] : llvm::zip(bounds, greatest)) {
    Value bits = bitsOf(bound);
    Value isNegative =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, bits, d.i32(0));
    bits = arith::SelectOp::create(
        b, isNegative, d.i32(std::numeric_limits<int32_t>::min()), bits);
    for (Value element : chain) {
      if (!element)
        continue;
      Value above =
          arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, element, bits);
      any = any ? arith::OrIOp::create(b, any, above) : above;
    }
  }
  d.parts[op.getResult()] = {NVVM::VoteSyncOp::create(
      b, b.getI1Type(), d.i32(-1), any, NVVM::VoteSyncKind::any)};
}

/// Twice the bits of a number are in the order of its absolute value; one
/// comparison says whether they lie behind the bound's and before infinity's.
void tile::emitAnyBeyond(Distribution &d, AnyBeyondOp op) {
  ImplicitLocOpBuilder &b = d.b;
  constexpr uint32_t infinity = 0xff000000;
  uint32_t least =
      2 * static_cast<uint32_t>(op.getBound().bitcastToAPInt().getZExtValue()) +
      2;
  Value any;
  for (Value element : d.parts.lookup(op.getRows())) {
    Value bits = arith::BitcastOp::create(b, b.getI32Type(), element);
    Value twice = arith::ShLIOp::create(b, bits, d.i32(1));
    Value above =
        arith::SubIOp::create(b, twice, d.i32(static_cast<int32_t>(least)));
    Value beyond =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, above,
                              d.i32(static_cast<int32_t>(infinity - least)));
    any = any ? arith::OrIOp::create(b, any, beyond) : beyond;
  }
  Value now = NVVM::VoteSyncOp::create(b, b.getI1Type(), d.i32(-1), any,
                                       NVVM::VoteSyncKind::any);
  d.parts[op.getResult()] = {arith::OrIOp::create(b, op.getBefore(), now)};
}

void tile::emitCombineThreads(Distribution &d, CombineThreadsOp op) {
  Fragment result;
  for (Value sum : d.parts.lookup(op.getPartial())) {
    for (int64_t mask : {1, 2})
      sum = arith::AddFOp::create(d.b, sum, d.shuffleXor(sum, mask));
    result.push_back(sum);
  }
  d.parts[op.getResult()] = result;
}
