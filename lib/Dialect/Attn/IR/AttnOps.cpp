// The operations of the attn dialect other than the text and the rules of
// attn.mod (ModOp.cpp) and the canonicalisations (AttnFolds.cpp).
#include "AttentionRules.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

#define GET_OP_CLASSES
#include "attn/Dialect/Attn/IR/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// LoadOp
//===----------------------------------------------------------------------===//

LogicalResult LoadOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  // C1
  if (static_cast<int64_t>(getIndices().size()) != table.getRank())
    return emitOpError() << "expects " << table.getRank()
                         << " indices for a table of rank " << table.getRank()
                         << ", got " << getIndices().size();
  // C2
  for (auto [index, size] : llvm::zip_equal(getIndices(), table.getShape())) {
    APInt value;
    if (!matchPattern(index, m_ConstantInt(&value)))
      continue;
    if (value.isNegative())
      return emitOpError() << "expects an index of at least 0, got "
                           << value.getSExtValue();
    if (!ShapedType::isDynamic(size) && value.getSExtValue() >= size)
      return emitOpError() << "expects an index below " << size << ", got "
                           << value.getSExtValue();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The users of a mod
//===----------------------------------------------------------------------===//

LogicalResult ApplyScoreOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

LogicalResult ApplyMaskOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

static float scaleOf(std::optional<APFloat> scale, int64_t headDim) {
  if (scale)
    return scale->convertToFloat();
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(headDim)));
}

float AttentionOp::getScaleValue() { return scaleOf(getScale(), getHeadDim()); }

ModOp AttentionOp::lookupMod() {
  if (!getModAttr())
    return nullptr;
  return SymbolTable::lookupNearestSymbolFrom<ModOp>(*this, getModAttr());
}

// C6
LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getModAttr())
    return success();
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

/// C13, of a schedule.
static LogicalResult verifyInvariant(AttentionOp op, ScheduleAttr schedule) {
  if (!op.getInvariant())
    return success();
  if (schedule.getTiling().shares)
    return op.emitOpError() << "expects a schedule without 'shares' where it "
                               "is 'invariant'";
  if (op.getCuQ() && schedule.getRoles().hasProducers())
    return op.emitOpError() << "expects a schedule without producers where it "
                               "is 'invariant' and has 'cu_q'";
  return success();
}

