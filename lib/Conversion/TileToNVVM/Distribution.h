// How tiles are dealt to the threads of a block, and what one thread knows.
//
// The rows of every tile in registers are those that the block owns: warp w has
// rows w * 16 * blocks .. of them, in `blocks` runs of 16. Within 16 rows by 8
// columns a thread owns the elements of mma.sync's accumulator: rows g and g +
// 8, columns 2t and 2t + 1, where g = lane / 4 and t = lane % 4. A row vector
// is held by all four threads of a quad. A packed pair of accumulator columns
// is also what mma.sync takes as its left operand, so that the softmax weights
// never leave the registers. wgmma's accumulator is the same, with groups of
// four warps for 64 rows
// (`blocks` is 1 then); warps that do not compute come after those that do. A
// matrix that is #tile.column_groups has 64 rows, which each group holds all
// of, for columns of its own.
#ifndef ATTN_CONVERSION_TILETONVVM_DISTRIBUTION_H
#define ATTN_CONVERSION_TILETONVVM_DISTRIBUTION_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::attn::tile {

/// The elements that one thread holds of a tile, in the order of
/// elementIndex(), rowIndex() or columnIndex().
using Fragment = SmallVector<Value>;

class Distribution {
public:
  Distribution(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule);

  static constexpr int64_t lanes = 32; ///< of a warp

  ImplicitLocOpBuilder b;
  const int64_t threads;  ///< that compute, with the same keys
  const int64_t keyWarps; ///< among whom keys are dealt
  const bool hasRoles;    ///< whether others copy
  const int64_t blocks;   ///< runs of 16 rows that a warp owns
  const int64_t groups;   ///< of four warps that compute, 0 if fewer
  const bool isAligned;   ///< whether rows in memory start at 16 bytes
  /// i32: of `threads`, of the operation that is converted.
  Value thread;
  Value lane;                ///< i32
  Value quadRow, quadColumn; ///< i32: g and t
  Value warpRow;             ///< i32: the warp's first row
  /// i32: which group of four warps this is, where warps have roles.
  Value warpGroup;
  /// i64: a cache policy for what is read once, if anything is.
  Value readOnce;

  /// What stands for the operands, and is to stand for the results, of the
  /// operation that is converted. For a tile, by its type: elements in
  /// registers; for each 16 columns of a left operand and each run of 16 rows,
  /// four i32; a memref with padded rows; the address of a slot, i32. For a
  /// ring: the addresses of its first slot and of its first barrier, i32. For
  /// diagonals: the address, i32, of that of the thread's first row and first
  /// column, or the lane's own. For a number, a number.
  llvm::DenseMap<Value, SmallVector<Value>> parts;
  /// For each attempt, at its start, what has the thread's number anew.
  SmallVector<Operation *> recomputed;

  /// Goes on with `op`, for whose operands `operands` stand; the listener of
  /// `builder` is told what is emitted.
  void begin(Operation *op, ArrayRef<ValueRange> operands,
             const OpBuilder &builder);

  int64_t rowsOfWarp() const { return 16 * blocks; }
  /// How many columns a tile with these diagonals has, how many of them a
  /// warp's rows have, and how many a lane makes.
  int64_t columnsOf(RankedTensorType diagonals) const {
    return diagonals.getDimSize(0) + 1 - threads / lanes * rowsOfWarp();
  }
  int64_t diagonalsOfWarp(RankedTensorType diagonals) const {
    return rowsOfWarp() + columnsOf(diagonals) - 1;
  }
  int64_t diagonalsOfLane(RankedTensorType diagonals) const {
    return (diagonalsOfWarp(diagonals) + lanes - 1) / lanes;
  }

  //===--- elements of one thread -----------------------------------------===//
  /// How many elements of the tile a thread holds.
  int64_t fragmentSize(RankedTensorType tile) const;
  /// How many registers of a left operand a thread has.
  int64_t leftOperandSize(RankedTensorType tile) const {
    return tile.getDimSize(1) / 16 * blocks * 4;
  }
  /// How many columns of a matrix a thread's rows are held of by its quad.
  int64_t columnsHeld(RankedTensorType tile) const;
  int64_t elementIndex(int64_t columns, int64_t block, int64_t columnBlock,
                       int64_t element) const {
    return (block * (columns / 8) + columnBlock) * 4 + element;
  }
  static int64_t rowIndex(int64_t block, int64_t half) {
    return block * 2 + half;
  }
  static int64_t columnIndex(int64_t columnBlock, int64_t c) {
    return columnBlock * 2 + c;
  }
  /// Of the element at `index` of a fragment of a tile `columns` wide.
  int64_t rowIndexOf(int64_t index, int64_t columns) const {
    return rowIndex(index / (columns / 2), index % 4 / 2);
  }

