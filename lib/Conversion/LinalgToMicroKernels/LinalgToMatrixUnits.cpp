// Lowers products of bf16 tiles to a CPU's matrix unit. See
// LinalgToMatrixUnitsPass in Passes.td.
#include "Product.h"

#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {
#define GEN_PASS_DEF_LINALGTOMATRIXUNITSPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

/// A tile of the unit has so many rows, and so many bf16 in each.
static constexpr int64_t unitRows = 16, unitK = 32;

static bool onlyReads(Operation *op, Value memory) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return !llvm::is_contained(generic.getDpsInits(), memory);
  return isa<vector::LoadOp, memref::LoadOp, amx::TileLoadOp>(op);
}

/// Whether `op` converts all elements of contiguous memory by a `Conversion`.
template <typename Conversion> static bool converts(linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (maps.size() != 2 || maps[0] != maps[1] || !maps[0].isPermutation())
    return false;
  Block &body = *op.getBlock();
  auto conversion =
      body.getTerminator()->getOperand(0).getDefiningOp<Conversion>();
  return conversion && conversion.getIn() == body.getArgument(0) &&
         llvm::all_of(op->getOperandTypes(), [](Type type) {
           auto memory = dyn_cast<MemRefType>(type);
           return memory && memory.getLayout().isIdentity();
         });
}

/// What is alone in writing `buffer`, an allocation: a conversion from `from`.
/// Null if there is none.
template <typename Conversion>
static linalg::GenericOp conversionTo(Value buffer, Type from) {
  if (!buffer.getDefiningOp<memref::AllocaOp>())
    return nullptr;
  linalg::GenericOp writer;
  for (Operation *user : buffer.getUsers()) {
    if (onlyReads(user, buffer))
      continue;
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (writer || !op || !converts<Conversion>(op) ||
        getElementTypeOrSelf(op.getDpsInputs()[0].getType()) != from)
      return nullptr;
    writer = op;
  }
  return writer;
}

/// Whether what `conversion` reads is still there at `op`, behind it.
static bool isStillThere(linalg::GenericOp conversion, Operation *op) {
  Block *block = conversion->getBlock();
  Operation *reader = block->findAncestorOpInBlock(*op);
  Value from = conversion.getDpsInputs()[0];
  if (!reader || !conversion->isBeforeInBlock(reader) ||
      !from.getDefiningOp<memref::AllocaOp>())
    return false;
  return llvm::all_of(from.getUsers(), [&](Operation *user) {
    Operation *place = block->findAncestorOpInBlock(*user);
    bool isBetween = place && conversion->isBeforeInBlock(place) &&
                     !reader->isBeforeInBlock(place);
    return !isBetween || onlyReads(user, from);
  });
}

namespace {
/// Where the elements of an operand were bf16.
struct Operand {
  linalg::GenericOp widening; ///< makes them f32; null: they never were
  linalg::GenericOp rounding; ///< made them of f32, if anything did

  explicit Operand(Value wide)
      : widening(conversionTo<arith::ExtFOp>(
            wide, BFloat16Type::get(wide.getContext()))) {
    if (widening)
      rounding = conversionTo<arith::TruncFOp>(
          getNarrow(), Float32Type::get(wide.getContext()));
  }
  Value getNarrow() { return widening.getDpsInputs()[0]; }
  /// What it is packed behind: what was rounded, from what it was before.
  linalg::GenericOp getSource() { return rounding ? rounding : widening; }
};

/// Packs operands as the unit reads them.
class Packer {
public:
  explicit Packer(func::FuncOp func) : func(func) {}

  /// A left operand [m, k] of one that is stored so: it itself, or a copy with
  /// zeros behind k.
  Value asItLies(Operand operand) {
    Value narrow = operand.getNarrow();
    auto shape = cast<MemRefType>(narrow.getType()).getShape();
    int64_t k = shape[1];
    if (k % unitK == 0)
      return narrow;
    return packed(copyOf[narrow], operand.widening, {shape[0], wholeK(k)},
                  [&](Builder &b, Value from, Value to) {
                    forEach(b, 0, shape[0], 1,
                            [&](Value m) { copyRow(b, from, to, m, k); });
                  });
  }

