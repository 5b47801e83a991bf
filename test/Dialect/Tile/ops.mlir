// RUN: attn-opt %s --verify-roundtrip | FileCheck %s

// Matrices of a tensor of rank 4, clipped in both directions, and back.
// CHECK-LABEL: func.func @matrix
// CHECK: %[[T:.*]] = tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
// CHECK: %{{.*}} = tile.has_nonfinite %[[T]] : tensor<64x96xbf16>
// CHECK: tile.store %[[T]], %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>
func.func @matrix(%m: memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>,
                  %b: index, %h: index, %q0: index) -> i1 {
  %t = tile.load %m[%b, %h, %q0]
    : memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> -> tensor<64x96xbf16>
  %dirty = tile.has_nonfinite %t : tensor<64x96xbf16>
  tile.store %t, %m[%b, %h, %q0]
    : tensor<64x96xbf16>, memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>>
  return %dirty : i1
}

// A vector has no channels: one offset for each dimension.
// CHECK-LABEL: func.func @vector
// CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : memref<?x?x?xf32> -> tensor<64xf32>
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64xf32>, memref<?x?x?xf32>
func.func @vector(%m: memref<?x?x?xf32>, %b: index, %h: index, %q0: index) {
  %t = tile.load %m[%b, %h, %q0] : memref<?x?x?xf32> -> tensor<64xf32>
  tile.store %t, %m[%b, %h, %q0] : tensor<64xf32>, memref<?x?x?xf32>
  return
}

// Rows of two dimensions have one offset.
// CHECK-LABEL: func.func @packed
// CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] packed : memref<?x?x?x?x64xf32> -> tensor<16x64xf32>
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] packed : tensor<16x64xf32>, memref<?x?x?x?x64xf32>
// CHECK: tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] packed : memref<?x?x?x?xf32> -> tensor<16xf32>
// CHECK: tile.copy %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] to %{{.*}} {async, packed} : memref<?x?x?x?x64xf32> to memref<16x68xf32, #gpu.address_space<workgroup>>
func.func @packed(%m: memref<?x?x?x?x64xf32>, %v: memref<?x?x?x?xf32>,
                  %s: memref<16x68xf32, #gpu.address_space<workgroup>>, %b: index, %k: index, %r0: index) {
  %t = tile.load %m[%b, %k, %r0] packed : memref<?x?x?x?x64xf32> -> tensor<16x64xf32>
  tile.store %t, %m[%b, %k, %r0] packed : tensor<16x64xf32>, memref<?x?x?x?x64xf32>
  %u = tile.load %v[%b, %k, %r0] packed : memref<?x?x?x?xf32> -> tensor<16xf32>
  tile.copy %m[%b, %k, %r0] to %s {async, packed}
    : memref<?x?x?x?x64xf32> to memref<16x68xf32, #gpu.address_space<workgroup>>
  return
}

// To places of the last dimension, in what the others name; in one dimension nothing is named.
// CHECK-LABEL: func.func @scatter
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%{{.*}}] : tensor<64x32xf32>, tensor<64x32xi64>, memref<?x?xf32>
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[] : tensor<64xf32>, tensor<64xi64>, memref<?xf32>
func.func @scatter(%t: tensor<64x32xf32>, %p: tensor<64x32xi64>, %v: tensor<64xf32>, %r: tensor<64xi64>,
                   %sums: memref<?x?xf32>, %sum: memref<?xf32>, %i: index) {
  tile.scatter_add %t at %p, %sums[%i] : tensor<64x32xf32>, tensor<64x32xi64>, memref<?x?xf32>
  tile.scatter_add %v at %r, %sum[] : tensor<64xf32>, tensor<64xi64>, memref<?xf32>
  return
}

