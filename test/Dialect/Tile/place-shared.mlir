// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-place-shared)))" \
// RUN:   --split-input-file --verify-roundtrip | FileCheck %s

// Before the tiles: barriers, two words for each stage; numbers, those about a tile apart from the others.
// 1024 more align the start. Tiles are multiples of 1024 bytes; rows of 96 columns take as much as 128.
// CHECK-LABEL: gpu.func @rings(
// CHECK-SAME: attn.shared_bytes = 52224 : i64
// CHECK: tile.ring offset 1024 barriers 0 readers 8 : <1 x tensor<128x64xbf16>>
// CHECK: tile.ring offset 17408 barriers 16 readers 8 : <1 x tensor<8x64xbf16>>
// CHECK: tile.ring offset 18432 barriers 32 readers 9 : <2 x tensor<64x96xf16>>
// CHECK: tile.ring offset 592 barriers 64 readers 9 : <2 x tensor<4xi64>>
// CHECK: tile.ring offset 512 barriers 96 readers 8 : <2 x tensor<1xi64>>
// CHECK: tile.ring offset 656 barriers 128 readers 8 : <1 x tensor<2xi64>>
gpu.module @kernels {
  gpu.func @rings(%n: i32, %answer: i1) kernel {
    %q = tile.ring readers 8 : !tile.ring<1 x tensor<128x64xbf16>>
    %s = tile.ring readers 8 : !tile.ring<1 x tensor<8x64xbf16>>
    %v = tile.ring readers 9 : !tile.ring<2 x tensor<64x96xf16>>
    %tasks = tile.ring readers 9 : !tile.ring<2 x tensor<4xi64>>
    %answers = tile.ring readers 8 : !tile.ring<2 x tensor<1xi64>>
    %others = tile.ring readers 8 : !tile.ring<1 x tensor<2xi64>>
    %t = tile.read %v at %n : !tile.ring<2 x tensor<64x96xf16>> -> tensor<64x96xf16, #tile.slot>
    tile.send %answer : i1 about %t : tensor<64x96xf16, #tile.slot> into %answers at %n : !tile.ring<2 x tensor<1xi64>>
    gpu.return
  }
}

// -----

// Vectors lie behind all matrices, which need more alignment.
// CHECK-LABEL: gpu.func @vectors(
// CHECK-SAME: attn.shared_bytes = 19072 : i64
// CHECK: tile.ring offset 17408 barriers 16 readers 8 : <2 x tensor<48xf32>>
// CHECK: tile.ring offset 1024 barriers 0 readers 8 : <1 x tensor<128x64xbf16>>
// CHECK: tile.ring offset 17792 barriers 48 readers 8 : <1 x tensor<64xf32>>
gpu.module @kernels {
  gpu.func @vectors() kernel {
    %l = tile.ring readers 8 : !tile.ring<2 x tensor<48xf32>>
    %q = tile.ring readers 8 : !tile.ring<1 x tensor<128x64xbf16>>
    %d = tile.ring readers 8 : !tile.ring<1 x tensor<64xf32>>
    gpu.return
  }
}

// -----

// Buffers lie one behind the other.
// CHECK-LABEL: gpu.func @buffers(
// CHECK-SAME: attn.shared_bytes = 27136 : i64
// CHECK: %[[MEMORY:.*]] = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[A:.*]] = memref.view %[[MEMORY]][%[[C0]]][] {{.*}} to memref<64x72xbf16, #gpu.address_space<workgroup>>
// CHECK: %[[NEXT:.*]] = arith.constant 9216 : index
// CHECK: %[[B:.*]] = memref.view %[[MEMORY]][%[[NEXT]]][] {{.*}} to memref<64x70xf32, #gpu.address_space<workgroup>>
// CHECK: memref.dealloc %[[A]]
// CHECK: memref.dealloc %[[B]]
// CHECK: memref.alloc(%{{.*}}) : memref<?xf32>
gpu.module @kernels {
  gpu.func @buffers(%n: index) kernel {
    %a = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
    %b = memref.alloc() : memref<64x70xf32, #gpu.address_space<workgroup>>
    memref.dealloc %a : memref<64x72xbf16, #gpu.address_space<workgroup>>
    memref.dealloc %b : memref<64x70xf32, #gpu.address_space<workgroup>>
    %other = memref.alloc(%n) : memref<?xf32>
    gpu.return
  }
}

// -----

// Where nothing is shared, there is nothing to say.
// CHECK-LABEL: gpu.func @nothing(
// CHECK-NOT: attn.shared_bytes
// CHECK: gpu.return
gpu.module @kernels {
  gpu.func @nothing() kernel {
    gpu.return
  }
}

// -----

// What threads share needs no barriers.
// CHECK-LABEL: gpu.func @shared(
// CHECK: tile.ring offset 1024 : <2 x tensor<128x64xbf16>>
// CHECK: tile.ring offset 33792 barriers 0 readers 1 : <1 x tensor<64x64xf32>>
gpu.module @kernels {
  gpu.func @shared(%ds: tensor<128x64xbf16>, %dq: tensor<64x64xf32>, %n: i32) kernel {
    %shared = tile.ring : !tile.ring<2 x tensor<128x64xbf16>>
    %sums = tile.ring readers 1 : !tile.ring<1 x tensor<64x64xf32>>
    %s = tile.share %ds into %shared at %n : tensor<128x64xbf16>, !tile.ring<2 x tensor<128x64xbf16>>
    tile.put %dq into %sums at %n : tensor<64x64xf32>, !tile.ring<1 x tensor<64x64xf32>>
    gpu.return
  }
}

// -----

// Each of four warps has buffers of its own; where they give each other what they have is behind, once: of a matrix
// half of them, of a vector all.
// CHECK-LABEL: gpu.func @warps(
// CHECK-SAME: attn.shared_bytes = 14336 : i64
// CHECK: %[[MEMORY:.*]] = gpu.dynamic_shared_memory
// CHECK: %[[THREAD:.*]] = gpu.thread_id x
// CHECK: %[[WARP:.*]] = arith.divui %[[THREAD]], %c32
// CHECK: %[[FIRST:.*]] = arith.muli %[[WARP]], %c2560
// CHECK: %[[A:.*]] = arith.addi %[[FIRST]], %c0
// CHECK: memref.view %[[MEMORY]][%[[A]]][] {{.*}} to memref<16x40xbf16, #gpu.address_space<workgroup>>
// CHECK: %[[B:.*]] = arith.addi %[[FIRST]], %c1280
// CHECK: memref.view %[[MEMORY]][%[[B]]][] {{.*}} to memref<16x40xbf16, #gpu.address_space<workgroup>>
// CHECK: tile.combine_warps greatest %{{.*}} offset 10240 : tensor<16xf32>
// CHECK: tile.combine_warps %{{.*}} offset 10240 : tensor<16x32xf32>
gpu.module @kernels {
  gpu.func @warps(%m: tensor<16xf32>, %o: tensor<16x32xf32>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64, shares>, roles = <key_warps = 4>>} {
    %a = memref.alloc() : memref<16x40xbf16, #gpu.address_space<workgroup>>
    %b = memref.alloc() : memref<16x40xbf16, #gpu.address_space<workgroup>>
    memref.dealloc %a : memref<16x40xbf16, #gpu.address_space<workgroup>>
    memref.dealloc %b : memref<16x40xbf16, #gpu.address_space<workgroup>>
    %greatest = tile.combine_warps greatest %m : tensor<16xf32>
    %sum = tile.combine_warps %o : tensor<16x32xf32>
    gpu.return
  }
}