/// C13, of a guard.
static LogicalResult verifyInvariant(AttentionOp op, VariantAttr variant) {
  if (!op.getInvariant())
    return success();
  for (const ::attn::Condition &condition : variant.getGuard().conditions)
    if (condition.isOfBatch())
      return op.emitOpError()
             << "expects no guard '" << ::attn::toString(condition.kind)
             << "' where it is 'invariant'";
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyTensors(*this, getQuery(), getKey(), getValue(), getOut(),
                           getPages())))
    return failure();
  if (getLse() &&
      failed(verifyRows(*this, "query", getQuery(), "lse", getLse())))
    return failure();
  if (failed(
          verifySequences(*this, {getQuery(), getKey(), getCuQ(), getCuK(),
                                  getQueryOffset(), getLengths(), getPages()})))
    return failure();
  if (!getModAttr() && !getCaptures().empty())
    return emitOpError() << "expects no captures without a mod, got "
                         << getCaptures().size();
  auto suits = [&](ScheduleAttr schedule) -> LogicalResult { // C10
    Tiling tiling = schedule.getTiling();
    if (getCuQ() && tiling.pack)
      return emitOpError() << "expects a schedule without 'pack' beside 'cu_q'";
    if ((getCuQ() || getCuK()) && tiling.hasParts())
      return emitOpError() << "expects a schedule without '"
                           << (tiling.shares ? "shares" : "chunk")
                           << "' beside 'cu_q' or 'cu_k'";
    return verifyInvariant(*this, schedule);
  };
  if (getSchedule() && failed(suits(*getSchedule())))
    return failure();
  if (!getVariants())
    return success();
  for (VariantAttr variant : getVariants()->getVariants()) {
    if (variant.getSchedules().size() != 1) // C8
      return emitOpError() << "expects variants of one schedule each, got "
                           << variant;
    if (failed(suits(variant.getSchedule())) ||
        failed(verifyInvariant(*this, variant)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// AttentionBackwardOp
//===----------------------------------------------------------------------===//

float AttentionBackwardOp::getScaleValue() {
  return scaleOf(getScale(), getHeadDim());
}

ModOp AttentionBackwardOp::lookupMod() {
  if (!getModAttr())
    return nullptr;
  return SymbolTable::lookupNearestSymbolFrom<ModOp>(*this, getModAttr());
}

// C3
LogicalResult
AttentionBackwardOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getModAttr())
    return success();
  return verifyModUse(*this, getModAttr(), getCaptures(), symbols);
}

/// C5
static LogicalResult verifyGradients(AttentionBackwardOp op) {
  ArrayRef<int64_t> wrt = op.getWrt();
  if (op.getGradCaptures().size() != wrt.size())
    return op.emitOpError()
           << "expects " << wrt.size() << " gradients of captures, got "
           << op.getGradCaptures().size();
  int64_t last = -1;
  for (auto [number, gradient] : llvm::zip(wrt, op.getGradCaptures())) {
    if (number <= last ||
        number >= static_cast<int64_t>(op.getCaptures().size()))
      return op.emitOpError() << "expects 'wrt' to number some of the "
                              << op.getCaptures().size()
                              << " captures, ascending, got " << number;
    last = number;
    Type type = op.getCaptures()[number].getType();
    if (!isa<FloatType>(getElementTypeOrSelf(type)))
      return op.emitOpError() << "expects 'wrt' to number captures of floats, "
                                 "got "
                              << number << ", which is " << type;
    Type f32 = Float32Type::get(op.getContext());
    Type wanted = f32;
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      wanted = tensor.clone(f32);
    if (gradient.getType() != wanted)
      return op.emitOpError()
             << "expects the gradient of capture " << number << " to be "
             << wanted << ", got " << gradient.getType();
  }
  return success();
}

namespace {
/// Of an operation or of one of its variants; each may be null.
struct GradientSchedules {
  ScheduleAttr queries, keys, values, captures;
};
} // namespace

static bool isOnce(ScheduleAttr schedule) {
  return schedule && schedule.getTiling().once;
}
static bool hasProducers(ScheduleAttr schedule) {
  return schedule && schedule.getRoles().hasProducers();
}

/// C6 to C8
static LogicalResult verifySchedules(AttentionBackwardOp op,
                                     const GradientSchedules &of) {
  for (auto [name, schedule] : {std::pair("schedule", of.queries),
                                std::pair("capture_schedule", of.captures)}) {
    if (schedule && schedule.getTiling().ownsKeys)
      return op.emitOpError() << "expects a '" << name
                              << "' without 'owns_keys', got " << schedule;
    if (schedule && schedule.getTiling().pack)
      return op.emitOpError()
             << "expects a '" << name << "' without 'pack', got " << schedule;
    if (schedule && schedule.getTiling().hasParts())
      return op.emitOpError()
             << "expects a '" << name << "' without '"
             << (schedule.getTiling().shares ? "shares" : "chunk") << "', got "
             << schedule;
  }
  for (auto [name, schedule] : {std::pair("key_schedule", of.keys),
                                std::pair("value_schedule", of.values)}) {
    if (schedule && !schedule.getTiling().ownsKeys)
      return op.emitOpError()
             << "expects a '" << name << "' with 'owns_keys', got " << schedule;
  }
  // C7
  bool once = isOnce(of.keys);
  if (of.values && (once || isOnce(of.values)))
    return op.emitOpError() << "expects no 'value_schedule' beside 'once'";
  if (once && hasProducers(of.queries))
    return op.emitOpError() << "expects a 'schedule' without producers beside "
                               "'once', got "
                            << of.queries;
  if (once && op.getDeterministic())
    return op.emitOpError() << "expects no 'once' where it is 'deterministic'";
  // C8
  if (hasProducers(of.captures))
    return op.emitOpError()
           << "expects a 'capture_schedule' without producers, got "
           << of.captures;
  return success();
}

/// C9
static LogicalResult verifyVariants(AttentionBackwardOp op) {
  if (!op.getVariants())
    return success();
  for (VariantAttr variant : op.getVariants()->getVariants()) {
    if (!variant.getKeySchedule())
      return op.emitOpError()
             << "expects variants with a 'key_schedule', got " << variant;
    if (failed(verifySchedules(
            op, {variant.getSchedule(), variant.getKeySchedule(),
                 variant.getValueSchedule(), variant.getCaptureSchedule()})))
      return failure();
  }
  return success();
}

LogicalResult AttentionBackwardOp::verify() {
  // C1
  if (failed(verifyTensors(*this, getQuery(), getKey(), getValue(), getOut())))
    return failure();
  // C1, C4
  const std::tuple<StringRef, Type, StringRef, Type> pairs[] = {
      {"grad_out", getGradOut().getType(), "out", getOut().getType()},
      {"grad_query", getGradQuery().getType(), "query", getQuery().getType()},
      {"grad_key", getGradKey().getType(), "key", getKey().getType()},
      {"grad_value", getGradValue().getType(), "value", getValue().getType()}};
  for (auto [name, given, like, wanted] : pairs)
    if (given != wanted)
      return emitOpError() << "expects '" << name << "' to be " << wanted
                           << " like '" << like << "', got " << given;
  // C2
  if (failed(verifyRows(*this, "query", getQuery(), "lse", getLse())))
    return failure();
  if (getGradLse() &&
      failed(verifyRows(*this, "query", getQuery(), "grad_lse", getGradLse())))
    return failure();
  // C3
  if (failed(verifySequences(*this, {getQuery(), getKey(), /*queryStarts=*/{},
                                     /*keyStarts=*/{}, getQueryOffset(),
                                     getLengths(), /*pages=*/{}})))
    return failure();
  if (!getModAttr() && !getCaptures().empty())
    return emitOpError() << "expects no captures without a mod, got "
                         << getCaptures().size();
  if (failed(verifyGradients(*this)) ||
      failed(verifySchedules(*this, {getScheduleAttr(), getKeyScheduleAttr(),
                                     getValueScheduleAttr(),
                                     getCaptureScheduleAttr()})))
    return failure();
  return verifyVariants(*this);
}

//===----------------------------------------------------------------------===//
// AccumulateOp
//===----------------------------------------------------------------------===//

LogicalResult AccumulateOp::verify() {
  auto mod = (*this)->getParentOfType<ModOp>();
  auto table = dyn_cast<BlockArgument>(getTable());
  if (!mod || !mod.getAdjoint().isAncestor((*this)->getParentRegion())) // C1
    return emitOpError() << "expects to be inside of the adjoint program of a "
                            "mod";
  if (!table || table.getParentRegion() != &mod.getAdjoint() ||
      table.getArgNumber() >= mod.getNumCaptures() ||
      !isa<FloatType>(getElementTypeOrSelf(table.getType()))) // C2
    return emitOpError() << "expects a capture of floats, got "
                         << getTable().getType();
  auto tensor = dyn_cast<RankedTensorType>(table.getType());
  int64_t rank = tensor ? tensor.getRank() : 0;
  if (static_cast<int64_t>(getIndices().size()) != rank) // C3
    return emitOpError() << "expects " << rank << " indices, got "
                         << getIndices().size();
  return success();
}
