// attn-translate: from lowered IR to what a machine takes (PTX, object
// code, images of both).
#include "attn/API/Version.h"
#include "attn/Target/Translations.h"

#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

#include "llvm/Support/CommandLine.h"

int main(int argc, char **argv) {
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &stream) {
    stream << attn::versionText("attn-translate") << "\n";
  });
  mlir::attn::registerTranslations();
  return failed(mlir::mlirTranslateMain(argc, argv, "attn translation driver"));
}
