// What a Mod holds: the parsed file and the context that owns its IR.
#ifndef ATTN_LIB_API_MODIMPL_H
#define ATTN_LIB_API_MODIMPL_H

#include "attn/API/Attention.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/SourceMgr.h"

#include <functional>
#include <mutex>

namespace attn {

struct Mod::Impl {
  Impl();

  /// Held by whoever uses the context: a mod may be compiled by several
  /// threads.
  mutable std::mutex mutex;
  mutable mlir::MLIRContext context;
  /// The text of the file, for diagnostics.
  mutable llvm::SourceMgr sources;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The file's module with nothing applied any more (attn-inline-mods).
  mlir::OwningOpRef<mlir::ModuleOp> inlined;
  mlir::attn::ModOp entry; ///< in `module`
  std::string name;
  std::vector<CaptureInfo> captures;
  std::optional<QueryOffset> queryOffset;
  bool hasLengths = false;

  /// The entry mod in `inlined`.
  mlir::attn::ModOp standalone() const;

  /// Runs `step` with the diagnostics collected; the error is what they say, or
  /// `otherwise` if they say nothing. Locks nothing.
  Result<void> collect(const char *otherwise,
                       const std::function<mlir::LogicalResult()> &step) const;
};

/// The MLIR type of an element.
mlir::Type elementTypeOf(mlir::MLIRContext *context, ElementType type);

} // namespace attn

#endif // ATTN_LIB_API_MODIMPL_H
