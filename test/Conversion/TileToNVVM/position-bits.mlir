// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

// Conditions on the column's position are worked out once for each row of a thread (two here) and tested
// bit by bit: see lib/Conversion/TileToNVVM/PositionBits.h.

#ij = affine_map<(i, j) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 16, kv = 16>, roles = <warps = 1>>
!memory = memref<?x?x16xf32, strided<[?, ?, 1], offset: ?>>
!tile = tensor<16x16xf32>

gpu.module @kernels {
  // Two comparisons, combined as words; of the 16 columns a thread has 4, that is bits 1, 2, 4 and 8.
  // CHECK-LABEL: gpu.func @window(
  // CHECK-NOT: arith.cmpi sle
  // CHECK: arith.maxsi
  // CHECK: arith.minui %{{.*}}, %c16_i32
  // CHECK: llvm.inline_asm {{.*}}"shl.b32 $0, $1, $2;"
  // CHECK: %[[WORD:.*]] = arith.andi %{{[0-9]+}}, %{{[0-9]+}} : i32
  // CHECK: %[[BIT:.*]] = arith.andi %[[WORD]], %c1_i32 : i32
  // CHECK: %[[KEEP:.*]] = arith.cmpi ne, %[[BIT]], %c0_i32 : i32
  // CHECK: arith.select %[[KEEP]]
  // CHECK: arith.andi %[[WORD]], %c2_i32
  // CHECK: arith.andi %{{.*}}, %c1_i32
  // CHECK: arith.andi %{{.*}}, %c2_i32
  // CHECK: arith.andi %[[WORD]], %c4_i32
  // CHECK: arith.andi %[[WORD]], %c8_i32
  // CHECK: gpu.return
  gpu.func @window(%o: !memory, %i: index, %q0: i32, %k0: i32) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tile
    %empty = tensor.empty() : !tile
    %minf = arith.constant 0xff800000 : f32
    %c4 = arith.constant 4 : i32
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%zero : !tile) outs(%empty : !tile) {
    ^bb0(%x: f32, %unused: f32):
      %i0 = linalg.index 0 : index
      %i1 = linalg.index 1 : index
      %row = arith.index_cast %i0 : index to i32
      %column = arith.index_cast %i1 : index to i32
      %q = arith.addi %q0, %row : i32
      %kv = arith.addi %k0, %column : i32
      %causal = arith.cmpi sle, %kv, %q : i32
      %distance = arith.subi %q, %kv : i32
      %near = arith.cmpi sle, %distance, %c4 : i32
      %keep = arith.andi %causal, %near : i1
      %y = arith.select %keep, %x, %minf : f32
      linalg.yield %y : f32
    } -> !tile
    tile.store %e, %o[%i, %i] : !tile, !memory
    gpu.return
  }

  // What all elements of a row agree on joins as a word of equal bits, read once for each row.
  // CHECK-LABEL: gpu.func @row_condition(
  // CHECK-COUNT-2: memref.load
  // CHECK-NOT: memref.load
  // CHECK: gpu.return
  gpu.func @row_condition(%o: !memory, %i: index, %q0: index, %k0: i32, %table: memref<?xi1>)
      kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tile
    %empty = tensor.empty() : !tile
    %minf = arith.constant 0xff800000 : f32
    %last = arith.constant 1000 : i32
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%zero : !tile) outs(%empty : !tile) {
    ^bb0(%x: f32, %unused: f32):
      %i0 = linalg.index 0 : index
      %i1 = linalg.index 1 : index
      %column = arith.index_cast %i1 : index to i32
      %q = arith.addi %q0, %i0 : index
      %kv = arith.addi %k0, %column : i32
      %seen = memref.load %table[%q] : memref<?xi1>
      %inside = arith.cmpi slt, %kv, %last : i32
      %keep = arith.ori %inside, %seen : i1
      %y = arith.select %keep, %x, %minf : f32
      linalg.yield %y : f32
    } -> !tile
    tile.store %e, %o[%i, %i] : !tile, !memory
    gpu.return
  }

  // A condition on the column alone needs no word: 4 columns compare with constants, for both rows.
  // CHECK-LABEL: gpu.func @end_of_keys(
  // CHECK: %[[WHOLE:.*]] = arith.minui %{{.*}}, %c16_i32
  // CHECK: %[[COUNT:.*]] = arith.subi %[[WHOLE]],
  // CHECK-NOT: inline_asm
  // CHECK: arith.cmpi sgt, %[[COUNT]], %c0_i32
  // CHECK: arith.cmpi sgt, %[[COUNT]], %c1_i32
  // CHECK: arith.cmpi sgt, %[[COUNT]], %c8_i32
  // CHECK: arith.cmpi sgt, %[[COUNT]], %c9_i32
  // CHECK-NOT: arith.cmpi sgt
  // CHECK: gpu.return
  gpu.func @end_of_keys(%o: !memory, %i: index, %last: i32, %k0: i32) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tile
    %empty = tensor.empty() : !tile
    %minf = arith.constant 0xff800000 : f32
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%zero : !tile) outs(%empty : !tile) {
    ^bb0(%x: f32, %unused: f32):
      %i1 = linalg.index 1 : index
      %column = arith.index_cast %i1 : index to i32
      %kv = arith.addi %k0, %column : i32
      %keep = arith.cmpi sle, %kv, %last : i32
      %y = arith.select %keep, %x, %minf : f32
      linalg.yield %y : f32
    } -> !tile
    tile.store %e, %o[%i, %i] : !tile, !memory
    gpu.return
  }

  // A sum that may wrap, an equality and a product stay comparisons of each element.
  // CHECK-LABEL: gpu.func @others(
  // CHECK-COUNT-8: arith.cmpi sle
  // CHECK-NOT: inline_asm
  // CHECK: gpu.return
  gpu.func @others(%o: !memory, %i: index, %q0: i32, %k0: i32) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tile
    %empty = tensor.empty() : !tile
    %minf = arith.constant 0xff800000 : f32
    %far = arith.constant 100 : i32
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%zero : !tile) outs(%empty : !tile) {
    ^bb0(%x: f32, %unused: f32):
      %i0 = linalg.index 0 : index
      %i1 = linalg.index 1 : index
      %row = arith.index_cast %i0 : index to i32
      %column = arith.index_cast %i1 : index to i32
      %q = arith.addi %q0, %row : i32
      %kv = arith.addi %k0, %column : i32
      %later = arith.addi %kv, %far : i32
      %a = arith.cmpi sle, %later, %q : i32
      %same = arith.cmpi eq, %kv, %q : i32
      %twice = arith.muli %kv, %kv : i32
      %b = arith.cmpi slt, %twice, %q : i32
      %ab = arith.andi %a, %b : i1
      %keep = arith.ori %ab, %same : i1
      %y = arith.select %keep, %x, %minf : f32
      linalg.yield %y : f32
    } -> !tile
    tile.store %e, %o[%i, %i] : !tile, !memory
    gpu.return
  }
}
