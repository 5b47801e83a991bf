// The rare path around NaN and infinite values in tiles that a mask cuts.
#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Bits of the elements in one 32-bit word.
struct WordBits {
  uint32_t exponent; ///< the exponent fields
  uint32_t lowest;   ///< their lowest bits: added to a full one, they carry
  uint32_t sign;     ///< into these
};

WordBits wordBits(Type elementType) {
  if (elementType.isF32())
    return {0x7f800000, 0x00800000, 0x80000000};
  if (elementType.isF16())
    return {0x7c007c00, 0x04000400, 0x80008000};
  return {0x7f807f80, 0x00800080, 0x80008000};
}

Value bits(Distribution &d, uint32_t value) {
  return d.i32(static_cast<int32_t>(value));
}

/// A word whose sign bits say which of its elements are not finite; other bits
/// are set at random.
Value nonfiniteSigns(Distribution &d, Type elementType, Value word) {
  WordBits w = wordBits(elementType);
  Value exponent = arith::AndIOp::create(d.b, word, bits(d, w.exponent));
  return arith::AddIOp::create(d.b, exponent, bits(d, w.lowest));
}

/// The word with zero for what is not finite.
Value finiteOf(Distribution &d, Type elementType, Value word) {
  ImplicitLocOpBuilder &b = d.b;
  // A sign bit spread over its element: all ones where it is not finite.
  Value signs = arith::AndIOp::create(b, nonfiniteSigns(d, elementType, word),
                                      bits(d, wordBits(elementType).sign));
  int64_t width = elementType.getIntOrFloatBitWidth();
  Value low = arith::ShRUIOp::create(b, signs, d.i32(width - 1));
  Value spread =
      arith::SubIOp::create(b, arith::ShLIOp::create(b, signs, d.i32(1)), low);
  Value keep = arith::XOrIOp::create(b, spread, d.i32(-1));
  return arith::AndIOp::create(b, word, keep);
}

/// Words of `elements` elements of a tile, dealt round robin to `threads`.
struct WordLoop {
  int64_t perRow, total, elements;

  WordLoop(int64_t rows, int64_t columns, int64_t elements)
      : perRow(columns / elements), total(rows * perRow), elements(elements) {}

  Value pointer(Distribution &d, Value tile, Value i) const {
    Value linear = arith::IndexCastOp::create(d.b, d.b.getI32Type(), i);
    Value row = arith::DivUIOp::create(d.b, linear, d.i32(perRow));
    Value column = arith::MulIOp::create(
        d.b, arith::RemUIOp::create(d.b, linear, d.i32(perRow)),
        d.i32(elements));
    return d.tilePointer(tile, row, column);
  }
};

} // namespace

static Value loadPiece(Distribution &d, Value pointer) {
  return LLVM::LoadOp::create(d.b, VectorType::get({4}, d.b.getI32Type()),
                              pointer, /*alignment=*/16);
}

static Value wordOfPiece(Distribution &d, Value piece, int64_t k) {
  return LLVM::ExtractElementOp::create(d.b, piece, d.i32(k));
}

