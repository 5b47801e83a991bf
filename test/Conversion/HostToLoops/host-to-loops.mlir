// RUN: attn-opt %s --host-to-loops --split-input-file --verify-diagnostics | FileCheck %s

// What is allocated is freed, but for the result; memory has strides of run time.
// CHECK-LABEL: func.func @double(
// CHECK-SAME:    %[[X:.*]]: memref<?xf32, strided<[1], offset: ?>>) -> memref<?xf32, strided<[1], offset: ?>>
// CHECK-SAME:    llvm.emit_c_interface
// CHECK:         %[[Y:.*]] = memref.alloc({{.*}}) {{.*}}: memref<?xf32>
// CHECK:         scf.for
// CHECK:           memref.load %[[X]]
// CHECK:           memref.store %{{.*}}, %[[Y]]
// CHECK:         scf.for
// CHECK-NOT:     memref.dealloc %[[Y]]
// CHECK:         return
func.func @double(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = arith.addf %x, %x : tensor<?xf32>
  %z = arith.mulf %y, %x : tensor<?xf32>
  return %z : tensor<?xf32>
}

// Each result is its caller's to free: no two are one allocation, nor a part of it.
// CHECK-LABEL: func.func @twice(
// CHECK:         %[[Y:.*]] = memref.alloc({{.*}}) {{.*}}: memref<?xf32>
// CHECK:         %[[SECOND:.*]] = memref.alloc({{.*}}) {{.*}}: memref<?xf32>
// CHECK:         memref.store %{{.*}}, %[[SECOND]]
// CHECK:         return %[[A:.*]], %[[B:.*]] :
func.func @twice(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>) {
  %y = arith.addf %x, %x : tensor<?xf32>
  return %y, %y : tensor<?xf32>, tensor<?xf32>
}
// CHECK-LABEL: func.func @whole_and_part(
// CHECK:         memref.alloc() {{.*}}: memref<8xf32>
// CHECK:         memref.alloc() {{.*}}: memref<4xf32>
// CHECK:         return
func.func @whole_and_part(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  %y = arith.addf %x, %x : tensor<8xf32>
  %part = tensor.extract_slice %y[4] [4] [1] : tensor<8xf32> to tensor<4xf32>
  return %y, %part : tensor<8xf32>, tensor<4xf32>
}

// Every other column is not what a function takes: it gets a copy, which is freed.
// CHECK-LABEL: func.func @every_other(
// CHECK:         memref.reinterpret_cast {{.*}} strides: [{{.*}}, 2]
// CHECK:         %[[COPY:.*]] = memref.alloc
// CHECK:         memref.store %{{.*}}, %[[COPY]]
// CHECK:         call @reads
// CHECK:         memref.dealloc %[[COPY]]
func.func private @reads(%x: tensor<?x?xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %y = tensor.extract %x[%c0, %c0] : tensor<?x?xf32>
  return %y : f32
}
func.func @every_other(%x: tensor<8x8xf32>) -> f32 {
  %t = tensor.extract_slice %x[0, 0] [8, 4] [1, 2] : tensor<8x8xf32> to tensor<8x4xf32>
  %d = tensor.cast %t : tensor<8x4xf32> to tensor<?x?xf32>
  %y = call @reads(%d) : (tensor<?x?xf32>) -> f32
  return %y : f32
}

// A caller's memory stays as it is, where another program may be the caller.
// CHECK-LABEL: func.func @two(
// CHECK:         %[[Y:.*]] = memref.alloc
// CHECK:         memref.store %{{.*}}, %[[Y]]
// CHECK-LABEL: func.func private @own_two(
// CHECK-SAME:    %[[X:.*]]: memref<?xf32
// CHECK:         memref.store %{{.*}}, %[[X]]
func.func @two(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c = arith.constant 2.0 : f32
  %y = linalg.fill ins(%c : f32) outs(%x : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
// What is returned is the caller's to free, and so no argument.
// CHECK-LABEL: func.func @same(
// CHECK-SAME:    %[[X:.*]]: memref<?xf32
// CHECK:         %[[Y:.*]] = memref.alloc
// CHECK:         %[[ELEMENT:.*]] = memref.load %[[X]]
// CHECK:         memref.store %[[ELEMENT]], %[[Y]]
// CHECK-NOT:     clone
func.func private @own_two(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c = arith.constant 2.0 : f32
  %y = linalg.fill ins(%c : f32) outs(%x : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

func.func @same(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}

// -----

// Neither kernels nor what is on memory already.
// CHECK-LABEL: func.func @kernel
// CHECK:         tensor.empty
// CHECK-LABEL: func.func @memory
// CHECK-NOT:     dealloc
// CHECK-LABEL: func.func private @host
func.func @kernel(%x: memref<?xf32>) attributes {attn.kernel} {
  %t = tensor.empty() : tensor<4xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%t : tensor<4xf32>) {
  ^bb0(%o: f32):
    linalg.yield %o : f32
  } -> tensor<4xf32>
  return
}
func.func @memory(%n: index) -> memref<?xf32> {
  %m = memref.alloc(%n) : memref<?xf32>
  %x = memref.alloc(%n) : memref<?xf32>
  return %m : memref<?xf32>
}
func.func private @host(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// An operation on tensors that has no way to memory.
func.func @unknown(%q: tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32> {
  // expected-error @+1 {{op was not bufferized}}
  %o = attn.attention %q, %q, %q : (tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>) -> tensor<?x?x?x16xf32>
  return %o : tensor<?x?x?x16xf32>
}
