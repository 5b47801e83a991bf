// See KernelEntry.h.
#include "attn/Target/KernelEntry.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::attn;

FailureOr<::attn::KernelEntry>
mlir::attn::describeKernel(FunctionOpInterface kernel) {
  if (!kernel->hasAttr(signatureName))
    return kernel.emitOpError() << "expects a kernel with a signature";
  ::attn::KernelEntry entry;
  entry.name = SymbolTable::getSymbolName(kernel).str();
  entry.signature = signatureOf(kernel);
  if (::attn::flatCount(entry.signature) != kernel.getNumArguments())
    return kernel.emitOpError()
           << "expects " << ::attn::flatCount(entry.signature)
           << " arguments for its signature, got " << kernel.getNumArguments();
  kernel->walk([&](NVVM::GriddepcontrolOp op) {
    entry.isDependent |= op.getKind() == NVVM::GridDepActionKind::wait;
  });
  if (auto schedule = kernel->getAttrOfType<ScheduleAttr>("attn.schedule")) {
    entry.queryTile = schedule.getTiling().q;
    entry.keyTile = schedule.getTiling().kv;
    entry.packsHeads = schedule.getTiling().pack;
    entry.chunk = schedule.getTiling().chunk;
    llvm::raw_string_ostream(entry.schedule) << schedule;
  }
  return entry;
}