  /// The same of one that is stored as [k, m].
  Value transposed(Operand operand) {
    linalg::GenericOp source = operand.getSource();
    auto shape = cast<MemRefType>(operand.getNarrow().getType()).getShape();
    return packed(transposedOf[operand.getNarrow()], source,
                  {shape[1], shape[0]}, [&](Builder &b, Value from, Value to) {
                    forEach(b, 0, shape[0], unitK, [&](Value k) {
                      forEach(b, 0, shape[1], unitRows, [&](Value m) {
                        transposeBlock(b, from, to, k, m);
                      });
                    });
                  });
  }

  /// A right operand: [k / 2, n * 2] of [k, n], pairs of rows side by side, and
  /// zeros behind k.
  Value paired(Operand operand) {
    linalg::GenericOp source = operand.getSource();
    auto shape = cast<MemRefType>(operand.getNarrow().getType()).getShape();
    int64_t rows = shape[0] / 2, wholeRows = wholeK(shape[0]) / 2;
    auto words =
        VectorType::get(unitRows, IntegerType::get(func.getContext(), 32));
    return packed(
        pairedOf[operand.getNarrow()], source, {wholeRows, shape[1] * 2},
        [&](Builder &b, Value from, Value to) {
          auto forRows =
              [&](int64_t first, int64_t end,
                  llvm::function_ref<Value(Value k, Value n)> pairs) {
                forEach(b, first, end, 1, [&](Value row) {
                  Value k = arith::MulIOp::create(b, row, index(b, 2));
                  forEach(b, 0, shape[1], unitRows, [&](Value n) {
                    Value at = arith::MulIOp::create(b, n, index(b, 2));
                    storeWords(b, pairs(k, n), to, {row, at});
                  });
                });
              };
          forRows(0, rows,
                  [&](Value k, Value n) { return pairsAt(b, from, k, n); });
          if (rows < wholeRows)
            forRows(rows, wholeRows, [&](Value, Value) -> Value {
              return arith::ConstantOp::create(b, b.getZeroAttr(words));
            });
        });
  }

  /// Of whole tiles.
  static int64_t wholeK(int64_t k) { return (k + unitK - 1) / unitK * unitK; }

private:
  using Builder = ImplicitLocOpBuilder;
  using Packed = llvm::DenseMap<Value, Value>; ///< by buffer of bf16

  /// `to`, which is made once, behind `source`, which makes what it is made of:
  /// often that is outside of loops.
  Value packed(Value &to, linalg::GenericOp source, ArrayRef<int64_t> shape,
               llvm::function_ref<void(Builder &, Value, Value)> pack) {
    if (to)
      return to;
    to = allocate(shape);
    Builder b(source.getLoc(), source);
    b.setInsertionPointAfter(source);
    pack(b, source.getDpsInputs()[0], to);
    return to;
  }

  static void copyRow(Builder &b, Value from, Value to, Value row, int64_t k) {
    auto piece = VectorType::get(unitK / 2, b.getBF16Type());
    forEach(b, 0, k, unitK / 2, [&](Value at) {
      Value elements =
          vector::LoadOp::create(b, piece, from, ValueRange{row, at});
      vector::StoreOp::create(b, elements, to, ValueRange{row, at});
    });
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(piece));
    vector::StoreOp::create(b, zeros, to, ValueRange{row, index(b, k)});
  }

  Value allocate(ArrayRef<int64_t> shape) {
    auto b = OpBuilder::atBlockBegin(&func.getBody().front());
    return memref::AllocaOp::create(b, func.getLoc(),
                                    MemRefType::get(shape, b.getBF16Type()),
                                    b.getI64IntegerAttr(64));
  }