/// In whatever order the tile lies; what its columns leave of a chunk is zero.
/// Times zero, a value that is not finite is NaN and every other one is zero:
/// one instruction for each word, and four sums, so that they need not wait for
/// each other.
static Value findInRing(Distribution &d, Value tile) {
  ImplicitLocOpBuilder &b = d.b;
  auto type = cast<RankedTensorType>(tile.getType());
  constexpr int64_t pieceBytes = 16, unroll = 4,
                    stepBytes = 32 * pieceBytes * unroll;
  int64_t bytes =
      llvm::divideCeil(type.getDimSize(1), chunkColumns) * chunkBytes(type);
  Value first = arith::AddIOp::create(
      b, d.parts.lookup(tile).front(),
      arith::MulIOp::create(b, d.lane, d.i32(pieceBytes)));
  std::string sum = std::string("fma.rn.") +
                    (type.getElementType().isF16() ? "f16x2" : "bf16x2") +
                    " $0, $1, $2, $3;";
  SmallVector<Value, 4> zeros(4, d.i32(0));
  auto loop = scf::ForOp::create(
      b, d.i32(0), d.i32(bytes), d.i32(stepBytes), zeros,
      [&](OpBuilder &nested, Location, Value at, ValueRange found) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        Value pointer = d.pointerTo(arith::AddIOp::create(b, first, at));
        SmallVector<Value, 4> sums(found);
        for (int64_t i = 0; i < unroll; ++i) {
          Value piece = loadPiece(
              d, d.advance(pointer, b.getI8Type(), i * 32 * pieceBytes));
          for (int64_t k = 0; k < 4; ++k)
            sums[k] =
                LLVM::InlineAsmOp::create(
                    b, b.getI32Type(),
                    ValueRange{wordOfPiece(d, piece, k), d.i32(0), sums[k]},
                    sum, "=r,r,r,r", /*has_side_effects=*/false,
                    /*is_align_stack=*/false, LLVM::TailCallKind::None,
                    LLVM::AsmDialectAttr(), ArrayAttr())
                    .getResult(0);
        }
        scf::YieldOp::create(b, sums);
      });
  Value all = loop.getResult(0);
  for (int64_t k = 1; k < 4; ++k)
    all = arith::OrIOp::create(b, all, loop.getResult(k));
  uint32_t signs = wordBits(type.getElementType()).sign; // of zeros
  all = arith::AndIOp::create(b, all, bits(d, ~signs));
  return NVVM::VoteSyncOp::create(
      b, b.getI1Type(), d.i32(-1),
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, all, d.i32(0)),
      NVVM::VoteSyncKind::any);
}

/// In registers: each thread asks about its own elements. Zero times NaN or
/// infinity is NaN, and four sums need not wait for each other.
static Value findInRegisters(Distribution &d, const Fragment &tile) {
  ImplicitLocOpBuilder &b = d.b;
  SmallVector<Value> sums(std::min<size_t>(4, tile.size()), d.f32(0));
  for (auto [i, element] : llvm::enumerate(tile)) {
    Value &sum = sums[i % sums.size()];
    sum = math::FmaOp::create(b, element, d.f32(0), sum);
  }
  Value all = sums.front();
  for (Value sum : ArrayRef<Value>(sums).drop_front())
    all = arith::AddFOp::create(b, all, sum);
  Value found = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, all, all);
  if (d.threads == 32)
    return NVVM::VoteSyncOp::create(b, b.getI1Type(), d.i32(-1), found,
                                    NVVM::VoteSyncKind::any);
  Value any =
      NVVM::BarrierOp::create(b, TypeRange(b.getI32Type()), Value(), Value(),
                              NVVM::BarrierReductionAttr::get(
                                  b.getContext(), NVVM::BarrierReduction::OR),
                              arith::ExtUIOp::create(b, b.getI32Type(), found))
          .getRes();
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, any, d.i32(0));
}

/// Each warp looks at the whole tile, 16 bytes a lane, so that no barrier is
/// needed, nor registers, of which there are none left.
static Value findInTile(Distribution &d, Value tile) {
  ImplicitLocOpBuilder &b = d.b;
  auto type = cast<RankedTensorType>(tile.getType());
  Type elementType = type.getElementType();
  WordLoop words(type.getDimSize(0), type.getDimSize(1),
                 128 / type.getElementTypeBitWidth());
  Value first = arith::IndexCastOp::create(
      b, b.getIndexType(), arith::AndIOp::create(b, d.thread, d.i32(31)));
  auto loop = scf::ForOp::create(
      b, first, d.index(words.total), d.index(32), ValueRange{d.i32(0)},
      [&](OpBuilder &nested, Location, Value i, ValueRange found) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        Value piece = loadPiece(d, words.pointer(d, tile, i));
        Value any = found[0];
        for (int64_t k = 0; k < 4; ++k)
          any = arith::OrIOp::create(
              b, any, nonfiniteSigns(d, elementType, wordOfPiece(d, piece, k)));
        scf::YieldOp::create(b, any);
      });
  Value signs = arith::AndIOp::create(b, loop.getResult(0),
                                      bits(d, wordBits(elementType).sign));
  return NVVM::VoteSyncOp::create(
      b, b.getI1Type(), d.i32(-1),
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne, signs, d.i32(0)),
      NVVM::VoteSyncKind::any);
}

