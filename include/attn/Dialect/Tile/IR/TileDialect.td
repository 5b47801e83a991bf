#ifndef TILE_DIALECT_TD
#define TILE_DIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::mlir::attn::tile";
  let summary = "tiles of a tensor that lies in memory, and where they live";
  let description = [{
    The flash form is `scf` loops and `linalg` on tile tensors of static shape.
    This dialect adds what moves a tile: `tile.load` and `tile.store` between
    strided memory of run-time size and a tile tensor, and, on a GPU, the copies
    into shared memory that overlap with arithmetic.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // TILE_DIALECT_TD
