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

/// One after another, as parts of the block's dynamic memory. Returns the bytes
/// of all.
FailureOr<int64_t> placeBuffers(ArrayRef<memref::AllocOp> buffers) {
  Value memory;
  int64_t bytes = 0;
  for (memref::AllocOp buffer : buffers) {
    MemRefType type = buffer.getType();
    if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
        !type.getElementType().isIntOrFloat())
      return buffer.emitOpError()
             << "expects shared memory of static shape, got " << type;
    ImplicitLocOpBuilder b(buffer.getLoc(), buffer);
    if (!memory)
      memory = gpu::DynamicSharedMemoryOp::create(
          b,
          MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                          MemRefLayoutAttrInterface(), type.getMemorySpace()));
    Value offset = arith::ConstantIndexOp::create(b, bytes);
    buffer.replaceAllUsesWith(
        memref::ViewOp::create(b, type, memory, offset, ValueRange{})
            .getResult());
    buffer.erase();
    bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
  }
  return bytes;
}

struct TilePlaceShared : tile::impl::TilePlaceSharedPassBase<TilePlaceShared> {
  using TilePlaceSharedPassBase::TilePlaceSharedPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    SmallVector<RingOp> rings;
    SmallVector<memref::AllocOp> buffers;
    func.walk([&](Operation *op) {
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
    FailureOr<int64_t> bytes =
        rings.empty() ? placeBuffers(buffers) : places.getBytes();
    if (failed(bytes))
      return signalPassFailure();
    mlir::attn::setSharedBytes(func, *bytes);
  }
};

} // namespace