void tile::emitHasNonfinite(Distribution &d, HasNonfiniteOp op) {
  Value tile = op.getTile();
  auto type = cast<RankedTensorType>(tile.getType());
  d.parts[op.getResult()] = {isInRegisters(type)
                                 ? findInRegisters(d, d.parts.lookup(tile))
                             : isInSlot(type) ? findInRing(d, tile)
                                              : findInTile(d, tile)};
}

void tile::emitClearNonfinite(Distribution &d, ClearNonfiniteOp op) {
  ImplicitLocOpBuilder &b = d.b;
  auto type = cast<RankedTensorType>(op.getTile().getType());
  Type elementType = type.getElementType();
  // Outside rings the padding of rows is cleared with them: ptxas spills less
  // than where the words of a row are a power of two.
  auto padded = dyn_cast<PaddedAttr>(type.getEncoding());
  int64_t columns = padded ? padded.getWidth() : type.getDimSize(1);
  WordLoop words(type.getDimSize(0), columns,
                 32 / type.getElementTypeBitWidth());
  d.barrier();
  Value first = arith::IndexCastOp::create(b, b.getIndexType(), d.thread);
  auto loop =
      scf::ForOp::create(b, first, d.index(words.total), d.index(d.threads));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    Value pointer = words.pointer(d, op.getTile(), loop.getInductionVar());
    Value word = LLVM::LoadOp::create(b, b.getI32Type(), pointer);
    LLVM::StoreOp::create(b, finiteOf(d, elementType, word), pointer);
  }
  if (d.hasRoles) // wgmma reads what these threads wrote.
    fenceForTMA(b);
  d.barrier();
}

/// Of the words that a thread would hold of the tile, those of each of its rows
/// at a time; the four threads of a quad have a row.
void tile::emitIsolateNonfinite(Distribution &d, IsolateNonfiniteOp op) {
  ImplicitLocOpBuilder &b = d.b;
  auto type = cast<RankedTensorType>(op.getTile().getType());
  Type elementType = type.getElementType();
  int64_t blocks = type.getDimSize(1) / 8;
  auto pointerAt = [&](int64_t row, int64_t block) {
    auto toI32 = [&](Value index) -> Value {
      return arith::IndexCastOp::create(b, b.getI32Type(), index);
    };
    return d.tilePointer(op.getTile(), toI32(d.row(row)),
                         toI32(d.column(block, 0)));
  };
  Value signBits = bits(d, wordBits(elementType).sign);
  Fragment rows;
  Value any;
  for (int64_t row = 0; row < 2 * d.blocks; ++row) {
    Value found = d.i32(0);
    for (int64_t block = 0; block < blocks; ++block) {
      Value word =
          LLVM::LoadOp::create(b, b.getI32Type(), pointerAt(row, block));
      found =
          arith::OrIOp::create(b, found, nonfiniteSigns(d, elementType, word));
    }
    for (int64_t mask : {1, 2})
      found = arith::OrIOp::create(b, found, d.shuffleXor(found, mask));
    Value isFound = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, found, signBits),
        d.i32(0));
    rows.push_back(arith::SelectOp::create(
        b, isFound, d.f32(std::numeric_limits<float>::quiet_NaN()), d.f32(0)));
    any = any ? Value(arith::OrIOp::create(b, any, isFound)) : isFound;
  }
  any = NVVM::VoteSyncOp::create(b, b.getI1Type(), d.i32(-1), any,
                                 NVVM::VoteSyncKind::any);
  auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenYield());
    for (int64_t row = 0; row < 2 * d.blocks; ++row)
      for (int64_t block = 0; block < blocks; ++block) {
        Value pointer = pointerAt(row, block);
        Value word = LLVM::LoadOp::create(b, b.getI32Type(), pointer);
        LLVM::StoreOp::create(b, finiteOf(d, elementType, word), pointer);
      }
    // TMA may bring the next tile before threads share anything.
    fenceForTMA(b);
  }
  d.parts[op.getRows()] = rows;
  d.parts[op.getAny()] = {any};
}

namespace {

/// One key at a time: its weights for the thread's rows, fetched from the
/// thread of the quad that holds them, times those of its values which are not
/// finite.
class AddNonfinite {
public:
  AddNonfinite(Distribution &d, AddNonfiniteOp op)
      : d(d), b(d.b), weights(op.getWeights()), values(op.getValues()) {
    auto type = cast<RankedTensorType>(op.getValues().getType());
    keys = type.getDimSize(0), columns = type.getDimSize(1);
    elementType = type.getElementType();
  }

