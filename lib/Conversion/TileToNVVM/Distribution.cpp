// What one thread knows: its place in the block and where its elements lie.
#include "Distribution.h"

#include "attn/Dialect/Tile/Transforms/Meeting.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

Distribution::Distribution(gpu::GPUFuncOp func,
                           mlir::attn::ScheduleAttr schedule)
    : b(func.getLoc(), &func.getBody().front(), func.getBody().front().begin()),
      threads(schedule.getRoles().getComputingThreads()),
      keyWarps(schedule.getRoles().keyWarps),
      hasRoles(schedule.getRoles().hasProducers()),
      blocks(schedule.getTiling().getRows() / (16 * schedule.getRoles().warps)),
      groups(schedule.getRoles().warps / 4),
      isAligned(!schedule.getPipeline().unaligned), schedule(schedule) {
  thread = arith::IndexCastOp::create(
      b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  if (keyWarps > 1)
    thread = arith::AndIOp::create(b, thread, i32(threads - 1));
  ownThread = thread;
  lane = arith::AndIOp::create(b, thread, i32(31));
  Value warp = arith::ShRUIOp::create(b, thread, i32(5));
  quadRow = arith::ShRUIOp::create(b, lane, i32(2));
  quadColumn = arith::AndIOp::create(b, lane, i32(3));
  warpRow = arith::MulIOp::create(b, warp, i32(16 * blocks));

  if (hasRoles) {
    // All lanes hold the same number; a reduction says so to ptxas, which else
    // moves descriptors to uniform registers between one wgmma and the next.
    Value group = arith::ShRUIOp::create(b, thread, i32(7));
    warpGroup = NVVM::ReduxOp::create(b, b.getI32Type(), group,
                                      NVVM::ReduxKind::OR, i32(-1),
                                      /*abs=*/false, /*nan=*/false);
  }

  if (schedule.getPipeline().readOnce)
    readOnce =
        LLVM::InlineAsmOp::create(
            b, b.getI64Type(), ValueRange{},
            "createpolicy.fractional.L2::evict_first.b64 $0;", "=l",
            /*has_side_effects=*/false, /*is_align_stack=*/false,
            LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
            .getResult(0);

  Value firstRow = arith::AddIOp::create(b, warpRow, quadRow);
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t half = 0; half < 2; ++half)
      rows[rowIndex(block, half)] = arith::IndexCastOp::create(
          b, b.getIndexType(),
          arith::AddIOp::create(b, firstRow, i32(16 * block + 8 * half)));
  // Columns up to the widest tile are made here, where they dominate all uses;
  // those that nothing reads disappear.
  Value firstColumn = arith::ShLIOp::create(b, quadColumn, i32(1));
  for (int64_t c = 0; c < 2; ++c)
    for (int64_t columnBlock = 0; columnBlock < 256 / 8; ++columnBlock)
      columns[2 * columnBlock + c] = arith::IndexCastOp::create(
          b, b.getIndexType(),
          arith::AddIOp::create(b, firstColumn, i32(8 * columnBlock + c)));
}

void Distribution::begin(Operation *op, ArrayRef<ValueRange> operands,
                         const OpBuilder &builder) {
  b.setListener(builder.getListener());
  b.setInsertionPoint(op);
  b.setLoc(op->getLoc());
  parts.clear();
  for (auto [operand, own] : llvm::zip_equal(op->getOperands(), operands))
    parts[operand] = SmallVector<Value>(own);
  thread = ownThread;
  for (Operation *again : recomputed)
    if (again->getBlock()->findAncestorOpInBlock(*op))
      thread = again->getResult(0);
}

int64_t Distribution::fragmentSize(RankedTensorType tile) const {
  if (tile.getRank() == 2)
    return blocks * (columnsHeld(tile) / 8) * 4;
  return isOfColumns(tile) ? tile.getDimSize(0) / 4 : 2 * blocks;
}

int64_t Distribution::columnsHeld(RankedTensorType tile) const {
  return tile.getDimSize(1) / (isOfColumnGroups(tile) ? groups : 1);
}

Value Distribution::row(int64_t rowIndex) { return rows.lookup(rowIndex); }

Value Distribution::column(int64_t columnBlock, int64_t c) {
  return columns.lookup(2 * columnBlock + c);
}

Value Distribution::i32(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

Value Distribution::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value Distribution::f32(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value Distribution::anew(Value number) {
  return LLVM::InlineAsmOp::create(
             b, b.getI32Type(), ValueRange{number}, "mov.b32 $0, $1;", "=r,r",
             /*has_side_effects=*/true, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

Value Distribution::shuffleXor(Value value, int64_t mask) {
  return NVVM::ShflOp::create(b, value.getType(), i32(-1), value, i32(mask),
                              i32(31), NVVM::ShflKind::bfly, UnitAttr());
}

Value Distribution::sharedPointer(Value memref, Value row, Value column) {
  auto type = cast<MemRefType>(memref.getType());
  Value address = arith::IndexCastOp::create(
      b, b.getI64Type(),
      memref::ExtractAlignedPointerAsIndexOp::create(b, memref));
  auto pointerType = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value base = LLVM::IntToPtrOp::create(b, pointerType, address);
  Value offset = arith::AddIOp::create(
      b, arith::MulIOp::create(b, row, i32(type.getDimSize(1))), column);
  return LLVM::GEPOp::create(b, pointerType, type.getElementType(), base,
                             ValueRange{offset});
}

Value Distribution::advance(Value pointer, Type elementType, int64_t elements) {
  if (elements == 0)
    return pointer;
  return LLVM::GEPOp::create(
      b, pointer.getType(), elementType, pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(elements)});
}

Value Distribution::globalPointer(Value memory, ValueRange position) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, memory);
  Value offset = metadata.getOffset();
  for (auto [at, stride] : llvm::zip_equal(position, metadata.getStrides()))
    offset =
        arith::AddIOp::create(b, offset, arith::MulIOp::create(b, at, stride));
  auto toI64 = [&](Value index) -> Value {
    return arith::IndexCastOp::create(b, b.getI64Type(), index);
  };
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 1);
  Value base = LLVM::IntToPtrOp::create(
      b, pointer,
      toI64(memref::ExtractAlignedPointerAsIndexOp::create(b, memory)));
  return LLVM::GEPOp::create(
      b, pointer, cast<MemRefType>(memory.getType()).getElementType(), base,
      ValueRange{toI64(offset)});
}

Value Distribution::pointerTo(Value address) {
  return LLVM::IntToPtrOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), 3), address);
}