// What a GPU's warps may rely on: no place twice, or a copy for each warp.
// CHECK-LABEL: func.func @scatter_apart
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%{{.*}}] {distinct} : tensor<64xf32>, tensor<64xi64>, memref<?x?xf32>
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}}[%{{.*}}] {per_warp} : tensor<64xf32>, tensor<64xi64>, memref<?x?xf32>
func.func @scatter_apart(%v: tensor<64xf32>, %r: tensor<64xi64>, %sums: memref<?x?xf32>, %i: index) {
  tile.scatter_add %v at %r, %sums[%i] {distinct} : tensor<64xf32>, tensor<64xi64>, memref<?x?xf32>
  tile.scatter_add %v at %r, %sums[%i] {per_warp} : tensor<64xf32>, tensor<64xi64>, memref<?x?xf32>
  return
}

// CHECK-LABEL: func.func @find_task
// CHECK: %{{.*}}, %{{.*}} = tile.find_task %{{.*}} in %{{.*}} by %{{.*}} {
// CHECK-NEXT: ^bb0(%[[NUMBER:.*]]: index):
// CHECK-NEXT: tile.yield %[[NUMBER]] : index
// CHECK-NEXT: }
func.func @find_task(%position: index, %runs: index, %repeat: index) -> (index, index) {
  %task, %start = tile.find_task %position in %runs by %repeat {
  ^bb0(%run: index):
    tile.yield %run : index
  }
  return %task, %start : index, index
}

// A tile on its way through a ring, and a product that is started and awaited.
// CHECK-LABEL: func.func @ring
// CHECK: %[[R:.*]] = tile.ring offset 1024 barriers 16 readers 4 : <2 x tensor<64x64xbf16>>
// CHECK: tile.fill %[[R]] at %[[N:.*]] from %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : <2 x tensor<64x64xbf16>>
// CHECK: tile.take_turn
// CHECK: %[[ARRIVED:.*]] = tile.peek %[[R]] at %[[N]] : <2 x tensor<64x64xbf16>>
// CHECK: tile.read %[[R]] at %[[N]] unless %[[ARRIVED]] : <2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
// CHECK: %[[T:.*]] = tile.read %[[R]] at %[[N]] : <2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
// CHECK: tile.pass_turn
// CHECK: %[[S:.*]] = tile.start %[[T]], %[[T]], %{{.*}} {rhs_transposed} : tensor<64x64xbf16, #tile.slot>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
// CHECK: %[[O:.*]] = tile.start %{{.*}}, %[[T]], %{{.*}} : tensor<64x64xbf16>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
// CHECK: tile.await %[[S]] pending 1 : <tensor<64x64xf32>>
// CHECK: tile.await %[[O]] pending 0 after %{{.*}} : tensor<64xf32> : <tensor<64x64xf32>>
// CHECK: tile.release %[[R]] at %[[N]] : <2 x tensor<64x64xbf16>>
// CHECK: tile.clear_nonfinite %[[T]] : tensor<64x64xbf16, #tile.slot>
// CHECK: tile.pass_turn first
func.func @ring(%map: !llvm.ptr, %n: i32, %i: index, %p: tensor<64x64xbf16>, %acc: tensor<64x64xf32>, %sums: tensor<64xf32>) {
  %r = tile.ring offset 1024 barriers 16 readers 4 : !tile.ring<2 x tensor<64x64xbf16>>
  tile.fill %r at %n from %map[%i, %i, %i] : !tile.ring<2 x tensor<64x64xbf16>>
  tile.take_turn
  %arrived = tile.peek %r at %n : !tile.ring<2 x tensor<64x64xbf16>>
  %t0 = tile.read %r at %n unless %arrived : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
  %t = tile.read %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
  tile.pass_turn
  %s = tile.start %t, %t, %acc {rhs_transposed} : tensor<64x64xbf16, #tile.slot>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  %o = tile.start %p, %t, %acc : tensor<64x64xbf16>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  %s1 = tile.await %s pending 1 : !tile.started<tensor<64x64xf32>>
  %o1 = tile.await %o pending 0 after %sums : tensor<64xf32> : !tile.started<tensor<64x64xf32>>
  tile.release %r at %n : !tile.ring<2 x tensor<64x64xbf16>>
  tile.clear_nonfinite %t : tensor<64x64xbf16, #tile.slot>
  tile.pass_turn first
  return
}