  /// How many rows a fragment's row lies behind the thread's first.
  static int64_t firstRowDistance(int64_t rowIndex) {
    return rowIndex / 2 * 16 + rowIndex % 2 * 8;
  }
  /// The row within the tile, index, of a fragment's row.
  Value row(int64_t rowIndex);
  /// The column within the tile, index, of element 0/2 (c = 0) or 1/3 (c = 1).
  Value column(int64_t columnBlock, int64_t c);
  /// The elements of a tile, which are read here if it lies in shared memory;
  /// of a vector there those of rows, or of columns.
  Fragment fragmentOf(Value tile, bool ofColumns = false);

  //===--- small emitters -------------------------------------------------===//
  Value i32(int64_t value);
  Value index(int64_t value);
  Value f32(float value);
  /// `number` (i32), and what follows from it, computed again here: LLVM would
  /// keep it all in registers for what comes late, or hardly ever.
  Value anew(Value number);
  /// The value of lane ^ mask.
  Value shuffleXor(Value value, int64_t mask);
  /// A pointer (!llvm.ptr<3>) to element (row, column), both i32, of a tile in
  /// shared memory.
  Value sharedPointer(Value memref, Value row, Value column);
  /// The same of a tile in shared memory, wherever it lies there.
  Value tilePointer(Value tile, Value row, Value column);
  /// The element of `diagonals` on the diagonal of an element of a tile, which
  /// lies in the thread's row number `rowIndex` and column number 8 columnBlock
  /// + c.
  Value diagonal(Value diagonals, int64_t rowIndex, int64_t columnBlock,
                 int64_t c);
  /// i32: the thread's first row in its warp's less its first column.
  Value ownDiagonal();
  /// A pointer (!llvm.ptr<1>) to the element of memory at `position`.
  Value globalPointer(Value memory, ValueRange position);
  /// An i32 address in shared memory as a pointer.
  Value pointerTo(Value address);
  /// i32: where dynamic shared memory begins.
  Value startOfShared();
  /// i32: the address of the warp's part of what begins `offset` bytes behind,
  /// of which each warp has so many. Warps that deal keys among them have one
  /// each.
  Value partOfWarp(int64_t offset, int64_t bytesOfWarp);
  /// i32: the address `words` (i32) of 32 bits behind another.
  Value wordsBehind(Value address, Value words);
  /// The first address of dynamic shared memory that swizzled tiles may start
  /// at.
  Value alignedSharedMemory();
  /// All threads that compute with the same keys meet.
  void barrier();
  /// `pointer` plus a constant number of elements.
  Value advance(Value pointer, Type elementType, int64_t elements);

  /// The words of a matrix of 16-bit elements in registers, and one of them:
  /// that of elements 2 i and 2 i + 1.
  Fragment wordsOf(Value tile);
  Value wordOf(Value tile, int64_t i);

private:
  Fragment readVector(Value tile, bool ofColumns);
  Fragment readMatrix(Value tile);

  mlir::attn::ScheduleAttr schedule;
  Value ownThread, sharedMemory;
  llvm::DenseMap<int64_t, Value> rows, columns;
};

/// Whether the kernel can be lowered: each operation finds its tiles where it
/// takes them. Diagnoses the one that does not. What is emitted relies on it.
LogicalResult checkKernel(gpu::GPUFuncOp func,
                          mlir::attn::ScheduleAttr schedule);