/// Row r of a chunk starts 128 r bytes into it; its 16-byte pieces change
/// places.
Value Distribution::tilePointer(Value tile, Value row, Value column) {
  Value place = parts.lookup(tile).front();
  auto type = cast<RankedTensorType>(tile.getType());
  if (!isInSlot(type))
    return sharedPointer(place, row, column);
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, x, y);
  };
  auto times = [&](Value x, int64_t factor) -> Value {
    return arith::MulIOp::create(b, x, i32(factor));
  };
  Value chunk = arith::DivUIOp::create(b, column, i32(chunkColumns));
  Value inChunk = arith::RemUIOp::create(b, column, i32(chunkColumns));
  Value piece =
      arith::XOrIOp::create(b, arith::ShRUIOp::create(b, inChunk, i32(3)),
                            arith::AndIOp::create(b, row, i32(7)));
  Value inPiece = arith::AndIOp::create(b, inChunk, i32(7));
  Value offset = add(times(chunk, chunkBytes(type)), times(row, chunkRowBytes));
  offset = add(offset, add(times(piece, 16), times(inPiece, 2)));
  return pointerTo(add(place, offset));
}

Fragment Distribution::fragmentOf(Value tile, bool ofColumns) {
  auto type = cast<RankedTensorType>(tile.getType());
  if (isInRegisters(type) || isInLanes(type))
    return parts.lookup(tile);
  return type.getRank() == 1 ? readVector(tile, ofColumns) : readMatrix(tile);
}