// CHECK-LABEL: func.func @above
// CHECK: tile.any_above %{{.*}}, %{{.*}} : tensor<128x64xf32>, tensor<128xf32>
func.func @above(%scores: tensor<128x64xf32>, %bounds: tensor<128xf32>) -> i1 {
  %any = tile.any_above %scores, %bounds : tensor<128x64xf32>, tensor<128xf32>
  return %any : i1
}

// CHECK-LABEL: func.func @beyond
// CHECK: tile.any_beyond %{{.*}} or %{{.*}} {bound = 5.000000e-01 : f32} : tensor<128xf32>
func.func @beyond(%rows: tensor<128xf32>, %before: i1) -> i1 {
  %far = tile.any_beyond %rows or %before {bound = 0.5 : f32} : tensor<128xf32>
  return %far : i1
}

// What a warp without other work says about a tile, and who asks.
// CHECK-LABEL: func.func @about
// CHECK: tile.ring readers 5 : <2 x tensor<64x64xbf16>>
// CHECK: tile.ring : <2 x tensor<1xi64>>
// CHECK: tile.send %[[D:.*]] : i1 about %[[T:.*]] : tensor<64x64xbf16, #tile.slot> into %[[A:.*]] at %[[N:.*]] : <2 x tensor<1xi64>>
// CHECK: tile.receive [0] of %[[A]] at %[[N]] about %[[T]] : tensor<64x64xbf16, #tile.slot> : <2 x tensor<1xi64>> -> i1
func.func @about(%n: i32, %d: i1) -> i1 {
  %r = tile.ring readers 5 : !tile.ring<2 x tensor<64x64xbf16>>
  %a = tile.ring : !tile.ring<2 x tensor<1xi64>>
  %t = tile.read %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
  tile.send %d : i1 about %t : tensor<64x64xbf16, #tile.slot> into %a at %n : !tile.ring<2 x tensor<1xi64>>
  %dirty = tile.receive [0] of %a at %n about %t : tensor<64x64xbf16, #tile.slot> : !tile.ring<2 x tensor<1xi64>> -> i1
  return %dirty : i1
}

// A block that does many tasks; one that is drawn and handed on with what follows from it, and an output that leaves
// through a ring.
// CHECK-LABEL: func.func @tasks
// CHECK: tile.tasks %[[COUNT:.*]] from %[[COUNTER:.*]] {
// CHECK: ^bb0(%[[TASK:.*]]: i32):
// CHECK: arith.addi %[[TASK]], %[[TASK]]
// CHECK: } : <1>
// CHECK: %[[N:.*]] = tile.draw_task %[[COUNT]] from %[[COUNTER]] : <1>
// CHECK: tile.send %[[N]] : i32 into %[[R:.*]] at %[[COUNT]] : <2 x tensor<3xi64>>
// CHECK: tile.send %[[N]], %{{.*}}, %{{.*}} : i32, index, f32 into %[[R]] at %[[N]] : <2 x tensor<3xi64>>
// CHECK: tile.receive [0] of %[[R]] at %[[N]] : <2 x tensor<3xi64>> -> i32
// CHECK: tile.receive [1, 2] of %[[R]] at %[[N]] again : <2 x tensor<3xi64>> -> index, f32
// CHECK: tile.drain %{{.*}} through %{{.*}} at %[[N]] to %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] : tensor<64x64xbf16>, <1 x tensor<64x96xbf16>>
// CHECK: tile.await_drain
func.func @tasks(%count: i32, %counter: !llvm.ptr<1>, %map: !llvm.ptr, %i: index, %t: tensor<64x64xbf16>, %x: f32) {
  tile.tasks %count from %counter {
  ^bb0(%task: i32):
    %twice = arith.addi %task, %task : i32
  } : !llvm.ptr<1>
  %r = tile.ring offset 592 barriers 16 readers 4 : !tile.ring<2 x tensor<3xi64>>
  %q = tile.ring offset 1024 barriers 48 readers 4 : !tile.ring<1 x tensor<64x96xbf16>>
  %n = tile.draw_task %count from %counter : !llvm.ptr<1>
  tile.send %n : i32 into %r at %count : !tile.ring<2 x tensor<3xi64>>
  tile.send %n, %i, %x : i32, index, f32 into %r at %n : !tile.ring<2 x tensor<3xi64>>
  %m = tile.receive [0] of %r at %n : !tile.ring<2 x tensor<3xi64>> -> i32
  %j, %y = tile.receive [1, 2] of %r at %n again : !tile.ring<2 x tensor<3xi64>> -> index, f32
  tile.drain %t through %q at %n to %map[%i, %i, %i] : tensor<64x64xbf16>, !tile.ring<1 x tensor<64x96xbf16>>
  tile.await_drain
  return
}

