// The operations around attention in parts, and around what it reads keys from:
// attn.merge and attn.append.
#include "AttentionRules.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

using namespace mlir;
using namespace mlir::attn;

static RankedTensorType typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

static Dimension dimensionOf(StringRef operand, StringRef name, Value tensor,
                             int64_t dimension) {
  return {operand, name, typeOf(tensor).getDimSize(dimension)};
}

namespace {
struct Named {
  StringRef name;
  Value tensor;
};
} // namespace

/// Rank 4, elements like those of `like`, and a static channel dimension from 1
/// to 256.
static LogicalResult verifyTensor(Operation *op, const Named &like,
                                  const Named &given, StringRef channels) {
  RankedTensorType type = typeOf(given.tensor);
  if (type.getRank() != 4)
    return op->emitOpError() << "expects '" << given.name
                             << "' of rank 4, got rank " << type.getRank();
  Type wanted = typeOf(like.tensor).getElementType();
  if (type.getElementType() != wanted)
    return op->emitOpError()
           << "expects '" << given.name << "' elements " << wanted << " like '"
           << like.name << "', got " << type.getElementType();
  return verifyChannels(op, dimensionOf(given.name, channels, given.tensor, 3));
}

/// Names and numbers of the dimensions in which two tensors agree.
using Dimensions = ArrayRef<std::pair<StringRef, int64_t>>;

static LogicalResult verifyAlike(Operation *op, const Named &like,
                                 const Named &given, Dimensions dimensions) {
  for (auto [name, i] : dimensions)
    if (failed(verifySame(op, dimensionOf(like.name, name, like.tensor, i),
                          dimensionOf(given.name, name, given.tensor, i))))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// MergeOp
//===----------------------------------------------------------------------===//

LogicalResult MergeOp::verify() {
  // C1
  auto parts = static_cast<int64_t>(getOuts().size());
  if (parts < 1 || parts > mostParts)
    return emitOpError() << "expects 1 to " << mostParts << " parts, got "
                         << parts;
  if (getLses().size() != getOuts().size())
    return emitOpError() << "expects " << parts << " LSEs for as many parts, "
                         << "got " << getLses().size();
  // C2
  Named out{"out", getOut()};
  if (failed(verifyTensor(*this, out, out, "value dimension")))
    return failure();
  for (Value part : getOuts()) {
    Named given{"outs", part};
    if (failed(verifyTensor(*this, out, given, "value dimension")) ||
        failed(verifyAlike(*this, out, given,
                           {{"batch size", 0},
                            {"head count", 1},
                            {"length", 2},
                            {"value dimension", 3}})))
      return failure();
  }
  // C3
  for (Value lse : getLses())
    if (failed(verifyRows(*this, "out", getOut(), "lses", lse)))
      return failure();
  if (getLse() && failed(verifyRows(*this, "out", getOut(), "lse", getLse())))
    return failure();
  // C4
  if (!getSink())
    return success();
  return verifySame(*this, dimensionOf("out", "head count", getOut(), 1),
                    dimensionOf("sink", "size", getSink(), 0));
}

/// Whether `out` and `lse` are the results of one operation that gives rows
/// without keys an out of zero.
static bool areResultsOfOne(Value out, Value lse) {
  Operation *op = out.getDefiningOp();
  return op && op == lse.getDefiningOp() && isa<AttentionOp, MergeOp>(op) &&
         out == op->getResult(0);
}

/// One part is the whole. What comes from elsewhere may hold anything where
/// there are no keys.
LogicalResult MergeOp::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &all) {
  if (getOuts().size() != 1 || getCount() || getSink())
    return failure();
  Value out = getOuts()[0], lse = getLses()[0];
  if (!areResultsOfOne(out, lse) || out.getType() != getOut().getType() ||
      (getLse() && lse.getType() != getLse().getType()))
    return failure();
  all.push_back(out);
  if (getLse())
    all.push_back(lse);
  return success();
}

//===----------------------------------------------------------------------===//
// AppendOp
//===----------------------------------------------------------------------===//

LogicalResult AppendOp::verify() {
  Named newKey{"new_key", getNewKey()}, newValue{"new_value", getNewValue()},
      key{"key", getKey()}, value{"value", getValue()};
  // C1
  for (const Named &given : {newKey, newValue, key, value}) {
    StringRef channels =
        given.name.ends_with("key") ? "head dimension" : "value dimension";
    if (failed(verifyTensor(*this, newKey, given, channels)))
      return failure();
  }
  // C2
  if (failed(verifyAlike(*this, newKey, key,
                         {{"head dimension", 3}, {"head count", 1}})) ||
      failed(verifyAlike(*this, newValue, value, {{"value dimension", 3}})) ||
      failed(
          verifyAlike(*this, newKey, newValue,
                      {{"batch size", 0}, {"head count", 1}, {"length", 2}})))
    return failure();
  StringRef batch = getPages() ? "page count" : "batch size",
            length = getPages() ? "page rows" : "length";
  if (failed(verifyAlike(*this, key, value,
                         {{batch, 0}, {"head count", 1}, {length, 2}})))
    return failure();
  // C5
  if (failed(
          verifyStarts(*this, "new_key", getNewKey(), "starts", getStarts())))
    return failure();
  // C3, C4
  Dimension sequences =
      sequencesOf("new_key", getNewKey(), "starts", getStarts());
  if (failed(verifySame(*this, sequences,
                        dimensionOf("lengths", "size", getLengths(), 0))))
    return failure();
  if (getPages())
    return verifySame(*this, sequences,
                      dimensionOf("pages", "batch size", getPages(), 0));
  return verifySame(*this, sequences,
                    dimensionOf("key", "batch size", getKey(), 0));
}
