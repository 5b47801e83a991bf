// attn-apply-positions: see its description in Passes.td.
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Attn/Transforms/Positions.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNAPPLYPOSITIONSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// Gives `mod` a new last capture, called `name` or something like it. Its
/// programs get the argument.
static void addCapture(ModOp mod, std::string name, Type type) {
  Builder b(mod.getContext());
  unsigned captures = mod.getNumCaptures();
  SmallVector<Attribute> names(mod.getCaptureNames().getValue());
  while (llvm::is_contained(names, b.getStringAttr(name)))
    name += "_";
  names.push_back(b.getStringAttr(name));
  SmallVector<Attribute> types(mod.getCaptureTypes().getValue());
  types.push_back(TypeAttr::get(type));
  mod.setCaptureNamesAttr(b.getArrayAttr(names));
  mod.setCaptureTypesAttr(b.getArrayAttr(types));
  if (std::optional<ArrayAttr> given = mod.getCaptureAttrs()) {
    SmallVector<Attribute> attributes(given->getValue());
    attributes.push_back(b.getDictionaryAttr({}));
    mod.setCaptureAttrsAttr(b.getArrayAttr(attributes));
  }
  for (Region *program : {&mod.getScore(), &mod.getMask(), &mod.getAdjoint()})
    if (!program->empty())
      program->insertArgument(captures, type, program->getLoc());
}

/// The last capture of `mod` for this batch, at the begin of `program`.
static Value lastCapture(ImplicitLocOpBuilder &b, ModOp mod, Block &program) {
  Value captured = program.getArgument(mod.getNumCaptures() - 1);
  if (!isa<RankedTensorType>(captured.getType()))
    return captured;
  Value batch = program.getArgument(program.getNumArguments() - 4);
  return LoadOp::create(b, b.getI32Type(), captured, batch);
}

/// Adds the offset, the last capture of `mod`, to the position of the query
/// that `program` sees.
static void addToQuery(ModOp mod, Region &program) {
  if (program.empty())
    return;
  Block &body = program.front();
  auto b = ImplicitLocOpBuilder::atBlockBegin(program.getLoc(), &body);
  Value query = body.getArgument(body.getNumArguments() - 2);
  Value offset = lastCapture(b, mod, body);
  auto position = arith::AddIOp::create(b, query, offset);
  markPosition(position);
  query.replaceAllUsesExcept(position, position);
}

void mlir::attn::addQueryOffset(ModOp mod, Type type) {
  addCapture(mod, "query_offset", type);
  for (Region *program : {&mod.getScore(), &mod.getMask(), &mod.getAdjoint()})
    addToQuery(mod, *program);
}

/// A mask that keeps every pair.
static void makeMask(ModOp mod) {
  auto b = ImplicitLocOpBuilder::atBlockBegin(mod.getLoc(),
                                              &mod.getMask().emplaceBlock());
  SmallVector<Type> types(mod.getCaptureTypes().getAsValueRange<TypeAttr>());
  types.append(4, b.getI32Type()); // b, h, q, kv
  for (Type type : types)
    mod.getMask().addArgument(type, mod.getLoc());
  YieldOp::create(b, arith::ConstantIntOp::create(b, 1, 1));
}

void mlir::attn::addLengths(ModOp mod, Type type) {
  addCapture(mod, "lengths", type);
  if (!mod.hasMask())
    makeMask(mod);
  Block &body = mod.getMask().front();
  auto b = ImplicitLocOpBuilder::atBlockBegin(mod.getMask().getLoc(), &body);
  Value length = lastCapture(b, mod, body);
  Operation *yield = body.getTerminator();
  b.setInsertionPoint(yield);
  Value key = body.getArguments().back();
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, key, length);
  yield->setOperand(0, arith::AndIOp::create(b, yield->getOperand(0), exists));
}

/// Says what a function's argument is that has become a capture.
static void giveRole(Value capture, Role role) {
  auto argument = dyn_cast<BlockArgument>(capture);
  if (!argument || roleOf(argument))
    return;
  if (auto func =
          dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
      func && argument.getOwner()->isEntryBlock())
    setRole(func, argument.getArgNumber(),
            RoleAttr::get(func.getContext(), role));
}

/// A copy of the mod of `op` for it alone, or one without programs.
template <typename Op>
static ModOp ownMod(Op op, StringRef suffix, SymbolTable &symbols) {
  ModOp own;
  if (ModOp mod = op.lookupMod()) {
    own = cast<ModOp>(mod->clone());
    own.setSymName((mod.getSymName() + suffix).str());
  } else {
    OpBuilder b(op.getContext());
    own = ModOp::create(b, op.getLoc(), suffix.ltrim('_'), b.getArrayAttr({}),
                        b.getArrayAttr({}), /*capture_attrs=*/ArrayAttr());
  }
  op.setMod(symbols.insert(own));
  return own;
}

/// Makes the offset and the lengths of `op` captures of a mod of its own.
template <typename Op> static void apply(Op op, SymbolTable &symbols) {
  Value offset = op.getQueryOffset(), lengths = op.getLengths();
  op.getQueryOffsetMutable().clear();
  op.getLengthsMutable().clear();
  if (!op.lookupMod()) // Nothing sees a position of a query.
    offset = {};
  if (!offset && !lengths)
    return;
  ModOp mod = ownMod(op,
                     offset && lengths ? "_at_offset_within_lengths"
                     : offset          ? "_at_offset"
                                       : "_within_lengths",
                     symbols);
  if (offset) {
    addQueryOffset(mod, offset.getType());
    op.getCapturesMutable().append(offset);
    giveRole(offset, Role::QueryOffset);
  }
  if (lengths) {
    addLengths(mod, lengths.getType());
    op.getCapturesMutable().append(lengths);
    giveRole(lengths, Role::Lengths);
  }
}

namespace {
struct AttnApplyPositionsPass
    : public mlir::attn::impl::AttnApplyPositionsPassBase<
          AttnApplyPositionsPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    getOperation().walk([&](AttentionOp op) { apply(op, symbols); });
    getOperation().walk([&](AttentionBackwardOp op) { apply(op, symbols); });
  }
};
} // namespace
