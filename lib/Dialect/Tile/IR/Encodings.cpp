// Where tiles lie: what each encoding can be of. See TileTypes.td.
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace mlir::attn::tile;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

static bool isHalf(Type type) { return type.isF16() || type.isBF16(); }

static bool isMatrix(ArrayRef<int64_t> shape) { return shape.size() == 2; }

/// `count` blocks of `size`, but no more than a thread can hold elements of.
static bool isBlocksOf(int64_t size, int64_t count) {
  return count >= size && count <= 256 && count % size == 0;
}

static LogicalResult expect(bool holds, EmitError emitError, StringRef what) {
  if (holds)
    return success();
  return emitError() << "expects " << what;
}

LogicalResult ColumnsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                          EmitError emitError) const {
  return expect(shape.size() == 1 && isBlocksOf(8, shape[0]), emitError,
                "a vector of 8 to 256 elements, a multiple of 8, to deal like "
                "columns");
}

LogicalResult ColumnGroupsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                               EmitError emitError) const {
  return expect(isMatrix(shape) && shape[0] == 64 && isBlocksOf(16, shape[1]),
                emitError,
                "a matrix of 64 rows and a multiple of 16 columns, at most "
                "256, to deal to groups");
}

LogicalResult LeftOperandAttr::verifyEncoding(ArrayRef<int64_t> shape,
                                              Type elementType,
                                              EmitError emitError) const {
  return expect(isMatrix(shape) && isBlocksOf(16, shape[1]) &&
                    isHalf(elementType),
                emitError,
                "a matrix of f16 or bf16 with a multiple of 16 columns as a "
                "left operand in registers");
}

LogicalResult PaddedAttr::verifyEncoding(ArrayRef<int64_t> shape,
                                         Type elementType,
                                         EmitError emitError) const {
  return expect(isMatrix(shape) && shape[1] <= getWidth() &&
                    (elementType.isF32() || isHalf(elementType)),
                emitError,
                "a matrix of f32, f16 or bf16 that is no wider than its padded "
                "rows");
}

LogicalResult SlotAttr::verifyEncoding(ArrayRef<int64_t> shape,
                                       Type elementType,
                                       EmitError emitError) const {
  return expect((isMatrix(shape) && isHalf(elementType)) ||
                    (shape.size() == 1 && elementType.isF32()),
                emitError,
                "a matrix of f16 or bf16, or a vector of f32, in a slot");
}

Attribute DiagonalsAttr::parse(AsmParser &parser, Type) {
  bool lanes = succeeded(parser.parseOptionalLess());
  if (lanes && (parser.parseKeyword("lanes") || parser.parseGreater()))
    return Attribute();
  return get(parser.getContext(), lanes);
}

void DiagonalsAttr::print(AsmPrinter &printer) const {
  if (getLanes())
    printer << "<lanes>";
}

LogicalResult DiagonalsAttr::verifyEncoding(ArrayRef<int64_t> shape,
                                            Type elementType,
                                            EmitError emitError) const {
  return expect(shape.size() == 1 && elementType.isIntOrFloat() &&
                    (elementType.getIntOrFloatBitWidth() == 32 ||
                     (getLanes() && elementType.getIntOrFloatBitWidth() == 64)),
                emitError,
                "a vector of numbers of 32 bits, or of 64 in lanes, with an "
                "element for each diagonal");
}
