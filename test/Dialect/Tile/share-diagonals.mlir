// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-share-diagonals)))" \
// RUN:   --verify-roundtrip | FileCheck %s

#s = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>
#roles = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <stages = 2>>
#id = affine_map<(i, j) -> (i, j)>
#rows = affine_map<(i, j) -> (i)>
#scalar = affine_map<(i, j) -> ()>
#diagonals = affine_map<(i, j) -> (i - j + 63)>
!t = tensor<64x64xf32>

// CHECK: #[[$DIAGONALS:.*]] = affine_map<(d0, d1) -> (d0 - d1 + 63)>
// CHECK: gpu.module
gpu.module @kernels {
  // What is read at the distance is made for each diagonal, behind what has a place already: each of four warps has room
  // for 79 elements, 16 rows and 64 columns, in lines of 32. The row is the diagonal's number, the column 0.
  // CHECK-LABEL: gpu.func @table
  // CHECK-SAME: attn.shared_bytes = 2560 : i64
  // CHECK: %[[D:.*]] = tile.diagonals offset 1024 : tensor<127xf32, #tile.diagonals> {
  // CHECK: ^bb0(%[[I:.*]]: index):
  // CHECK:   %[[C0:.*]] = arith.constant 0 : index
  // CHECK:   %[[ROW:.*]] = arith.index_cast %[[I]] : index to i32
  // CHECK:   arith.addi %{{.*}}, %[[ROW]] : i32
  // CHECK:   %[[COLUMN:.*]] = arith.index_cast %[[C0]] : index to i32
  // CHECK:   %[[X:.*]] = memref.load
  // CHECK:   tile.yield %[[X]] : f32
  // CHECK: }
  // CHECK-NEXT: linalg.generic {indexing_maps = [{{.*}}, #[[$DIAGONALS]], {{.*}}]{{.*}} ins(%{{.*}}, %[[D]] : tensor<64x64xf32>, tensor<127xf32, #tile.diagonals>)
  // CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %[[BIAS:.*]]: f32, %{{.*}}: f32):
  // CHECK-NEXT:   %[[SUM:.*]] = arith.addf %[[IN]], %[[BIAS]] : f32
  // CHECK-NEXT:   linalg.yield %[[SUM]] : f32
  gpu.func @table(%m: memref<?xf32>, %scores: !t, %e: !t, %q0: i32, %kv0: i32)
      kernel attributes {attn.schedule = #s, attn.shared_bytes = 1024 : i64} {
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores : !t) outs(%e : !t) {
    ^bb0(%in: f32, %out: f32):
      %i = linalg.index 0 : index
      %i32 = arith.index_cast %i : index to i32
      %q = arith.addi %q0, %i32 : i32
      %j = linalg.index 1 : index
      %j32 = arith.index_cast %j : index to i32
      %kv = arith.addi %kv0, %j32 : i32
      %d = arith.subi %q, %kv : i32
      %at = arith.index_cast %d : i32 to index
      %x = memref.load %m[%at] : memref<?xf32>
      %sum = arith.addf %in, %x : f32
      linalg.yield %sum : f32
    } -> !t
    gpu.return
  }

  // An integer is shared as well, here for a condition; what is made of what is shared already is another one's. Twice
  // the row less twice the column is a distance, too.
  // CHECK-LABEL: gpu.func @remainder
  // CHECK: %[[X:.*]] = tile.diagonals offset 0 : tensor<127xf32, #tile.diagonals> {
  // CHECK:   arith.remsi
  // CHECK:   math.cos
  // CHECK:   tile.yield %{{.*}} : f32
  // CHECK: %[[R:.*]] = tile.diagonals offset 1536 : tensor<127xi32, #tile.diagonals> {
  // CHECK:   arith.remsi
  // CHECK-NOT: math.cos
  // CHECK:   tile.yield %{{.*}} : i32
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %[[X]], %[[R]] :
  // CHECK-NOT: arith.remsi
  // CHECK: gpu.return
  gpu.func @remainder(%scores: !t, %e: !t, %n: i32) kernel attributes {attn.schedule = #s} {
    %zero = arith.constant 0 : i32
    %0 = linalg.generic {indexing_maps = [#id, #scalar, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores, %n : !t, i32) outs(%e : !t) {
    ^bb0(%in: f32, %period: i32, %out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %ii = arith.addi %i, %i : index
      %jj = arith.addi %j, %j : index
      %d = arith.subi %ii, %jj : index
      %d32 = arith.index_cast %d : index to i32
      %r = arith.remsi %d32, %period : i32
      %f = arith.sitofp %r : i32 to f32
      %x = math.cos %f : f32
      %keep = arith.cmpi slt, %r, %zero : i32
      %kept = arith.select %keep, %in, %x : f32
      linalg.yield %kept : f32
    } -> !t
    gpu.return
  }

  // A branch is one operation, with all that it reads.
  // CHECK-LABEL: gpu.func @branch
  // CHECK: tile.diagonals offset 0 : tensor<127xf32, #tile.diagonals> {
  // CHECK:   scf.if
  // CHECK:     memref.load
  // CHECK: linalg.generic
  // CHECK-NOT: scf.if
  // CHECK: gpu.return
  gpu.func @branch(%m: memref<?xf32>, %scores: !t, %e: !t) kernel attributes {attn.schedule = #s} {
    %zero = arith.constant 0 : index
    %none = arith.constant 0.0 : f32
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores : !t) outs(%e : !t) {
    ^bb0(%in: f32, %out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %d = arith.subi %j, %i : index
      %behind = arith.cmpi sgt, %d, %zero : index
      %x = scf.if %behind -> f32 {
        %read = memref.load %m[%d] : memref<?xf32>
        scf.yield %read : f32
      } else {
        scf.yield %none : f32
      }
      %sum = arith.addf %in, %x : f32
      linalg.yield %sum : f32
    } -> !t
    gpu.return
  }

  // What is as cheap as reading it stays, and so does what more than the distance decides: another slope, a clamped row,
  // a vector's element, a table read at the column, sums of 32 bits in 64.
  // CHECK-LABEL: gpu.func @other
  // CHECK-NOT: tile.diagonals
  // CHECK: gpu.return
  gpu.func @other(%m: memref<?xf32>, %scores: !t, %v: tensor<64xf32>, %e: !t, %q0: i32, %last: i32)
      kernel attributes {attn.schedule = #s} {
    %0 = linalg.generic {indexing_maps = [#id, #rows, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores, %v : !t, tensor<64xf32>) outs(%e : !t) {
    ^bb0(%in: f32, %ofRow: f32, %out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %i32 = arith.index_cast %i : index to i32
      %j32 = arith.index_cast %j : index to i32
      %cheap = arith.subi %i32, %j32 : i32
      %cheapFloat = arith.sitofp %cheap : i32 to f32
      %slope = arith.addi %cheap, %i32 : i32
      %slopeFloat = arith.sitofp %slope : i32 to f32
      %a = math.cos %slopeFloat : f32
      %clamped = arith.minsi %i32, %last : i32
      %beside = arith.subi %clamped, %j32 : i32
      %besideFloat = arith.sitofp %beside : i32 to f32
      %b = math.cos %besideFloat : f32
      %c = math.cos %ofRow : f32
      %d = memref.load %m[%j] : memref<?xf32>
      %q = arith.addi %q0, %i32 : i32
      %qWide = arith.index_cast %q : i32 to index
      %wide = arith.subi %qWide, %j : index
      %f = memref.load %m[%wide] : memref<?xf32>
      %ab = arith.addf %a, %b : f32
      %cd = arith.addf %c, %d : f32
      %abcd = arith.addf %ab, %cd : f32
      %withCheap = arith.addf %abcd, %cheapFloat : f32
      %all = arith.addf %withCheap, %f : f32
      %sum = arith.addf %in, %all : f32
      linalg.yield %sum : f32
    } -> !t
    gpu.return
  }

  // Where shared memory is full, lanes keep it. It is made while the product runs, of numbers that are made before.
  // CHECK-LABEL: gpu.func @full
  // CHECK-SAME: attn.shared_bytes = 231424 : i64
  // CHECK: tile.start
  // CHECK-NEXT: arith.muli
  // CHECK-NEXT: %[[D:.*]] = tile.diagonals : tensor<191xf32, #tile.diagonals<lanes>> {
  // CHECK: tile.await
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[D]] : tensor<128x64xf32>, tensor<191xf32, #tile.diagonals<lanes>>)
  gpu.func @full(%m: memref<?xf32>, %z: tensor<128x64xf32>, %e: tensor<128x64xf32>, %step: index, %n: i32)
      kernel attributes {attn.schedule = #roles, attn.shared_bytes = 231424 : i64} {
    %c64 = arith.constant 64 : index
    %rq = tile.ring : <1 x tensor<128x64xbf16>>
    %rk = tile.ring : <2 x tensor<64x64xbf16>>
    %q = tile.read %rq at %n : <1 x tensor<128x64xbf16>> -> tensor<128x64xbf16, #tile.slot>
    %k = tile.read %rk at %n : <2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
    %s = tile.start %q, %k, %z {rhs_transposed} : tensor<128x64xbf16, #tile.slot>, tensor<64x64xbf16, #tile.slot>, tensor<128x64xf32>
    %scores = tile.await %s pending 0 : <tensor<128x64xf32>>
    %first = arith.muli %step, %c64 : index
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores : tensor<128x64xf32>) outs(%e : tensor<128x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %kv = arith.addi %first, %j : index
      %d = arith.subi %i, %kv : index
      %x = memref.load %m[%d] : memref<?xf32>
      %sum = arith.addf %in, %x : f32
      linalg.yield %sum : f32
    } -> tensor<128x64xf32>
    gpu.return
  }

  // Two blocks share a multiprocessor: what would leave room for one alone is full as well.
  // CHECK-LABEL: gpu.func @two_blocks
  // CHECK: tile.diagonals : tensor<127xf32, #tile.diagonals<lanes>>
  gpu.func @two_blocks(%m: memref<?xf32>, %scores: !t, %e: !t)
      kernel attributes {attn.schedule = #s, attn.shared_bytes = 115000 : i64} {
    %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%scores : !t) outs(%e : !t) {
    ^bb0(%in: f32, %out: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %d = arith.subi %i, %j : index
      %x = memref.load %m[%d] : memref<?xf32>
      %sum = arith.addf %in, %x : f32
      linalg.yield %sum : f32
    } -> !t
    gpu.return
  }

  // Numbers that are added where the distance says are summed by diagonals before; the element of each is made once for
  // a diagonal, too. A warp's part is nine runs of 65 words, as 16 rows and 64 columns have nine eights of diagonals.
  // CHECK-LABEL: gpu.func @sums
  // CHECK-SAME: attn.shared_bytes = 9408 : i64
  // CHECK: %[[P:.*]] = tile.diagonals : tensor<127xi64, #tile.diagonals<lanes>> {
  // CHECK:   tile.yield %{{.*}} : i64
  // CHECK: }
  // CHECK-NOT: linalg.generic
  // CHECK: %[[S:.*]] = tile.sum_diagonals %{{.*}} offset 0 : tensor<64x64xf32> -> tensor<127xf32, #tile.diagonals<lanes>>
  // CHECK: tile.scatter_add %[[S]] at %[[P]], %{{.*}} {per_warp}
  gpu.func @sums(%m: memref<?x?xf32>, %t: !t, %n: i32, %i: index) kernel attributes {attn.schedule = #s} {
    %e = tensor.empty() : tensor<64x64xi64>
    %places = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<64x64xi64>) {
    ^bb0(%out: i64):
      %r = linalg.index 0 : index
      %c = linalg.index 1 : index
      %d = arith.subi %r, %c : index
      %d32 = arith.index_cast %d : index to i32
      %bucket = arith.minsi %d32, %n : i32
      %place = arith.extsi %bucket : i32 to i64
      linalg.yield %place : i64
    } -> tensor<64x64xi64>
    tile.scatter_add %t at %places, %m[%i] {per_warp} : !t, tensor<64x64xi64>, memref<?x?xf32>
    gpu.return
  }

  // What more than the distance says, and what is the same for all, is added as it is.
  // CHECK-LABEL: gpu.func @no_sums
  // CHECK-NOT: tile.sum_diagonals
  // CHECK: gpu.return
  gpu.func @no_sums(%m: memref<?x?xf32>, %t: !t, %n: i64, %i: index) kernel attributes {attn.schedule = #s} {
    %e = tensor.empty() : tensor<64x64xi64>
    %columns = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<64x64xi64>) {
    ^bb0(%out: i64):
      %c = linalg.index 1 : index
      %place = arith.index_cast %c : index to i64
      linalg.yield %place : i64
    } -> tensor<64x64xi64>
    tile.scatter_add %t at %columns, %m[%i] {per_warp} : !t, tensor<64x64xi64>, memref<?x?xf32>
    %one = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<64x64xi64>) {
    ^bb0(%out: i64):
      linalg.yield %n : i64
    } -> tensor<64x64xi64>
    tile.scatter_add %t at %one, %m[%i] {per_warp} : !t, tensor<64x64xi64>, memref<?x?xf32>
    gpu.return
  }
}
