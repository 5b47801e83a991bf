// tile-place-shared: what lies where in shared memory, and how much there is.
// The one place that computes offsets; see SharedMemory.h for the areas.
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEPLACESHAREDPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Gives out the bytes of an area one after another.
class Room {
public:
  Room(shared::Area area, StringRef what)
      : next(area.begin), end(area.end), what(what) {}

  FailureOr<int64_t> take(RingOp ring, int64_t bytes) {
    if (bytes > end - next)
      return ring.emitOpError() << "expects at most " << end - next
                                << " bytes of " << what << ", got " << bytes;
    return std::exchange(next, next + bytes);
  }

private:
  int64_t next, end;
  StringRef what;
};

/// Rings, in their order in the kernel; those of vectors, which need no
/// alignment of their own, behind those of matrices.
class RingPlaces {
public:
  LogicalResult place(RingOp ring) {
    auto type = cast<RingType>(ring.getType());
    int64_t bytes = type.getStages() * type.getStageBytes();
    FailureOr<int64_t> offset = type.hasTiles() ? takeTiles(bytes)
                                : isAboutTiles(ring)
                                    ? about.take(ring, bytes)
                                    : numbers.take(ring, bytes);
    if (failed(offset))
      return failure();
    ring.setOffset(*offset);
    if (isForSharing(ring))
      return success();
    FailureOr<int64_t> barrier =
        barriers.take(ring, 2 * shared::barrierBytes * type.getStages());
    if (failed(barrier))
      return failure();
    ring.setBarriers(*barrier);
    return success();
  }

  /// With what it takes to align the start.
  int64_t getBytes() const {
    return tiles - shared::tileAlignment + shared::besideTiles;
  }

private:
  static bool isAboutTiles(RingOp ring) {
    return llvm::any_of(ring.getResult().getUsers(), [](Operation *user) {
      auto send = dyn_cast<SendOp>(user);
      return send && send.getAbout();
    });
  }

  int64_t takeTiles(int64_t bytes) {
    return std::exchange(tiles, tiles + llvm::alignTo(bytes, 16));
  }

  Room barriers{shared::barriers, "barriers"},
      about{shared::numbersAbout, "numbers about tiles"},
      numbers{shared::numbers, "numbers"};
  int64_t tiles = shared::tileAlignment;
};

bool isShared(memref::AllocOp buffer) {
  auto space = dyn_cast_or_null<gpu::AddressSpaceAttr>(
      buffer.getType().getMemorySpace());
  return space && space.getValue() == gpu::AddressSpace::Workgroup;
}

/// Where the buffers of the thread's warp begin, if not at the start.
Value firstByteOfWarp(ImplicitLocOpBuilder &b, int64_t bytes, int64_t warps) {
  if (warps == 1)
    return Value();
  Value warp =
      arith::DivUIOp::create(b, gpu::ThreadIdOp::create(b, gpu::Dimension::x),
                             arith::ConstantIndexOp::create(b, 32));
  return arith::MulIOp::create(b, warp,
                               arith::ConstantIndexOp::create(b, bytes));
}

int64_t bytesOf(memref::AllocOp buffer) {
  MemRefType type = buffer.getType();
  return type.getNumElements() * type.getElementTypeBitWidth() / 8;
}

/// One after another, as parts of the block's dynamic memory; each of `warps`
/// that deal keys among them has all of them. Returns the bytes of all.
FailureOr<int64_t> placeBuffers(ArrayRef<memref::AllocOp> buffers,
                                int64_t warps) {
  int64_t ofWarp = 0;
  for (memref::AllocOp buffer : buffers) {
    MemRefType type = buffer.getType();
    if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
        !type.getElementType().isIntOrFloat())
      return buffer.emitOpError()
             << "expects shared memory of static shape, got " << type;
    ofWarp += bytesOf(buffer);
  }
  Value memory, first;
  int64_t bytes = 0;
  for (memref::AllocOp buffer : buffers) {
    ImplicitLocOpBuilder b(buffer.getLoc(), buffer);
    MemRefType type = buffer.getType();
    if (!memory) {
      memory = gpu::DynamicSharedMemoryOp::create(
          b,
          MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                          MemRefLayoutAttrInterface(), type.getMemorySpace()));
      first = firstByteOfWarp(b, ofWarp, warps);
    }
    Value offset = arith::ConstantIndexOp::create(b, bytes);
    if (first)
      offset = arith::AddIOp::create(b, first, offset);
    bytes += bytesOf(buffer);
    buffer.replaceAllUsesWith(
        memref::ViewOp::create(b, type, memory, offset, ValueRange{})
            .getResult());
    buffer.erase();
  }
  return warps * ofWarp;
}

/// What warps add up is behind the buffers, in the same place for all: vectors
/// of each, matrices of the half that gives them to the other.
int64_t placeSums(ArrayRef<CombineWarpsOp> sums, int64_t first, int64_t warps) {
  int64_t bytes = 0;
  for (CombineWarpsOp sum : sums) {
    sum.setOffset(first);
    auto type = cast<RankedTensorType>(sum.getPartial().getType());
    bytes = std::max(
        bytes,
        type.getRank() == 2
            ? warps / 2 *
                  shared::floatsOfWarp(type.getDimSize(0), type.getDimSize(1))
            : warps * shared::floatsOfWarp(type.getDimSize(0), 4));
  }
  return bytes;
}

struct TilePlaceShared : tile::impl::TilePlaceSharedPassBase<TilePlaceShared> {
  using TilePlaceSharedPassBase::TilePlaceSharedPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    SmallVector<RingOp> rings;
    SmallVector<memref::AllocOp> buffers;
    SmallVector<CombineWarpsOp> sums;
    func.walk([&](Operation *op) {
      if (auto sum = dyn_cast<CombineWarpsOp>(op))
        sums.push_back(sum);
      if (auto ring = dyn_cast<RingOp>(op))
        rings.push_back(ring);
      if (auto buffer = dyn_cast<memref::AllocOp>(op);
          buffer && isShared(buffer))
        buffers.push_back(buffer);
    });
    if (rings.empty() && buffers.empty())
      return;
    if (!rings.empty() && !buffers.empty()) {
      buffers.front().emitOpError() << "expects shared memory for rings or for "
                                       "buffers, not for both";
      return signalPassFailure();
    }
    auto hasVectors = [](RingOp ring) {
      return cast<RingType>(ring.getType()).hasVectors();
    };
    std::stable_partition(rings.begin(), rings.end(),
                          [&](RingOp ring) { return !hasVectors(ring); });
    RingPlaces places;
    for (RingOp ring : rings)
      if (failed(places.place(ring)))
        return signalPassFailure();
    auto schedule = func->getAttrOfType<ScheduleAttr>("attn.schedule");
    int64_t warps = schedule ? schedule.getRoles().keyWarps : 1;
    FailureOr<int64_t> bytes =
        rings.empty() ? placeBuffers(buffers, warps) : places.getBytes();
    if (failed(bytes))
      return signalPassFailure();
    mlir::attn::setSharedBytes(func, *bytes + placeSums(sums, *bytes, warps));
  }
};

} // namespace
