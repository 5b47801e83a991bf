// Products on bf16 and f16 tiles: ldmatrix and mma.sync m16n8k16; and what
// products of all types have in common.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// A product of `lhs` and `rhs` on top of `init`.
static Product productOf(Distribution &d, Value lhs, Value rhs, Value init,
                         bool lhsTransposed, bool transposed) {
  auto lhsType = cast<RankedTensorType>(lhs.getType());
  auto type = cast<RankedTensorType>(init.getType());
  Product product;
  product.lhs = lhs, product.rhs = rhs;
  product.lhsTransposed = lhsTransposed, product.transposed = transposed;
  product.depth = lhsType.getDimSize(lhsTransposed ? 0 : 1);
  product.columns = d.columnsHeld(type);
  product.columnGroups = isOfColumnGroups(type);
  product.elementType = lhsType.getElementType();
  return product;
}

static Fragment start(Distribution &d, const Product &product, Value init) {
  Fragment elements = d.parts.lookup(init);
  if (llvm::all_equal(elements) &&
      matchPattern(elements.front(), m_AnyZeroFloat()))
    elements.clear();
  return startProduct(d, product, elements);
}

void tile::emitContract(Distribution &d, linalg::ContractOp op) {
  Value init = op.getDpsInits()[0], rhs = op.getDpsInputs()[1];
  AffineExpr i, j, k;
  bindDims(op.getContext(), i, j, k);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Product product =
      productOf(d, op.getDpsInputs()[0], rhs, init, maps[0].getResult(0) == k,
                maps[1].getResult(0) == j);
  Fragment &result = d.parts[op->getResult(0)];
  if (isInSlot(cast<RankedTensorType>(rhs.getType())))
    result = awaitProduct(d, start(d, product, init), /*pending=*/0);
  else if (product.elementType.isF32())
    result = emitProductF32(d, product, d.parts.lookup(init));
  else
    result = emitProduct16(d, product, d.parts.lookup(init));
}

void tile::emitStart(Distribution &d, StartOp op) {
  Product product = productOf(d, op.getLhs(), op.getRhs(), op.getInit(),
                              op.getLhsTransposed(), op.getRhsTransposed());
  d.parts[op.getProduct()] = start(d, product, op.getInit());
}

namespace {

using Registers = SmallVector<Value>;

/// Four 8 x 8 matrices of 16-bit elements at `base` plus a number of elements.
Registers loadMatrices(Distribution &d, Value base, Type elementType,
                       int64_t offset, NVVM::MMALayout layout) {
  ImplicitLocOpBuilder &b = d.b;
  Type i32 = b.getI32Type();
  auto type =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i32});
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  Value loaded =
      NVVM::LdMatrixOp::create(b, type, d.advance(base, elementType, offset), 4,
                               layout, shape, NVVM::LdStMatrixEltType::B16);
  Registers registers;
  for (int64_t i = 0; i < 4; ++i)
    registers.push_back(LLVM::ExtractValueOp::create(b, loaded, i));
  return registers;
}

/// Reads left operands of the warp's rows from shared memory.
struct LhsReader {
  LhsReader(Distribution &d, Value memory)
      : d(d), type(cast<MemRefType>(memory.getType())) {
    // Lanes 0-15 name the rows of the left two 8 x 8 matrices, 16-31 those of
    // the right two.
    Value row = arith::AddIOp::create(
        d.b, d.warpRow, arith::AndIOp::create(d.b, d.lane, d.i32(15)));
    Value column = arith::ShRUIOp::create(
        d.b, arith::AndIOp::create(d.b, d.lane, d.i32(16)), d.i32(1));
    base = d.sharedPointer(memory, row, column);
  }

  SmallVector<Registers> read(int64_t k) {
    SmallVector<Registers> registers;
    for (int64_t block = 0; block < d.blocks; ++block)
      registers.push_back(loadMatrices(d, base, type.getElementType(),
                                       16 * block * type.getDimSize(1) + k,
                                       NVVM::MMALayout::row));
    return registers;
  }

  Distribution &d;
  MemRefType type;
  Value base;
};

class Product16 {
public:
  Product16(Distribution &d, const Product &p)
      : d(d), b(d.b), p(p), columns(p.columns), isF16(p.elementType.isF16()) {
    Value rhs = d.parts.lookup(p.rhs).front();
    rhsStride = cast<MemRefType>(rhs.getType()).getDimSize(1);
    // Each lane names a row of one of the four 8 x 8 matrices of an
    // ldmatrix.x4: bits 3 and 4 of the lane say which matrix.
    Value low = arith::AndIOp::create(b, d.lane, d.i32(7));
    Value third = arith::AndIOp::create(b, d.lane, d.i32(8));
    Value fourth = arith::ShRUIOp::create(
        b, arith::AndIOp::create(b, d.lane, d.i32(16)), d.i32(1));
    Value row = arith::AddIOp::create(b, low, p.transposed ? fourth : third);
    rhsBase = d.sharedPointer(rhs, row, p.transposed ? third : fourth);
    auto lhsType = cast<RankedTensorType>(p.lhs.getType());
    lhsInRegisters = isLeftOperand(lhsType);
    if (isPadded(lhsType))
      lhsInMemory.emplace(d, d.parts.lookup(p.lhs).front());
  }

