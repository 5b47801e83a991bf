#ifndef ATTN_CONVERSION_PASSES_TD
#define ATTN_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnToLinalgPass : Pass<"attn-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower attention to linalg on whole tensors: the oracle";
  let description = [{
    The definition of `attn.attention` written down step by step, with the whole
    score matrix: simple, slow, and independent of every other lowering.
    Expects that mods stand alone (`attn-inline-mods`).
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"f64\"",
           "f64 or f32: the type in which everything is computed">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def AttnToFlashPass : Pass<"attn-to-flash", "::mlir::ModuleOp"> {
  let summary = "Lower attention to its flash form";
  let description = [{
    Turns a function that returns the results of one `attn.attention` of its
    arguments into a kernel on strided memory: an `scf.forall` over query tiles,
    heads and batches, inside it an `scf.for` over the key tiles which the mask
    can keep, with an online softmax on tile tensors. The score matrix never
    exists. Expects a schedule (`attn-select-schedule`) and mods that stand alone
    (`attn-inline-mods`).

    The kernel takes the operands, in their order, then out and lse, as memrefs
    with run-time sizes and strides. docs/FlashForm.md has an annotated example.
  }];
  let options = [
    Option<"roundProbabilities", "round-probabilities", "bool", "true",
           "round the softmax weights to the element type before the second "
           "product, as matrix units want them">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tile::TileDialect"];
}

#endif // ATTN_CONVERSION_PASSES_TD
