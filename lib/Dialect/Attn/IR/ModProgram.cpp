// Cloning the program of a mod into a lowering. See ModProgram.h.
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::attn;

namespace {
/// One program on its way into a lowering.
class ProgramCloner {
public:
  ProgramCloner(OpBuilder &builder, Location loc, LowerLoadFn lowerLoad,
                ProgramOptions options)
      : builder(builder), loc(loc), lowerLoad(lowerLoad), options(options) {}

  Value clone(Region &program, ValueRange captures, ValueRange args);

private:
  void cloneBody(Block &block);
  void cloneOp(Operation &op);
  void cloneIf(scf::IfOp op);
  void cloneBranch(Region &from, Region &to);
  void cloneLoad(LoadOp op);
  bool cloneFloatOp(Operation &op);

  Type convert(Type type) {
    return options.f64 && isa<FloatType>(type) ? builder.getF64Type() : type;
  }
  /// A float as the options want it; anything else unchanged.
  Value extend(Value value) {
    Type type = convert(value.getType());
    if (type == value.getType())
      return value;
    return arith::ExtFOp::create(builder, loc, type, value);
  }
  SmallVector<Value> lookup(ValueRange values) {
    return llvm::map_to_vector(
        values, [&](Value value) { return mapping.lookup(value); });
  }

  OpBuilder &builder;
  Location loc;
  LowerLoadFn lowerLoad;
  ProgramOptions options;
  IRMapping mapping;
};
} // namespace

Value ProgramCloner::clone(Region &program, ValueRange captures,
                           ValueRange args) {
  Block &body = program.front();
  size_t count = captures.size();
  assert(body.getNumArguments() == count + args.size() &&
         "expects a value for each argument");
  for (auto [arg, value] :
       llvm::zip_equal(body.getArguments().take_front(count), captures))
    mapping.map(arg, extend(value));
  for (auto [arg, value] :
       llvm::zip_equal(body.getArguments().drop_front(count), args))
    mapping.map(arg, extend(value));
  cloneBody(body);
  return mapping.lookup(cast<YieldOp>(body.getTerminator()).getResult());
}

void ProgramCloner::cloneBody(Block &block) {
  for (Operation &op : block.without_terminator())
    cloneOp(op);
}

void ProgramCloner::cloneOp(Operation &op) {
  assert(!(isa<ApplyScoreOp, ApplyMaskOp>(op)) &&
         "expects a mod that stands alone");
  if (auto load = dyn_cast<LoadOp>(op))
    return cloneLoad(load);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return cloneIf(branch);
  if (options.f64 && cloneFloatOp(op))
    return;

  OperationState state(op.getLoc(), op.getName());
  state.addOperands(lookup(op.getOperands()));
  state.addTypes(llvm::map_to_vector(op.getResultTypes(),
                                     [&](Type type) { return convert(type); }));
  state.addAttributes(op.getAttrs());
  mapping.map(op.getResults(), builder.create(state)->getResults());
}

/// The operations whose meaning depends on which float type it is. Returns
/// false for all others.
bool ProgramCloner::cloneFloatOp(Operation &op) {
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    mapping.map(op.getResult(0), mapping.lookup(op.getOperand(0)));
    return true;
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto value = dyn_cast<FloatAttr>(constant.getValue());
    if (!value)
      return false;
    auto attr = builder.getF64FloatAttr(value.getValueAsDouble());
    mapping.map(constant.getResult(),
                arith::ConstantOp::create(builder, op.getLoc(), attr));
    return true;
  }
  if (auto cast = dyn_cast<arith::BitcastOp>(op)) {
    // The bits are those of the type that the program names.
    Value value = mapping.lookup(cast.getIn());
    Type from = cast.getIn().getType();
    if (value.getType() != from)
      value = arith::TruncFOp::create(builder, op.getLoc(), from, value);
    value =
        arith::BitcastOp::create(builder, op.getLoc(), cast.getType(), value);
    mapping.map(cast.getResult(), extend(value));
    return true;
  }
  return false;
}

void ProgramCloner::cloneLoad(LoadOp op) {
  Value value = lowerLoad(builder, op, lookup(op.getIndices()),
                          mapping.lookup(op.getTable()));
  mapping.map(op.getResult(), extend(value));
}

void ProgramCloner::cloneIf(scf::IfOp op) {
  auto types = llvm::map_to_vector(op.getResultTypes(),
                                   [&](Type type) { return convert(type); });
  auto clone = scf::IfOp::create(
      builder, op.getLoc(), types, mapping.lookup(op.getCondition()),
      /*addThenBlock=*/false, /*addElseBlock=*/false);
  OpBuilder::InsertionGuard guard(builder);
  cloneBranch(op.getThenRegion(), clone.getThenRegion());
  cloneBranch(op.getElseRegion(), clone.getElseRegion());
  mapping.map(op.getResults(), clone.getResults());
}

void ProgramCloner::cloneBranch(Region &from, Region &to) {
  if (from.empty())
    return;
  builder.createBlock(&to);
  cloneBody(from.front());
  Operation *yield = from.front().getTerminator();
  scf::YieldOp::create(builder, yield->getLoc(), lookup(yield->getOperands()));
}

Value mlir::attn::inlineProgram(OpBuilder &builder, Location loc,
                                Region &program, ValueRange captures,
                                ValueRange args, LowerLoadFn lowerLoad,
                                ProgramOptions options) {
  return ProgramCloner(builder, loc, lowerLoad, options)
      .clone(program, captures, args);
}

Type mlir::attn::contiguousMemoryType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  SmallVector<int64_t> shape(tensor.getRank(), ShapedType::kDynamic);
  return MemRefType::get(shape, tensor.getElementType());
}

Value mlir::attn::loadFromMemory(OpBuilder &builder, LoadOp load,
                                 ValueRange indices, Value table) {
  Location loc = load.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  SmallVector<Value> positions;
  for (auto [i, index] : llvm::enumerate(indices)) {
    Value position =
        arith::IndexCastOp::create(builder, loc, builder.getIndexType(), index);
    if (!isa<BlockArgument>(load.getIndices()[i])) {
      Value last = arith::SubIOp::create(
          builder, loc, memref::DimOp::create(builder, loc, table, i),
          constant(1));
      position = arith::MaxSIOp::create(
          builder, loc, arith::MinSIOp::create(builder, loc, position, last),
          constant(0));
    }
    positions.push_back(position);
  }
  return memref::LoadOp::create(builder, loc, table, positions);
}