  Fragment emit(const Fragment &init) {
    auto loop =
        scf::ForOp::create(b, d.index(0), d.index(keys), d.index(1), init);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(loop.getBody());
    Value key =
        arith::IndexCastOp::create(b, b.getI32Type(), loop.getInductionVar());
    SmallVector<Value> rowWeights;
    for (int64_t row = 0; row < 2 * d.blocks; ++row)
      rowWeights.push_back(weightOf(key, row));
    Fragment sums(loop.getRegionIterArgs());
    for (int64_t columnBlock = 0; columnBlock < columns / 8; ++columnBlock)
      for (int64_t c = 0; c < 2; ++c)
        addColumn(sums, rowWeights, key, columnBlock, c);
    scf::YieldOp::create(b, sums);
    return Fragment(loop.getResults());
  }

private:
  /// A select chain over packed words: single weights would be unpacked before
  /// the loop, into registers that are not there.
  Value weightOf(Value key, int64_t row) {
    Value block = arith::ShRUIOp::create(b, key, d.i32(3));
    Value odd = arith::TruncIOp::create(b, b.getI1Type(), key);
    Value own;
    for (int64_t k = 0; k < keys / 8; ++k) {
      Value word = wordOf(d.elementIndex(keys, row / 2, k, row % 2 * 2), odd);
      Value here =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, block, d.i32(k));
      own = own ? Value(arith::SelectOp::create(b, here, word, own)) : word;
    }
    own = weightIn(own, odd);
    Value holder = arith::OrIOp::create(
        b, arith::AndIOp::create(b, d.lane, d.i32(~3)),
        arith::AndIOp::create(b, arith::ShRUIOp::create(b, key, d.i32(1)),
                              d.i32(3)));
    return NVVM::ShflOp::create(b, b.getF32Type(), d.i32(-1), own, holder,
                                d.i32(31), NVVM::ShflKind::idx, UnitAttr());
  }

  /// The pair of weights at `i`, or the one of them that is asked for.
  Value wordOf(int64_t i, Value odd) {
    if (!elementType.isF32())
      return d.wordOf(weights, i / 2);
    const Fragment &elements = d.parts.find(weights)->second;
    return arith::SelectOp::create(b, odd, elements[i + 1], elements[i]);
  }

  Value weightIn(Value word, Value odd) {
    if (elementType.isF32())
      return word;
    Value high = arith::ShRUIOp::create(b, word, d.i32(16));
    Value half = arith::TruncIOp::create(
        b, b.getI16Type(), arith::SelectOp::create(b, odd, high, word));
    return extend(arith::BitcastOp::create(b, elementType, half));
  }

  void addColumn(Fragment &sums, ArrayRef<Value> rowWeights, Value key,
                 int64_t columnBlock, int64_t c) {
    Value column =
        arith::IndexCastOp::create(b, b.getI32Type(), d.column(columnBlock, c));
    Value value = extend(LLVM::LoadOp::create(
        b, elementType, d.tilePointer(values, key, column)));
    Value word = arith::BitcastOp::create(b, b.getI32Type(), value);
    Value nonfinite = arith::CmpIOp::create(
        b, arith::CmpIPredicate::slt, nonfiniteSigns(d, b.getF32Type(), word),
        d.i32(0));
    for (auto [row, weight] : llvm::enumerate(rowWeights)) {
      Value &sum =
          sums[d.elementIndex(columns, row / 2, columnBlock, row % 2 * 2 + c)];
      Value counts = arith::AndIOp::create(
          b, nonfinite,
          arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, weight,
                                d.f32(0)));
      Value added = arith::AddFOp::create(
          b, sum, arith::MulFOp::create(b, weight, value));
      sum = arith::SelectOp::create(b, counts, added, sum);
    }
  }

  Value extend(Value x) {
    return x.getType().isF32()
               ? x
               : Value(arith::ExtFOp::create(b, b.getF32Type(), x));
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  Value weights, values;
  int64_t keys, columns;
  Type elementType;
};

} // namespace

void tile::emitAddNonfinite(Distribution &d, AddNonfiniteOp op) {
  d.parts[op.getResult()] =
      AddNonfinite(d, op).emit(d.parts.lookup(op.getInit()));
}
