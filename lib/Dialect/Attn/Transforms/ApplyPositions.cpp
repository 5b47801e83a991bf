// attn-apply-query-offset: see its description in Passes.td.
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Dialect/Attn/Transforms/QueryOffset.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNAPPLYQUERYOFFSETPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// Adds the offset, a new capture behind `captures` others, to the position of
/// the query that `program` sees.
static void addToQuery(Region &program, unsigned captures, Type type) {
  if (program.empty())
    return;
  Block &body = program.front();
  Location loc = program.getLoc();
  Value offset = body.insertArgument(captures, type, loc);
  Value batch = body.getArgument(body.getNumArguments() - 4);
  Value query = body.getArgument(body.getNumArguments() - 2);
  auto b = ImplicitLocOpBuilder::atBlockBegin(loc, &body);
  if (isa<RankedTensorType>(type))
    offset = LoadOp::create(b, b.getI32Type(), offset, batch);
  auto position = arith::AddIOp::create(b, query, offset);
  markPosition(position);
  query.replaceAllUsesExcept(position, position);
}

void mlir::attn::addQueryOffset(ModOp mod, Type type) {
  Builder b(mod.getContext());
  unsigned captures = mod.getNumCaptures();
  std::string name = "query_offset";
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
  addToQuery(mod.getScore(), captures, type);
  addToQuery(mod.getMask(), captures, type);
  addToQuery(mod.getAdjoint(), captures, type);
}

/// Makes the offset of `op` a capture of a mod of its own. The function's
/// argument gets its role.
template <typename Op> static void apply(Op op, SymbolTable &symbols) {
  if (!op.getQueryOffset())
    return;
  Value offset = op.getQueryOffset();
  op.getQueryOffsetMutable().clear();
  ModOp mod = op.lookupMod();
  if (!mod) // Nothing sees a position.
    return;
  auto shifted = cast<ModOp>(mod->clone());
  shifted.setSymName((mod.getSymName() + "_at_offset").str());
  op.setMod(symbols.insert(shifted));
  addQueryOffset(shifted, offset.getType());
  op.getCapturesMutable().append(offset);
  auto argument = dyn_cast<BlockArgument>(offset);
  if (!argument || roleOf(argument))
    return;
  if (auto func =
          dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
      func && argument.getOwner()->isEntryBlock())
    setRole(func, argument.getArgNumber(),
            RoleAttr::get(op.getContext(), Role::QueryOffset));
}

namespace {
struct AttnApplyQueryOffsetPass
    : public mlir::attn::impl::AttnApplyQueryOffsetPassBase<
          AttnApplyQueryOffsetPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    getOperation().walk([&](AttentionOp op) { apply(op, symbols); });
    getOperation().walk([&](AttentionBackwardOp op) { apply(op, symbols); });
  }
};
} // namespace
