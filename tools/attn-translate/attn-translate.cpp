// attn-translate: from lowered IR to what a machine takes (PTX, object code).
#include "attn/API/Version.h"
#include "attn/Target/Object/EmitObject.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

#include "llvm/Support/CommandLine.h"

int main(int argc, char **argv) {
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &stream) {
    stream << attn::versionText("attn-translate") << "\n";
  });
  mlir::attn::registerToObjectTranslation();
  mlir::attn::registerToPTXTranslation();
  return failed(mlir::mlirTranslateMain(argc, argv, "attn translation driver"));
}