// A tile that all threads copy into shared memory, where rows are padded, and what reads it there: where it is used, or
// at once.
// CHECK-LABEL: func.func @shared
// CHECK: tile.copy %[[M:.*]][%[[I:.*]], %[[I]], %[[I]]] to %[[S:.*]] {async} : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> to memref<64x72xbf16, #gpu.address_space<workgroup>>
// CHECK: tile.copy %[[M]][%[[I]], %[[I]], %[[I]]] to %[[S]] : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> to memref<64x72xbf16, #gpu.address_space<workgroup>>
// CHECK: tile.view %[[S]] : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.padded<72>>
// CHECK: tile.view %[[S]] : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.left_operand>
func.func @shared(%m: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>,
                  %s: memref<64x72xbf16, #gpu.address_space<workgroup>>, %i: index) {
  tile.copy %m[%i, %i, %i] to %s {async}
    : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> to memref<64x72xbf16, #gpu.address_space<workgroup>>
  tile.copy %m[%i, %i, %i] to %s
    : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> to memref<64x72xbf16, #gpu.address_space<workgroup>>
  %values = tile.view %s : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.padded<72>>
  %queries = tile.view %s : memref<64x72xbf16, #gpu.address_space<workgroup>> -> tensor<64x64xbf16, #tile.left_operand>
  return
}

// What threads hold of a row's sum, and what is left of a product where values are not finite.
// CHECK-LABEL: func.func @rare
// CHECK: tile.combine_threads %{{.*}} : tensor<128xf32>
// CHECK: tile.add_nonfinite %{{.*}}, %{{.*}}, %{{.*}} : tensor<128x64xbf16>, tensor<64x96xbf16, #tile.slot>, tensor<128x96xf32>
func.func @rare(%partial: tensor<128xf32>, %p: tensor<128x64xbf16>, %v: tensor<64x96xbf16, #tile.slot>,
                %acc: tensor<128x96xf32>) -> (tensor<128xf32>, tensor<128x96xf32>) {
  %l = tile.combine_threads %partial : tensor<128xf32>
  %a = tile.add_nonfinite %p, %v, %acc : tensor<128x64xbf16>, tensor<64x96xbf16, #tile.slot>, tensor<128x96xf32>
  return %l, %a : tensor<128xf32>, tensor<128x96xf32>
}

