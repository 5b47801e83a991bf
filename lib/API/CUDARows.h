// What kernels on rows of materialised scores have in common on a GPU: a warp
// for each row, whose lanes take every 32nd key.
#ifndef ATTN_LIB_API_CUDAROWS_H
#define ATTN_LIB_API_CUDAROWS_H

#include "attn/API/Attention.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Runtime/LoadedKernel.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OwningOpRef.h"

namespace attn {

/// Emits the body of such a kernel, which buildRowModule() has made.
class RowKernel {
public:
  RowKernel(mlir::gpu::GPUFuncOp func, mlir::attn::ModOp mod);
  virtual ~RowKernel() = default;

  void build();

protected:
  /// Emits the work of a warp that has a row.
  virtual void buildRow() = 0;

  mlir::Value parameter(Role role);
  /// The place of a pair in a memory of rows x keys.
  mlir::Value position(mlir::Value key);
  /// `value` of the lane whose number differs in the bits of `mask`.
  mlir::Value shuffle(mlir::Value value, int64_t mask);
  mlir::Value i32(mlir::Value value);
  mlir::Value index(int64_t value);
  mlir::Value number(float value);

  mlir::ImplicitLocOpBuilder b;
  mlir::gpu::GPUFuncOp func;
  mlir::attn::ModOp mod;
  mlir::Value keys, rows, scale;
  mlir::SmallVector<mlir::Value> captures;
  mlir::Value lane, row, rowStart, batch, head, query; ///< from build() on
};

/// A module with a gpu.module that holds the kernel `name`, still empty. Its
/// parameters are vectors of `memories`, the sizes of bindRows(), and the
/// captures of `entry`.
mlir::OwningOpRef<mlir::ModuleOp>
buildRowModule(const Mod &mod, mlir::attn::ModOp entry, mlir::StringRef name,
               mlir::ArrayRef<std::pair<Role, mlir::Type>> memories);

/// The kernel in that module.
mlir::gpu::GPUFuncOp rowKernelIn(mlir::ModuleOp module);

/// Binds what is no memory of scores; `infos` are those of the captures.
void bindRows(Bindings &bindings, int64_t first, int64_t count, int64_t heads,
              int64_t queries, int64_t keys, float scale,
              const std::vector<CaptureInfo> &infos,
              const std::vector<CaptureView> &captures);

/// Launches it for so many rows.
Result<void> launchRows(const cuda::LoadedKernel &kernel, int64_t rows,
                        Bindings &bindings, void *stream);

} // namespace attn

#endif // ATTN_LIB_API_CUDAROWS_H
