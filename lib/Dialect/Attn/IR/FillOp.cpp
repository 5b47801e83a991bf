// attn.fill and attn.size: data of captures, element by element.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/SizeExpression.h"

using namespace mlir;
using namespace mlir::attn;

Type FillOp::getElementType() {
  return cast<YieldOp>(getBody().front().getTerminator()).getResult().getType();
}

void FillOp::getAsmBlockArgumentNames(Region &region,
                                      OpAsmSetValueNameFn setName) {
  static constexpr StringRef names[] = {"i", "j", "k", "l"};
  for (auto [argument, name] : llvm::zip(region.getArguments(), names))
    setName(argument, name);
}

ParseResult FillOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr symbol;
  SmallVector<OpAsmParser::Argument> indices;
  Region *body = result.addRegion();
  SMLoc start = parser.getCurrentLocation();
  if (parser.parseSymbolName(symbol, getSymNameAttrName(result.name),
                             result.attributes) ||
      parser.parseArgumentList(indices, OpAsmParser::Delimiter::OptionalParen,
                               /*allowType=*/true) ||
      parser.parseRegion(*body, indices, /*enableNameShadowing=*/true))
    return failure();
  if (body->empty())
    return parser.emitError(start, "expects a body");
  return parser.parseOptionalAttrDictWithKeyword(result.attributes);
}

void FillOp::print(OpAsmPrinter &p) {
  p << ' ';
  p.printSymbolName(getSymName());
  if (getBody().getNumArguments() != 0) {
    p << '(';
    llvm::interleaveComma(getBody().getArguments(), p, [&](BlockArgument arg) {
      p.printRegionArgument(arg);
    });
    p << ')';
  }
  p << ' ';
  p.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  p.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                     {getSymNameAttrName()});
}

/// C2: whether `op` may stand in a fill.
static bool isFillOp(Operation *op) {
  if (isa<SizeOp, YieldOp>(op))
    return true;
  StringRef name = op->getName().getStringRef();
  bool isKnown = name.starts_with("arith.") || name.starts_with("math.") ||
                 llvm::is_contained({"scf.if", "scf.for", "scf.while",
                                     "scf.condition", "scf.yield"},
                                    name);
  return isKnown && isMemoryEffectFree(op);
}

static bool isFillType(Type type) {
  return isCaptureElement(type) || type.isF64() || type.isIndex();
}

LogicalResult FillOp::verifyRegions() {
  if (!isa<YieldOp>(getBody().front().getTerminator()))
    return emitOpError() << "expects to end with 'attn.yield'";
  for (Type type : getBody().getArgumentTypes()) // C1
    if (!type.isInteger(32))
      return emitOpError() << "expects indices of type 'i32', got " << type;
  WalkResult walk = getBody().walk<WalkOrder::PreOrder>([](Operation *op) {
    if (!isFillOp(op)) { // C2
      op->emitError() << "'" << op->getName()
                      << "' op is not allowed in a fill: expects arith, math, "
                         "attn.size, scf.if, scf.for and scf.while";
      return WalkResult::interrupt();
    }
    for (Type type : op->getResultTypes())
      if (!isFillType(type)) {
        op->emitError() << "'" << op->getName() << "' op result of type "
                        << type << " is not allowed in a fill: expects "
                        << captureElements << ", f64 or index";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult SizeOp::verify() {
  if (!(*this)->getParentOfType<FillOp>()) // C1
    return emitOpError() << "expects to be inside of an 'attn.fill'";
  std::string error;
  if (!SizeExpression::parse(getExpression(), error)) // C2
    return emitOpError() << "expects an expression of sizes, got \""
                         << getExpression() << "\": " << error;
  return success();
}