// Tasks whose numbers are computed apart, and which count; roles that share a ring.
// CHECK-LABEL: func.func @roles
// CHECK: tile.roles compute {
// CHECK: tile.read
// CHECK: } produce {
// CHECK: tile.tasks %{{.*}} from %{{.*}} numbers {
// CHECK: ^bb0(%{{.*}}: i32):
// CHECK: tile.yield %{{.*}} : index
// CHECK: } do {
// CHECK: ^bb0(%{{.*}}: i32, %[[ROW:.*]]: index, %{{.*}}: i32, %[[N:.*]]: i32):
// CHECK: tile.fill %{{.*}} at %[[N]] from %{{.*}}[%[[ROW]]] ahead : <2 x tensor<64x64xbf16>>
// CHECK: tile.yield %[[N]] : i32
// CHECK: } inspect {
// CHECK: tile.send %{{.*}} about
func.func @roles(%count: i32, %counter: !llvm.ptr<1>, %map: !llvm.ptr, %n: i32, %d: i1) {
  %r = tile.ring : !tile.ring<2 x tensor<64x64xbf16>>
  %a = tile.ring : !tile.ring<2 x tensor<1xi64>>
  tile.roles compute {
    %t = tile.read %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
  } produce {
    tile.tasks %count from %counter numbers {
    ^bb0(%task: i32):
      %row = arith.index_cast %task : i32 to index
      tile.yield %row : index
    } do {
    ^bb0(%task: i32, %row: index, %before: i32, %sum: i32):
      tile.fill %r at %sum from %map[%row] ahead : !tile.ring<2 x tensor<64x64xbf16>>
      tile.yield %sum : i32
    } : !llvm.ptr<1>
  } inspect {
    %t = tile.read %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
    tile.send %d : i1 about %t : tensor<64x64xbf16, #tile.slot> into %a at %n : !tile.ring<2 x tensor<1xi64>>
  }
  return
}

// What threads hold goes to memory that has it so, from registers or by way of rings; what they share, through another.
// CHECK-LABEL: func.func @sums
// CHECK: %[[ROWS:.*]], %{{.*}} = tile.isolate_nonfinite %{{.*}} : tensor<128x64xbf16> -> tensor<128xf32>
// CHECK: tile.load %{{.*}}[%{{.*}}] held : memref<?x8x128x4xf32> -> tensor<64x64xf32>
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}] held : tensor<64x64xf32>, memref<?x8x128x4xf32>
// CHECK: tile.reduce_add %{{.*}}, %{{.*}}[%{{.*}}] : tensor<64x64xf32>, memref<?x8x128x4xf32>
// CHECK: tile.share %{{.*}} into %{{.*}} at %{{.*}} : tensor<128x64xbf16>, <2 x tensor<128x64xbf16>>
// CHECK: tile.put %{{.*}} into %{{.*}} at %{{.*}} : tensor<64x64xf32, #tile.column_groups>, <1 x tensor<64x64xf32>>
// CHECK: tile.hand_on %{{.*}} at %{{.*}} : <1 x tensor<64x64xf32>>
// CHECK: } store {
// CHECK: tile.add_to_memory %{{.*}} at %{{.*}}, %{{.*}}[%{{.*}}] : <1 x tensor<64x64xf32>>, memref<?x8x128x4xf32>
func.func @sums(%m: memref<?x8x128x4xf32>, %i: index, %n: i32, %ds: tensor<128x64xbf16>,
                %dq: tensor<64x64xf32, #tile.column_groups>) {
  %rows, %any = tile.isolate_nonfinite %ds : tensor<128x64xbf16> -> tensor<128xf32>
  %t = tile.load %m[%i] held : memref<?x8x128x4xf32> -> tensor<64x64xf32>
  tile.store %t, %m[%i] held : tensor<64x64xf32>, memref<?x8x128x4xf32>
  tile.reduce_add %t, %m[%i] : tensor<64x64xf32>, memref<?x8x128x4xf32>
  %shared = tile.ring : !tile.ring<2 x tensor<128x64xbf16>>
  %r = tile.ring : !tile.ring<1 x tensor<64x64xf32>>
  tile.roles compute {
    %s = tile.share %ds into %shared at %n : tensor<128x64xbf16>, !tile.ring<2 x tensor<128x64xbf16>>
    tile.put %dq into %r at %n : tensor<64x64xf32, #tile.column_groups>, !tile.ring<1 x tensor<64x64xf32>>
    tile.hand_on %r at %n : !tile.ring<1 x tensor<64x64xf32>>
  } produce {
  } store {
    tile.add_to_memory %r at %n, %m[%i] : !tile.ring<1 x tensor<64x64xf32>>, memref<?x8x128x4xf32>
  }
  return
}

