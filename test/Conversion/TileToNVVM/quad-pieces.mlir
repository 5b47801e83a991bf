// Rows of 16-bit elements leave and come in pieces of 16 bytes, which the lanes of a quad deal among them.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#schedule = #attn.schedule<tiling = <q = 16, kv = 16>, roles = <warps = 1>>
#unaligned = #attn.schedule<tiling = <q = 16, kv = 16>, roles = <warps = 1>, pipeline = <unaligned>>
!wide = memref<?x?x72xbf16, strided<[?, ?, 1], offset: ?>>
!narrow = memref<?x?x24xbf16, strided<[?, ?, 1], offset: ?>>
!f32 = memref<?x?x32xf32, strided<[?, ?, 1], offset: ?>>

gpu.module @kernels {
  // Of 72 channels two runs of 32 in each of the thread's two rows: four words of a lane become those of one block, in
  // two exchanges of two words each. What is outside of the memory becomes zero, and is dealt as such. The last 8
  // channels are pairs.
  // CHECK-LABEL: gpu.func @copy(
  // CHECK-SAME: %[[M:[^:]*]]: memref<?x?x72xbf16, {{.*}}>, %[[O:[^:]*]]: memref<?x?x72xbf16
  // A view begins where its offset says.
  // CHECK: %{{.*}}, %[[OFFSET:.*]], %{{.*}}, %{{.*}} = memref.extract_strided_metadata %[[M]]
  // CHECK: arith.addi %[[OFFSET]], %{{.*}} : index
  // CHECK: %[[WORDS:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
  // CHECK: %[[WORD:.*]] = vector.extract %[[WORDS]][0]
  // CHECK: %[[A:.*]] = arith.select %{{.*}}, %[[WORD]], %c0_i32
  // CHECK: %[[OTHER:.*]] = vector.extract %[[WORDS]][2]
  // CHECK: %[[C:.*]] = arith.select %{{.*}}, %[[OTHER]], %c0_i32
  // CHECK: %[[SIDE:.*]] = arith.cmpi ne
  // CHECK: %[[GIVEN:.*]] = arith.select %[[SIDE]], %[[A]], %[[C]]
  // CHECK: %[[TAKEN:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[GIVEN]], %c2_i32
  // CHECK: arith.select %[[SIDE]], %[[TAKEN]], %[[A]]
  // CHECK: arith.select %[[SIDE]], %[[C]], %[[TAKEN]]
  // CHECK: nvvm.shfl.sync bfly %{{.*}}, %{{.*}}, %c2_i32
  // CHECK-COUNT-2: nvvm.shfl.sync bfly %{{.*}}, %{{.*}}, %c1_i32
  // CHECK-COUNT-3: llvm.load {{.*}} -> vector<4xi32>
  // CHECK-NOT: llvm.load
  // One piece before the row is known to exist: all lanes of a quad have the same row.
  // CHECK: nvvm.shfl.sync
  // CHECK: scf.if
  // CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
  // CHECK: vector.store %{{.*}}, %[[O]][{{.*}}] {{.*}}: {{.*}}, vector<2xbf16>
  // CHECK-NOT: vector.store
  // CHECK: nvvm.shfl.sync
  // CHECK: scf.if
  // CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
  // CHECK-NOT: llvm.store
  // CHECK: gpu.return
  gpu.func @copy(%m: !wide, %o: !wide, %i: index) kernel attributes {attn.schedule = #schedule} {
    %t = tile.load %m[%i, %i] : !wide -> tensor<16x80xbf16>
    tile.store %t, %o[%i, %i] : tensor<16x80xbf16>, !wide
    gpu.return
  }

  // Fewer channels than a quad takes are pairs.
  // CHECK-LABEL: gpu.func @narrow(
  // CHECK-NOT: nvvm.shfl
  // CHECK-COUNT-6: vector.store %{{.*}} vector<2xbf16>
  // CHECK: gpu.return
  gpu.func @narrow(%m: !narrow, %o: !narrow, %i: index) kernel attributes {attn.schedule = #schedule} {
    %t = tile.load %m[%i, %i] : !narrow -> tensor<16x32xbf16>
    tile.store %t, %o[%i, %i] : tensor<16x32xbf16>, !narrow
    gpu.return
  }

  // So are those of 32 bits; two lanes have 16 bytes as it is.
  // CHECK-LABEL: gpu.func @f32(
  // CHECK-NOT: nvvm.shfl
  // CHECK-COUNT-8: vector.store %{{.*}} vector<2xf32>
  // CHECK: gpu.return
  gpu.func @f32(%m: !f32, %o: !f32, %i: index) kernel attributes {attn.schedule = #schedule} {
    %t = tile.load %m[%i, %i] : !f32 -> tensor<16x32xf32>
    tile.store %t, %o[%i, %i] : tensor<16x32xf32>, !f32
    gpu.return
  }

  // Rows at any address.
  // CHECK-LABEL: gpu.func @unaligned(
  // CHECK-NOT: nvvm.shfl
  // CHECK-NOT: vector<
  // CHECK: gpu.return
  gpu.func @unaligned(%m: !wide, %o: !wide, %i: index) kernel attributes {attn.schedule = #unaligned} {
    %t = tile.load %m[%i, %i] : !wide -> tensor<16x80xbf16>
    tile.store %t, %o[%i, %i] : tensor<16x80xbf16>, !wide
    gpu.return
  }
}
