// A tile of distances that is summed up long after scores were made of the same distances makes them anew: LLVM would
// keep one for each element in between. Either way one is converted, and the others are a constant away.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>>
!s = tensor<64x32xf32>
!rows = tensor<64xf32>
!memory = memref<?x?x32xf32, strided<[?, ?, 1], offset: ?>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @summed(
  // CHECK:     %[[FIRST:.*]] = arith.subi
  // CHECK:     %[[SHOWN:.*]] = arith.sitofp %[[FIRST]] : i32 to f32
  // CHECK-NOT: arith.sitofp
  // CHECK:     %[[ANEW:.*]] = llvm.inline_asm has_side_effects "mov.b32 $0, $1;", "=r,r" %[[FIRST]]
  // CHECK:     %[[SUMMED:.*]] = arith.sitofp %[[ANEW]] : i32 to f32
  // CHECK-NOT: arith.sitofp
  // CHECK:     arith.addf %[[SUMMED]], %
  gpu.func @summed(%o: !memory, %l: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !rows
    %empty = tensor.empty() : !s
    %shown = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%empty : !s) {
    ^bb0(%y: f32):
      %row = linalg.index 0 : index
      %column = linalg.index 1 : index
      %q = arith.index_cast %row : index to i32
      %kv = arith.index_cast %column : index to i32
      %d = arith.subi %q, %kv : i32
      %f = arith.sitofp %d : i32 to f32
      linalg.yield %f : f32
    } -> !s
    tile.store %shown, %o[%i, %i] : !s, !memory
    %summed = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%empty : !s) {
    ^bb0(%y: f32):
      %row = linalg.index 0 : index
      %column = linalg.index 1 : index
      %q = arith.index_cast %row : index to i32
      %kv = arith.index_cast %column : index to i32
      %d = arith.subi %q, %kv : i32
      %f = arith.sitofp %d : i32 to f32
      linalg.yield %f : f32
    } -> !s
    %sum = linalg.reduce { arith.addf } ins(%summed : !s) outs(%zero : !rows) dimensions = [1]
    tile.store %sum, %l[%i] : !rows, memref<?xf32>
    gpu.return
  }
}
