// attn-translate: from lowered IR to what a machine takes (PTX).
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"

int main(int argc, char **argv) {
  mlir::attn::registerToPTXTranslation();
  return failed(mlir::mlirTranslateMain(argc, argv, "attn translation driver"));
}