// Rows that a table finds in pages of memory.
// CHECK-LABEL: func.func @pages
// CHECK: tile.load %[[M:.*]][%[[I:.*]], %[[I]], %[[I]]] through %[[T:.*]] until %[[I]] : memref<?x?x?x64xbf16>, memref<?x?xi32> -> tensor<64x64xbf16>
// CHECK: tile.copy %[[M]][%[[I]], %[[I]], %[[I]]] through %[[T]] until %[[I]] to %{{.*}} {async} : memref<?x?x?x64xbf16>, memref<?x?xi32> to memref<64x72xbf16, #gpu.address_space<workgroup>>
func.func @pages(%m: memref<?x?x?x64xbf16>, %t: memref<?x?xi32>, %s: memref<64x72xbf16, #gpu.address_space<workgroup>>, %i: index) {
  %x = tile.load %m[%i, %i, %i] through %t until %i : memref<?x?x?x64xbf16>, memref<?x?xi32> -> tensor<64x64xbf16>
  tile.copy %m[%i, %i, %i] through %t until %i to %s {async}
    : memref<?x?x?x64xbf16>, memref<?x?xi32> to memref<64x72xbf16, #gpu.address_space<workgroup>>
  return
}

// What warps of a block have made together.
// CHECK-LABEL: func.func @combine_warps
// CHECK: tile.combine_warps greatest %{{.*}} : tensor<16xf32>
// CHECK: tile.combine_warps %{{.*}} offset 1024 : tensor<16x64xf32>
func.func @combine_warps(%m: tensor<16xf32>, %o: tensor<16x64xf32>) {
  %a = tile.combine_warps greatest %m : tensor<16xf32>
  %b = tile.combine_warps %o offset 1024 : tensor<16x64xf32>
  return
}

// CHECK-LABEL: func.func @diagonals
// CHECK: tile.diagonals offset 1024 : tensor<127xf32, #tile.diagonals> {
// CHECK: tile.yield %{{.*}} : f32
// CHECK: tile.diagonals : tensor<79xi32, #tile.diagonals<lanes>> {
func.func @diagonals(%m: memref<?xf32>, %n: i32) {
  %x = tile.diagonals offset 1024 : tensor<127xf32, #tile.diagonals> {
  ^bb0(%i: index):
    %e = memref.load %m[%i] : memref<?xf32>
    tile.yield %e : f32
  }
  %y = tile.diagonals : tensor<79xi32, #tile.diagonals<lanes>> {
  ^bb0(%i: index):
    tile.yield %n : i32
  }
  return
}

// CHECK-LABEL: func.func @sum_diagonals
// CHECK: tile.sum_diagonals %{{.*}} offset 4096 : tensor<64x32xf32> -> tensor<95xf32, #tile.diagonals<lanes>>
// CHECK: tile.scatter_add %{{.*}} at %{{.*}}, %{{.*}} : tensor<95xf32, #tile.diagonals<lanes>>, tensor<95xi64, #tile.diagonals<lanes>>, memref<?xf32>
func.func @sum_diagonals(%t: tensor<64x32xf32>, %p: tensor<95xi64, #tile.diagonals<lanes>>, %m: memref<?xf32>) {
  %s = tile.sum_diagonals %t offset 4096 : tensor<64x32xf32> -> tensor<95xf32, #tile.diagonals<lanes>>
  tile.scatter_add %s at %p, %m[] : tensor<95xf32, #tile.diagonals<lanes>>, tensor<95xi64, #tile.diagonals<lanes>>, memref<?xf32>
  return
}