/// One operation each, for whose results they leave parts.
void emitCopy(Distribution &d, CopyOp op);
void emitPagedCopy(Distribution &d, CopyOp op);
void emitView(Distribution &d, ViewOp op);
void emitContract(Distribution &d, linalg::ContractOp op);
void emitElementwise(Distribution &d, linalg::GenericOp op);
void emitReduce(Distribution &d, linalg::ReduceOp op);
void emitAnyAbove(Distribution &d, AnyAboveOp op);
void emitAnyBeyond(Distribution &d, AnyBeyondOp op);
void emitCombineThreads(Distribution &d, CombineThreadsOp op);
void emitCombineWarps(Distribution &d, CombineWarpsOp op);
void emitDiagonals(Distribution &d, DiagonalsOp op);
void emitSumDiagonals(Distribution &d, SumDiagonalsOp op);
void emitStore(Distribution &d, StoreOp op);
void emitHeldLoad(Distribution &d, LoadOp op);
void emitHeldStore(Distribution &d, StoreOp op);
void emitPut(Distribution &d, PutOp op);
void emitHandOn(Distribution &d, HandOnOp op);
void emitAddToMemory(Distribution &d, AddToMemoryOp op);
void emitScatterAdd(Distribution &d, ScatterAddOp op);
void emitLoad(Distribution &d, LoadOp op);
void emitHasNonfinite(Distribution &d, HasNonfiniteOp op);
void emitAddNonfinite(Distribution &d, AddNonfiniteOp op);
void emitClearNonfinite(Distribution &d, ClearNonfiniteOp op);
void emitIsolateNonfinite(Distribution &d, IsolateNonfiniteOp op);
void emitRing(Distribution &d, RingOp op);
void emitFill(Distribution &d, FillOp op);
void emitFillVector(Distribution &d, FillVectorOp op);
void emitPeek(Distribution &d, PeekOp op);
void emitRead(Distribution &d, ReadOp op);
void emitRelease(Distribution &d, ReleaseOp op);
void emitShare(Distribution &d, ShareOp op);
void emitDrawTask(Distribution &d, DrawTaskOp op);
void emitSend(Distribution &d, SendOp op);
void emitReceive(Distribution &d, ReceiveOp op);
void emitDrain(Distribution &d, DrainOp op);
void emitAwaitDrain(Distribution &d, AwaitDrainOp op);
void emitStart(Distribution &d, StartOp op);
void emitAwait(Distribution &d, AwaitOp op);
void emitTakeTurn(Distribution &d, TakeTurnOp op);
void emitPassTurn(Distribution &d, PassTurnOp op);

/// What a product needs to know; filled from the operation.
struct Product {
  Value lhs, rhs;
  int64_t columns, depth; ///< of the result that a warp has; summed over
  bool lhsTransposed;     ///< lhs columns are the result's rows
  bool transposed;        ///< rhs rows are the result's columns
  bool columnGroups;      ///< of the result
  Type elementType;
};

/// The product's result on top of `init`.
Fragment emitProduct16(Distribution &d, const Product &product, Fragment init);
Fragment emitProductF32(Distribution &d, const Product &product, Fragment init);
/// Starts it; `init` is empty where the product starts from zero.
Fragment startProduct(Distribution &d, const Product &product, Fragment init);
/// `elements` in the registers of an accumulator from here on: between products
/// that run nothing may be written there (ptxas: C7517).
Fragment asAccumulator(Distribution &d, const Fragment &elements);
/// Waits until at most `pending` later products are unfinished, once `after` (a
/// row vector, or nothing) is there.
Fragment awaitProduct(Distribution &d, const Fragment &product, int64_t pending,
                      const Fragment &after = {});

/// Copies 16 bytes from global to shared memory, in the thread's current
/// cp.async group: the first `bytes` (i32), and zeros behind them.
void copyAsync(Distribution &d, CopyOp op, Value to, Value from, Value bytes);

/// What threads wrote to shared memory, TMA and wgmma see.
void fenceForTMA(ImplicitLocOpBuilder &b);

/// Numbers of the barriers that groups of warps meet at; 0 is the whole
/// block's.
enum NamedBarrier : int32_t {
  computingWarps = 1, ///< all that compute
  turns = 2,          ///< and 3: the turns of two groups
};

/// The swizzled layout of tiles in a ring: see tile.ring.
constexpr int64_t chunkColumns = 64, chunkRowBytes = 128;
inline int64_t chunkBytes(RankedTensorType tile) {
  return tile.getDimSize(0) * chunkRowBytes;
}

} // namespace mlir::attn::tile

#endif // ATTN_CONVERSION_TILETONVVM_DISTRIBUTION_H
