// Lowers products of tiles to kernels that hold a block of the result in
// registers. See LinalgToMicroKernelsPass in Passes.td.
#include "Product.h"

#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_LINALGTOMICROKERNELSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
/// Emits the loops over blocks of c, and the kernel for each block.
class KernelEmitter {
public:
  KernelEmitter(OpBuilder &builder, Location loc, const Product &product,
                int64_t lanes, int64_t registers)
      : b(builder), loc(loc), product(product), blockN(2 * lanes),
        blockM(std::max<int64_t>(1, (registers - 3) / 2)) {}

  void emit() {
    forBlocks(product.n, blockN, [&](Value n, int64_t columns) {
      forBlocks(product.m, blockM,
                [&](Value m, int64_t rows) { emitBlock(m, rows, n, columns); });
    });
  }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value offset(Value base, int64_t by) {
    return by ? arith::AddIOp::create(b, loc, base, index(by)) : base;
  }
  Value loadA(Value m, Value k) {
    SmallVector<Value> at{m, k};
    if (product.aTransposed)
      std::swap(at[0], at[1]);
    return memref::LoadOp::create(b, loc, product.a, at);
  }

  /// Calls `body` once inside a loop over whole blocks and once for the rest.
  void forBlocks(int64_t size, int64_t block,
                 function_ref<void(Value start, int64_t size)> body);
  void emitBlock(Value m, int64_t rows, Value n, int64_t columns);
  /// One step of the reduction: sums[i] += a[m + i, k] * b[k, n..].
  void emitStep(Value m, Value k, Value n, VectorType type,
                MutableArrayRef<Value> sums);

  OpBuilder &b;
  Location loc;
  const Product &product;
  int64_t blockN, blockM;
};
} // namespace

void KernelEmitter::forBlocks(
    int64_t size, int64_t block,
    function_ref<void(Value start, int64_t size)> body) {
  int64_t whole = size / block * block;
  if (whole == block) {
    body(index(0), block);
  } else if (whole) {
    auto loop =
        scf::ForOp::create(b, loc, index(0), index(whole), index(block));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    body(loop.getInductionVar(), block);
  }
  if (whole < size)
    body(index(whole), size - whole);
}

void KernelEmitter::emitStep(Value m, Value k, Value n, VectorType type,
                             MutableArrayRef<Value> sums) {
  Value row = vector::LoadOp::create(b, loc, type, product.b, ValueRange{k, n});
  Value zeros, keepB;
  if (product.zeroSafe != Product::None)
    zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  if (product.zeroSafe == Product::B)
    keepB =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, row, zeros);
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value scalar = loadA(offset(m, i), k);
    Value factor = vector::BroadcastOp::create(b, loc, type, scalar);
    Value next = vector::FMAOp::create(b, loc, factor, row, sum);
    Value keep = keepB;
    if (product.zeroSafe == Product::A)
      keep = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, factor,
                                   zeros);
    sum = keep ? arith::SelectOp::create(b, loc, keep, next, sum).getResult()
               : next;
  }
}

void KernelEmitter::emitBlock(Value m, int64_t rows, Value n, int64_t columns) {
  // The block's own sum starts at zero, so that its rounding errors are those
  // of k terms, however many were added to c before.
  auto type = VectorType::get(columns, b.getF32Type());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  SmallVector<Value> sums(rows, zero);
  // Two steps hide the loop's own work; more only lengthen compilation. The
  // exact path is rare.
  bool plain = product.zeroSafe == Product::None;
  int64_t unroll = plain && product.k % 2 == 0 ? 2 : 1;
  auto loop = scf::ForOp::create(
      b, loc, index(0), index(product.k), index(unroll), sums,
      [&](OpBuilder &, Location, Value k, ValueRange carried) {
        SmallVector<Value> next = llvm::to_vector(carried);
        for (int64_t u = 0; u < unroll; ++u)
          emitStep(m, offset(k, u), n, type, next);
        scf::YieldOp::create(b, loc, next);
      });
  for (int64_t i = 0; i < rows; ++i) {
    SmallVector<Value> at{offset(m, i), n};
    Value sum = loop.getResult(i);
    if (!product.fromZero)
      sum = arith::AddFOp::create(
          b, loc, vector::LoadOp::create(b, loc, type, product.c, at), sum);
    vector::StoreOp::create(b, loc, sum, product.c, at);
  }
}

namespace {
struct LinalgToMicroKernels
    : public mlir::attn::impl::LinalgToMicroKernelsPassBase<
          LinalgToMicroKernels> {
  using Base::Base;
  void runOnOperation() override {
    if (lanes < 1 || lanes > 1024 || registers < 1 || registers > 1024) {
      getOperation().emitError()
          << "expects 'lanes' and 'registers' from 1 to 1024, got "
          << lanes.getValue() << " and " << registers.getValue();
      return signalPassFailure();
    }
    SmallVector<linalg::GenericOp> candidates;
    getOperation().walk(
        [&](linalg::GenericOp op) { candidates.push_back(op); });
    for (linalg::GenericOp op : candidates) {
      std::optional<Product> product = matchProduct(op);
      if (!product)
        continue;
      foldZeroFill(op, *product);
      OpBuilder builder(op);
      KernelEmitter(builder, op.getLoc(), *product, lanes, registers).emit();
      op.erase();
    }
  }
};
} // namespace
