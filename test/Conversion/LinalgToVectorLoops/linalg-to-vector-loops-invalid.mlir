// RUN: attn-opt %s --linalg-to-vector-loops --split-input-file --verify-diagnostics
// RUN: echo "func.func @f() { return }" | not attn-opt --pass-pipeline="builtin.module(func.func(linalg-to-vector-loops{width=0}))" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=WIDTH
// RUN: echo "func.func @f() { return }" | not attn-opt --pass-pipeline="builtin.module(func.func(linalg-to-micro-kernels{lanes=0}))" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=LANES

// WIDTH: error: expects 'width' from 1 to 4096, got 0
// LANES: error: expects 'lanes' and 'registers' from 1 to 1024, got 0 and 16
#i = affine_map<(i) -> (i)>
func.func @tensors(%a: tensor<7xf32>) -> tensor<7xf32> {
  // expected-error @+1 {{'linalg.generic' op expects buffers}}
  %r = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%a : tensor<7xf32>) outs(%a : tensor<7xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<7xf32>
  return %r : tensor<7xf32>
}

// -----

// The sum of two dimensions can be read at, but two iterations would write there.
func.func @sums(%a: memref<7x3xf32>, %b: memref<9xf32>) {
  // expected-error @+1 {{'linalg.generic' op expects results at dimensions and constants}}
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i + j)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<7x3xf32>) outs(%b : memref<9xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
