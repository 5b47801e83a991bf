// RUN: attn-opt %s --tile-bufferize --split-input-file --verify-diagnostics

// expected-error @below {{expects tiles that take at most 4194304 bytes of stack, got 4259840: choose a smaller schedule}}
func.func @stack(%x: memref<?x1024xf32>, %row: index) {
  %t = tile.load %x[%row] : memref<?x1024xf32> -> tensor<1040x1024xf32>
  tile.store %t, %x[%row] : tensor<1040x1024xf32>, memref<?x1024xf32>
  return
}

// -----

func.func @channels(%x: memref<?x?xf32>, %row: index) -> i1 {
  // expected-error @below {{expects memory with a static channel dimension}}
  // expected-error @below {{failed to bufferize op}}
  %t = tile.load %x[%row] : memref<?x?xf32> -> tensor<8x16xf32>
  %r = tile.has_nonfinite %t : tensor<8x16xf32>
  return %r : i1
}