  static Value index(Builder &b, int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  static void forEach(Builder &b, int64_t first, int64_t end, int64_t step,
                      llvm::function_ref<void(Value)> body) {
    auto loop =
        scf::ForOp::create(b, index(b, first), index(b, end), index(b, step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  /// 16 columns from `n` on of rows `k` and `k` + 1: each pair in a word.
  static Value pairsAt(Builder &b, Value from, Value k, Value n) {
    Type element = cast<MemRefType>(from.getType()).getElementType();
    auto type = VectorType::get(unitRows, element);
    auto words = type.clone(b.getI32Type());
    Value next = arith::AddIOp::create(b, k, index(b, 1));
    Value low = vector::LoadOp::create(b, type, from, ValueRange{k, n});
    Value high = vector::LoadOp::create(b, type, from, ValueRange{next, n});
    if (element.isBF16())
      return vector::BitCastOp::create(
          b, words, vector::InterleaveOp::create(b, low, high));
    auto constant = [&](uint32_t bits) -> Value {
      return arith::ConstantOp::create(
          b, DenseElementsAttr::get(words, APInt(32, bits)));
    };
    // To the nearest; of two, to the greater in magnitude.
    auto rounded = [&](Value x) -> Value {
      Value number = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
      Value bits = arith::AddIOp::create(
          b, arith::BitcastOp::create(b, words, x), constant(0x8000));
      return arith::SelectOp::create(b, number, bits, constant(0x7fc00000));
    };
    return arith::OrIOp::create(
        b, arith::ShRUIOp::create(b, rounded(low), constant(16)),
        arith::AndIOp::create(b, rounded(high), constant(0xffff0000)));
  }

  /// 16 columns from `m` on of rows `k` to `k` + 32 become 16 rows: words of
  /// two elements change places in four rounds, of distances 1, 2, 4 and 8.
  static void transposeBlock(Builder &b, Value from, Value to, Value k,
                             Value m) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < unitRows; ++i) {
      Value at = arith::AddIOp::create(b, k, index(b, 2 * i));
      rows.push_back(pairsAt(b, from, at, m));
    }
    for (int64_t distance = 1; distance < unitRows; distance *= 2)
      for (int64_t i = 0; i < unitRows; ++i)
        if (!(i & distance))
          exchange(b, rows[i], rows[i + distance], distance);
    for (auto [i, value] : llvm::enumerate(rows)) {
      Value at = arith::AddIOp::create(b, m, index(b, i));
      storeWords(b, value, to, {at, k});
    }
  }

  static void storeWords(Builder &b, Value words, Value to, ValueRange at) {
    auto row = VectorType::get(unitK, b.getBF16Type());
    vector::StoreOp::create(b, vector::BitCastOp::create(b, row, words), to,
                            at);
  }

  /// Elements of `upper` at places with the bit `distance`, and those of
  /// `lower` without, `distance` before.
  static void exchange(Builder &b, Value &upper, Value &lower,
                       int64_t distance) {
    SmallVector<int64_t> ofUpper, ofLower;
    for (int64_t i = 0; i < unitRows; ++i) {
      bool isMoved = i & distance;
      ofUpper.push_back(isMoved ? unitRows + i - distance : i);
      ofLower.push_back(isMoved ? unitRows + i : i + distance);
    }
    Value first = vector::ShuffleOp::create(b, upper, lower, ofUpper);
    lower = vector::ShuffleOp::create(b, upper, lower, ofLower);
    upper = first;
  }

  func::FuncOp func;
  Packed copyOf, transposedOf, pairedOf;
};

/// Emits the loops over blocks of c, which are read and written once: two tiles
/// of the unit each way, of the eight that it has. All have the same shape, as
/// each of the eight has one for a whole kernel: LLVM gives up where there are
/// others.
class UnitEmitter {
public:
  UnitEmitter(ImplicitLocOpBuilder &builder, const Product &product, Value lhs,
              Value rhs)
      : b(builder), product(product), lhs(lhs), rhs(rhs) {}

  void emit() {
    forBlocks(product.n, [&](Value n, int64_t columns) {
      forBlocks(product.m,
                [&](Value m, int64_t rows) { emitBlock(m, rows, n, columns); });
    });
  }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value offset(Value base, int64_t by) {
    return by ? arith::AddIOp::create(b, base, index(by)) : base;
  }

  /// `body` takes how many tiles of the unit a block has.
  void forBlocks(int64_t size,
                 llvm::function_ref<void(Value start, int64_t tiles)> body) {
    int64_t block = 2 * unitRows, whole = size / block * block;
    if (whole) {
      auto loop = scf::ForOp::create(b, index(0), index(whole), index(block));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      body(loop.getInductionVar(), 2);
    }
    if (whole < size)
      body(index(whole), 1);
  }

  void emitBlock(Value m, int64_t rows, Value n, int64_t columns) {
    auto sum = amx::TileType::get({unitRows, unitRows}, b.getF32Type());
    auto part = amx::TileType::get({unitRows, unitK}, b.getBF16Type());
    SmallVector<SmallVector<Value>> places;
    SmallVector<Value> sums;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        places.push_back({offset(m, i * unitRows), offset(n, j * unitRows)});
        sums.push_back(
            product.fromZero
                ? amx::TileZeroOp::create(b, sum).getResult()
                : amx::TileLoadOp::create(b, sum, product.c, places.back())
                      .getResult());
      }
    Value pairs = arith::MulIOp::create(b, n, index(2));
    for (int64_t k = 0; k < product.k; k += unitK) {
      SmallVector<Value> left;
      for (int64_t i = 0; i < rows; ++i)
        left.push_back(amx::TileLoadOp::create(
            b, part, lhs, ValueRange{offset(m, i * unitRows), index(k)}));
      for (int64_t j = 0; j < columns; ++j) {
        Value right = amx::TileLoadOp::create(
            b, part, rhs, ValueRange{index(k / 2), offset(pairs, j * unitK)});
        for (int64_t i = 0; i < rows; ++i) {
          Value &value = sums[i * columns + j];
          value = amx::TileMulFOp::create(b, sum, left[i], right, value);
        }
      }
    }
    for (auto [place, value] : llvm::zip_equal(places, sums))
      amx::TileStoreOp::create(b, product.c, place, value);
  }

  ImplicitLocOpBuilder &b;
  const Product &product;
  Value lhs, rhs;
};

struct LinalgToMatrixUnits
    : public mlir::attn::impl::LinalgToMatrixUnitsPassBase<
          LinalgToMatrixUnits> {
  using Base::Base;

  void runOnOperation() override {
    Packer packer(getOperation());
    SmallVector<linalg::GenericOp> candidates;
    getOperation().walk(
        [&](linalg::GenericOp op) { candidates.push_back(op); });
    // Widenings before what they read.
    SetVector<Operation *> conversions;
    for (linalg::GenericOp op : candidates)
      if (std::optional<Product> product = matchProduct(op))
        lower(op, *product, packer, conversions);
    for (Operation *conversion : conversions)
      moveToReaders(cast<linalg::GenericOp>(conversion));
  }

private:
  /// Zeros may stand for half of the last tile of k, if it is not transposed.
  static bool fits(const Product &product) {
    int64_t leastK = product.aTransposed ? unitK : unitK / 2;
    return product.m % unitRows == 0 && product.n % unitRows == 0 &&
           product.k % leastK == 0;
  }

  void lower(linalg::GenericOp op, Product &product, Packer &packer,
             SetVector<Operation *> &conversions) {
    if (product.zeroSafe != Product::None || !fits(product))
      return;
    Operand a(product.a), b(product.b);
    for (const Operand &operand : {a, b})
      if (!operand.widening || !isStillThere(operand.widening, op))
        return;
    foldZeroFill(op, product);
    Value lhs = product.aTransposed ? packer.transposed(a) : packer.asItLies(a);
    Value rhs = packer.paired(b);
    ImplicitLocOpBuilder builder(op.getLoc(), op);
    UnitEmitter(builder, product, lhs, rhs).emit();
    op.erase();
    for (const Operand &operand : {a, b}) {
      conversions.insert(operand.widening);
      if (operand.rounding)
        conversions.insert(operand.rounding);
    }
  }

  /// What only a branch still reads is converted there; what nobody does is
  /// not.
  static void moveToReaders(linalg::GenericOp conversion) {
    SetVector<Block *> blocks;
    for (Operation *user : conversion.getDpsInits()[0].getUsers())
      if (user != conversion)
        blocks.insert(user->getBlock());
    if (blocks.empty())
      return conversion.erase();
    Block *block = blocks.front();
    auto branch = dyn_cast<scf::IfOp>(block->getParentOp());
    if (blocks.size() == 1 && block != conversion->getBlock() && branch &&
        isStillThere(conversion, branch))
      conversion->moveBefore(block, block->begin());
  }
};
} // namespace
