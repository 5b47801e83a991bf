#ifndef ATTN_DIALECT_ATTN_TD
#define ATTN_DIALECT_ATTN_TD

include "mlir/IR/OpBase.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::mlir::attn";
  let summary = "attention variants as programs";
  let description = [{
    What is computed: `attn.attention` on whole tensors, and `attn.mod`, a named
    attention variant made of two small side-effect-free programs. The score
    program maps one scaled score and its position to another score; the mask
    program says which (query, key) pairs take part.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasRegionArgAttrVerify = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // ATTN_DIALECT_ATTN_TD
