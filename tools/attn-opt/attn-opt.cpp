// attn-opt: runs any pass or pipeline of the compiler on IR of any level, so
// that every step can be looked at and tested by itself. Conventions of
// mlir-opt.
#include "attn/API/Version.h"
#include "attn/Cache/Store.h"
#include "attn/InitAll.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "llvm/Support/CommandLine.h"

static llvm::cl::opt<bool> cacheStats(
    "cache-stats",
    llvm::cl::desc("Print what the cache of compiled kernels holds, and exit"),
    llvm::cl::callback([](const bool &) {
      llvm::outs() << attn::cache::describe();
      llvm::outs().flush();
      std::exit(0);
    }));

int main(int argc, char **argv) {
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &stream) {
    stream << attn::versionText("attn-opt") << "\n";
  });
  mlir::DialectRegistry registry;
  mlir::attn::registerAllDialects(registry);
  mlir::attn::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "attn-opt: attention compiler pass driver\n", registry));
}
