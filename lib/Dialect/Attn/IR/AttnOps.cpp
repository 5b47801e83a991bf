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

LogicalResult AttentionOp::verify() {
  if (failed(verifyTensors(*this, getQuery(), getKey(), getValue(), getOut())))
    return failure();
  if (getLse() && failed(verifyRows(*this, getQuery(), "lse", getLse())))
    return failure();
  if (getQueryOffset() &&
      failed(verifyQueryOffset(*this, getQuery(), getQueryOffset())))
    return failure();
  if (!getModAttr() && !getCaptures().empty())
    return emitOpError() << "expects no captures without a mod, got "
                         << getCaptures().size();
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

/// C6, C7
static LogicalResult verifySchedules(AttentionBackwardOp op) {
  for (auto [name, queries] :
       {std::pair("schedule", op.getSchedule()),
        std::pair("capture_schedule", op.getCaptureSchedule())}) {
    if (queries && queries->getTiling().ownsKeys)
      return op.emitOpError() << "expects a '" << name
                              << "' without 'owns_keys', got " << *queries;
  }
  for (auto [name, keys] :
       {std::pair("key_schedule", op.getKeySchedule()),
        std::pair("value_schedule", op.getValueSchedule())}) {
    if (keys && !keys->getTiling().ownsKeys)
      return op.emitOpError()
             << "expects a '" << name << "' with 'owns_keys', got " << *keys;
  }
  // C7
  std::optional<ScheduleAttr> ofQueries = op.getSchedule(),
                              ofKeys = op.getKeySchedule(),
                              ofValues = op.getValueSchedule();
  bool once = ofKeys && ofKeys->getTiling().once;
  if (ofValues && (once || ofValues->getTiling().once))
    return op.emitOpError() << "expects no 'value_schedule' beside 'once'";
  if (once && ofQueries && ofQueries->getRoles().hasProducers())
    return op.emitOpError() << "expects a 'schedule' without producers beside "
                               "'once', got "
                            << *ofQueries;
  if (once && op.getDeterministic())
    return op.emitOpError() << "expects no 'once' where it is 'deterministic'";
  return success();
}

/// C8
static LogicalResult verifyCaptureSchedule(AttentionBackwardOp op) {
  std::optional<ScheduleAttr> schedule = op.getCaptureSchedule();
  if (schedule && schedule->getRoles().hasProducers())
    return op.emitOpError()
           << "expects a 'capture_schedule' without producers, got "
           << *schedule;
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
  if (failed(verifyRows(*this, getQuery(), "lse", getLse())))
    return failure();
  if (getGradLse() &&
      failed(verifyRows(*this, getQuery(), "grad_lse", getGradLse())))
    return failure();
  // C3
  if (getQueryOffset() &&
      failed(verifyQueryOffset(*this, getQuery(), getQueryOffset())))
    return failure();
  if (!getModAttr() && !getCaptures().empty())
    return emitOpError() << "expects no captures without a mod, got "
                         << getCaptures().size();
  if (failed(verifyGradients(*this)) || failed(verifySchedules(*this)))
    return failure();
  return verifyCaptureSchedule(*this);
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
