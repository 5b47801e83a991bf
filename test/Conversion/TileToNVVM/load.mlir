// Global memory to registers, each thread its own elements.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#ij = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>
#i = affine_map<(i) -> (i)>
#schedule = #attn.schedule<tiling = <q = 16, kv = 16>, roles = <warps = 1>>
!memory = memref<?x?x16xbf16, strided<[?, ?, 1], offset: ?>>
!out = memref<?x?x16xf32, strided<[?, ?, 1], offset: ?>>
!tf = tensor<16x16xf32>

gpu.module @kernels {
  // A thread has two rows of a vector. What is outside of the memory is zero; the last element is read instead.
  // CHECK-LABEL: gpu.func @rows(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?xf32>, %[[O:[^:]*]]: memref<?x?xf32>, %[[I:[^:]*]]: index)
  // CHECK: %[[SIZE:.*]] = memref.dim %[[M]], %c1
  // CHECK: %[[AT:.*]] = arith.addi %[[I]], %{{.*}}
  // CHECK: %[[LAST:.*]] = arith.subi %[[SIZE]], %c1
  // CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[AT]], %[[SIZE]]
  // CHECK: %[[THERE:.*]] = arith.minsi %[[AT]], %[[LAST]]
  // CHECK: %[[X:.*]] = memref.load %[[M]][%[[I]], %[[THERE]]]
  // CHECK: arith.select %[[EXISTS]], %[[X]], %cst
  // CHECK: memref.load %[[M]]
  // CHECK-NOT: memref.load %[[M]]
  gpu.func @rows(%m: memref<?x?xf32>, %o: memref<?x?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %v = tile.load %m[%i, %i] : memref<?x?xf32> -> tensor<16xf32>
    tile.store %v, %o[%i, %i] : tensor<16xf32>, memref<?x?xf32>
    gpu.return
  }

  // Of columns it has a pair in each run of eight: of 32, eight elements, as many as of a row of the matrix. There is
  // nothing to do for a matrix that reads them, and a vector of rows, but its 16 elements' arithmetic.
  // CHECK-LABEL: gpu.func @columns(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?xf32>
  // CHECK-COUNT-8: memref.load %[[M]]
  // CHECK-NOT: memref.load %[[M]]
  // CHECK-COUNT-8: math.exp2
  // CHECK-NOT: math.exp2
  // CHECK-COUNT-16: arith.subf
  // CHECK-NOT: arith.subf
  // CHECK: gpu.return
  gpu.func @columns(%m: memref<?xf32>, %n: memref<?xf32>, %o: memref<?x?x32xf32, strided<[?, ?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %r = tile.load %n[%i] : memref<?xf32> -> tensor<16xf32>
    %e = tensor.empty() : tensor<32xf32, #tile.columns>
    %empty = tensor.empty() : tensor<16x32xf32>
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<32xf32, #tile.columns>
    %w = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
        ins(%v : tensor<32xf32, #tile.columns>) outs(%e : tensor<32xf32, #tile.columns>) {
    ^bb0(%x: f32, %unused: f32):
      %y = math.exp2 %x : f32
      linalg.yield %y : f32
    } -> tensor<32xf32, #tile.columns>
    %t = linalg.generic {indexing_maps = [#row, #column, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%r, %w : tensor<16xf32>, tensor<32xf32, #tile.columns>) outs(%empty : tensor<16x32xf32>) {
    ^bb0(%x: f32, %y: f32, %unused: f32):
      %z = arith.subf %x, %y : f32
      linalg.yield %z : f32
    } -> tensor<16x32xf32>
    tile.store %t, %o[%i, %i] : tensor<16x32xf32>, memref<?x?x32xf32, strided<[?, ?, 1], offset: ?>>
    gpu.return
  }

  // Of a matrix it has pairs, which aligned rows are read in: two rows of two runs of eight columns.
  // CHECK-LABEL: gpu.func @matrix(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?x16xbf16
  // CHECK-COUNT-4: vector.load %[[M]][{{.*}}] {alignment = 4 : i64} : {{.*}}, vector<2xbf16>
  // CHECK-NOT: {{vector.load|memref.load}} %[[M]]
  // CHECK: gpu.return
  gpu.func @matrix(%m: !memory, %o: !out, %i: index) kernel attributes {attn.schedule = #schedule} {
    %v = tile.load %m[%i, %i] : !memory -> tensor<16x16xbf16>
    %empty = tensor.empty() : !tf
    %t = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%v : tensor<16x16xbf16>) outs(%empty : !tf) {
    ^bb0(%x: bf16, %unused: f32):
      %y = arith.extf %x : bf16 to f32
      linalg.yield %y : f32
    } -> !tf
    tile.store %t, %o[%i, %i] : !tf, !out
    gpu.return
  }

  // Channels that the memory has not are zero: of 12, four of the second run, and none of the third is read.
  // CHECK-LABEL: gpu.func @channels(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?x12xf32
  // CHECK-COUNT-4: vector.load %[[M]]
  // CHECK-NOT: {{vector.load|memref.load}} %[[M]]
  // CHECK: gpu.return
  gpu.func @channels(%m: memref<?x?x12xf32, strided<[?, ?, 1], offset: ?>>,
                     %o: memref<?x?x24xf32, strided<[?, ?, 1], offset: ?>>, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %v = tile.load %m[%i, %i] : memref<?x?x12xf32, strided<[?, ?, 1], offset: ?>> -> tensor<16x24xf32>
    tile.store %v, %o[%i, %i] : tensor<16x24xf32>, memref<?x?x24xf32, strided<[?, ?, 1], offset: ?>>
    gpu.return
  }

  // Rows at any address are read element by element.
  // CHECK-LABEL: gpu.func @unaligned(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?x16xbf16
  // CHECK-NOT: vector.load
  // CHECK-COUNT-8: memref.load %[[M]]
  // CHECK-NOT: {{vector.load|memref.load}} %[[M]]
  // CHECK: gpu.return
  gpu.func @unaligned(%m: !memory, %o: !memory, %i: index)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>, pipeline = <unaligned>>} {
    %v = tile.load %m[%i, %i] : !memory -> tensor<16x16xbf16>
    tile.store %v, %o[%i, %i] : tensor<16x16xbf16>, !memory
    gpu.return
  }

  // A task that owns keys has as many rows as its tile has keys.
  // CHECK-LABEL: gpu.func @keys(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?xf32>
  // CHECK-COUNT-4: memref.load %[[M]]
  // CHECK-NOT: memref.load %[[M]]
  gpu.func @keys(%m: memref<?xf32>, %o: memref<?xf32>, %i: index)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32, owns_keys>>} {
    %v = tile.load %m[%i] : memref<?xf32> -> tensor<32xf32>
    tile.store %v, %o[%i] : tensor<32xf32>, memref<?xf32>
    gpu.return
  }

  // An elementwise operation reads a tile in shared memory as the threads hold their results.
  // CHECK-LABEL: gpu.func @shared(
  // CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xbf16>
  // CHECK-NOT: llvm.load
  // CHECK-COUNT-8: arith.extf
  // CHECK-NOT: arith.extf
  // CHECK: gpu.return
  gpu.func @shared(%a: memref<16x24xbf16, #gpu.address_space<workgroup>>, %o: !out, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %at = tile.view %a : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x16xbf16, #tile.padded<24>>
    %empty = tensor.empty() : !tf
    %t = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%at : tensor<16x16xbf16, #tile.padded<24>>) outs(%empty : !tf) {
    ^bb0(%x: bf16, %unused: f32):
      %y = arith.extf %x : bf16 to f32
      linalg.yield %y : f32
    } -> !tf
    tile.store %t, %o[%i, %i] : !tf, !out
    gpu.return
  }

  // Rows of two dimensions: each has an index in both.
  // CHECK-LABEL: gpu.func @packed(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?x?xf32>, %[[O:[^:]*]]: memref<?x?x?xf32>, %[[I:[^:]*]]: index)
  // CHECK: %[[SIZE:.*]] = arith.muli %{{.*}}, %[[INNER:.*]] : index
  // CHECK: arith.cmpi slt, %{{.*}}, %[[SIZE]]
  // CHECK: %[[N:.*]] = arith.index_cast %[[INNER]] : index to i32
  // CHECK: arith.divui %[[R:.*]], %[[N]] : i32
  // CHECK: arith.remui %[[R]], %[[N]] : i32
  // CHECK: memref.load %[[M]][%[[I]], %{{.*}}, %{{.*}}]
  // CHECK: scf.if
  // CHECK:   arith.divui %[[S:.*]], %{{.*}} : i32
  // CHECK:   arith.remui %[[S]], %{{.*}} : i32
  // CHECK:   memref.store %{{.*}}, %[[O]][%[[I]], %{{.*}}, %{{.*}}]
  gpu.func @packed(%m: memref<?x?x?xf32>, %o: memref<?x?x?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %v = tile.load %m[%i, %i] packed : memref<?x?x?xf32> -> tensor<16xf32>
    tile.store %v, %o[%i, %i] packed : tensor<16xf32>, memref<?x?x?xf32>
    gpu.return
  }
}
