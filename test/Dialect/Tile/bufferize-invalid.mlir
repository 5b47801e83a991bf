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

// -----

func.func @strided(%x: memref<?x16xf32, strided<[32, 2]>>, %row: index) -> i1 {
  // expected-error @below {{expects memory with channels of stride 1}}
  // expected-error @below {{failed to bufferize op}}
  %t = tile.load %x[%row] : memref<?x16xf32, strided<[32, 2]>> -> tensor<8x16xf32>
  %r = tile.has_nonfinite %t : tensor<8x16xf32>
  return %r : i1
}

// -----

// A tensor that is no tile.
func.func @dynamic(%n: index, %i: index) -> f32 {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{expects a tile of static shape, got 'memref<?xf32>'}}
  // expected-error @below {{failed to bufferize op}}
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %x = tensor.extract %f[%i] : tensor<?xf32>
  return %x : f32
}