  Fragment emit(Fragment accumulator) {
    for (int64_t k = 0; k < p.depth; k += 16) {
      SmallVector<Registers> lhs = loadLhsOfStep(k);
      for (int64_t n = 0; n < columns; n += 16) {
        Registers rhs = loadRhs(k, n);
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t block = 0; block < d.blocks; ++block)
            accumulate(accumulator, block, n / 8 + half, lhs[block],
                       {rhs[2 * half], rhs[2 * half + 1]});
      }
    }
    return accumulator;
  }

private:
  //===--- operands -------------------------------------------------------===//
  SmallVector<Registers> loadLhsOfStep(int64_t k) {
    if (lhsInMemory)
      return lhsInMemory->read(k);
    SmallVector<Registers> registers;
    for (int64_t block = 0; block < d.blocks; ++block)
      registers.push_back(lhsInRegisters ? ownLhs(block, k)
                                         : packLhs(block, k));
    return registers;
  }

  Registers ownLhs(int64_t block, int64_t k) {
    ArrayRef<Value> all = d.parts.find(p.lhs)->second;
    return Registers(all.slice(4 * (k / 16 * d.blocks + block), 4));
  }

  /// The left operand from elements in registers, as i32 pairs.
  Registers packLhs(int64_t block, int64_t k) {
    Registers registers;
    for (int64_t columnBlock : {k / 8, k / 8 + 1})
      for (int64_t half : {0, 1})
        registers.push_back(d.wordOf(
            p.lhs, d.elementIndex(p.depth, block, columnBlock, 2 * half) / 2));
    return registers;
  }

  /// Two neighbouring 16 x 8 right operands: columns n.. and n + 8...
  Registers loadRhs(int64_t k, int64_t n) {
    int64_t row = p.transposed ? n : k, column = p.transposed ? k : n;
    return loadMatrices(d, rhsBase, p.elementType, row * rhsStride + column,
                        p.transposed ? NVVM::MMALayout::row
                                     : NVVM::MMALayout::col);
  }

  //===--- mma ------------------------------------------------------------===//
  void accumulate(Fragment &accumulator, int64_t block, int64_t columnBlock,
                  ArrayRef<Value> lhs, ArrayRef<Value> rhs) {
    int64_t first = d.elementIndex(columns, block, columnBlock, 0);
    Registers old(ArrayRef<Value>(accumulator).slice(first, 4));
    llvm::copy(mma(lhs, rhs, old), accumulator.begin() + first);
  }

  Registers mma(ArrayRef<Value> lhs, ArrayRef<Value> rhs,
                ArrayRef<Value> accumulator) {
    auto operands = [&](ArrayRef<Value> registers) {
      // f16 is a vector type of the instruction, bf16 a bag of bits.
      Registers converted(registers);
      if (isF16)
        for (Value &value : converted)
          value = LLVM::BitcastOp::create(
              b, VectorType::get({2}, b.getF16Type()), value);
      return converted;
    };
    auto type = isF16 ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
    Type f32 = b.getF32Type();
    Value result = NVVM::MmaOp::create(
        b,
        LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32}),
        operands(lhs), operands(rhs), accumulator, ArrayRef<int64_t>{16, 8, 16},
        std::nullopt, std::nullopt, std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    Registers registers;
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(LLVM::ExtractValueOp::create(b, result, i));
    return registers;
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  const Product &p;
  int64_t columns;
  bool isF16, lhsInRegisters;
  std::optional<LhsReader> lhsInMemory;
  Value rhsBase; ///< this lane's pointer
  int64_t rhsStride = 0;
};

} // namespace

Fragment tile::emitProduct16(Distribution &d, const Product &product,
                             Fragment init) {
  return Product16(d, product).emit(std::move(init));
}

void tile::emitView(Distribution &d, ViewOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<Value> &parts = d.parts[op.getResult()];
  if (!isLeftOperand(type)) {
    parts.push_back(op.getSource());
    return;
  }
  LhsReader reader(d, op.getSource());
  for (int64_t k = 0; k < type.getDimSize(1); k += 16)
    for (const Registers &ofBlock : reader.read(k))
      llvm::append_range(parts, ofBlock);
}