/// Its elements lie in a slot, one after the other.
Fragment Distribution::readVector(Value tile, bool ofColumns) {
  auto type = cast<RankedTensorType>(tile.getType());
  Value first = parts.lookup(tile).front();
  auto pointerAt = [&](Value element) {
    Value offset = arith::MulIOp::create(
        b, arith::IndexCastOp::create(b, b.getI32Type(), element), i32(4));
    return pointerTo(arith::AddIOp::create(b, first, offset));
  };
  Fragment elements;
  if (!ofColumns) {
    for (int64_t i = 0; i < 2 * blocks; ++i)
      elements.push_back(
          LLVM::LoadOp::create(b, type.getElementType(), pointerAt(row(i))));
    return elements;
  }
  auto pairType = VectorType::get({2}, type.getElementType());
  Value own = pointerAt(column(0, 0));
  for (int64_t block = 0; block < type.getDimSize(0) / 8; ++block) {
    Value pair = LLVM::LoadOp::create(
        b, pairType, advance(own, type.getElementType(), 8 * block));
    for (int64_t c : {0, 1})
      elements.push_back(vector::ExtractOp::create(b, pair, c));
  }
  return elements;
}

Fragment Distribution::readMatrix(Value tile) {
  auto type = cast<RankedTensorType>(tile.getType());
  auto pairType = VectorType::get({2}, type.getElementType());
  auto toI32 = [&](Value index) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  };
  int64_t columns = type.getDimSize(1);
  Fragment elements(fragmentSize(type));
  for (int64_t i = 0; i < 2 * blocks; ++i)
    for (int64_t block = 0; block < columns / 8; ++block) {
      Value pair = LLVM::LoadOp::create(
          b, pairType,
          tilePointer(tile, toI32(row(i)), toI32(column(block, 0))));
      for (int64_t c : {0, 1})
        elements[elementIndex(columns, i / 2, block, i % 2 * 2 + c)] =
            vector::ExtractOp::create(b, pair, c);
    }
  return elements;
}

Value Distribution::startOfShared() {
  Value memory = gpu::DynamicSharedMemoryOp::create(
      b, MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                         MemRefLayoutAttrInterface(),
                         gpu::AddressSpaceAttr::get(
                             b.getContext(), gpu::AddressSpace::Workgroup)));
  return arith::IndexCastOp::create(
      b, b.getI32Type(),
      memref::ExtractAlignedPointerAsIndexOp::create(b, memory));
}

Value Distribution::partOfWarp(int64_t offset, int64_t bytesOfWarp) {
  Value own = arith::IndexCastOp::create(
      b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  Value warp = arith::ShRUIOp::create(b, own, i32(5));
  Value start = arith::AddIOp::create(b, startOfShared(), i32(offset));
  return arith::AddIOp::create(
      b, start, arith::MulIOp::create(b, warp, i32(bytesOfWarp)));
}

Value Distribution::wordsBehind(Value address, Value words) {
  return arith::AddIOp::create(b, address,
                               arith::MulIOp::create(b, words, i32(4)));
}

Value Distribution::alignedSharedMemory() {
  if (sharedMemory)
    return sharedMemory;
  return sharedMemory = arith::AndIOp::create(
             b, arith::AddIOp::create(b, startOfShared(), i32(1023)),
             i32(~1023));
}

void tile::fenceForTMA(ImplicitLocOpBuilder &b) {
  NVVM::FenceProxyOp::create(
      b, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

void Distribution::barrier() {
  if (!hasRoles)
    meet(b, schedule);
  else
    NVVM::BarrierOp::create(b, TypeRange(), i32(computingWarps), i32(threads),
                            NVVM::BarrierReductionAttr(), Value());
}

Value Distribution::wordOf(Value tile, int64_t i) {
  const Fragment &elements = parts.find(tile)->second;
  Value pair = vector::FromElementsOp::create(
      b,
      VectorType::get({2},
                      cast<RankedTensorType>(tile.getType()).getElementType()),
      ValueRange{elements[2 * i], elements[2 * i + 1]});
  return LLVM::BitcastOp::create(b, b.getI32Type(), pair);
}

Fragment Distribution::wordsOf(Value tile) {
  Fragment result;
  int64_t count = fragmentSize(cast<RankedTensorType>(tile.getType())) / 2;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(wordOf(tile, i));
  return result;
}
