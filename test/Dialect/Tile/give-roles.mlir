// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-give-roles)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!r = !tile.ring<2 x tensor<64x64xbf16>>
!a = !tile.ring<2 x tensor<1xi64>>
!t = tensor<64x64xbf16>
!ts = tensor<64x64xbf16, #tile.slot>

gpu.module @kernels {
  // Who computes has all but what fills rings and is sent about tiles.
  // CHECK-LABEL: gpu.func @kernel(
  // CHECK: tile.roles compute {
  // CHECK: scf.for %[[J:.*]] = %c0 to %[[COUNT:.*]] step %c1 {
  // CHECK-NEXT: arith.index_cast %[[J]]
  // CHECK-NEXT: memref.load
  // CHECK-NEXT: arith.index_cast
  // CHECK-NEXT: tile.read %[[K:.*]] at
  // CHECK-NEXT: tile.read %[[V:.*]] at
  // CHECK-NEXT: tile.receive
  // CHECK-NEXT: memref.store
  // CHECK-NEXT: tile.release %[[K]]
  // CHECK-NEXT: tile.release %[[V]]
  // CHECK-NEXT: }
  // The producer reads the list of tiles, too; what is filled ahead it fills for the next step, if there is one.
  // CHECK-NEXT: } produce {
  // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi slt, %c0, %[[COUNT]]
  // CHECK-NEXT: scf.if %[[ANY]] {
  // CHECK-NEXT:   arith.index_cast %c0
  // CHECK-NEXT:   memref.load %[[LIST:.*]][%c0]
  // CHECK-NEXT:   %[[ROW:.*]] = arith.index_cast
  // CHECK-NEXT:   tile.fill %[[K]] at %{{.*}} from %{{.*}}[%[[ROW]]] ahead
  // CHECK-NEXT: }
  // CHECK-NEXT: scf.for %[[J:.*]] = %c0 to %[[COUNT]] step %c1 {
  // CHECK-NEXT:   %[[NEXT:.*]] = arith.addi %[[J]], %c1
  // CHECK-NEXT:   %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[COUNT]]
  // CHECK-NEXT:   scf.if %[[MORE]] {
  // CHECK:          memref.load %[[LIST]][%[[NEXT]]]
  // CHECK:          tile.fill %[[K]]
  // CHECK-NEXT:   }
  // CHECK-NEXT:   arith.index_cast %[[J]]
  // CHECK-NEXT:   memref.load %[[LIST]][%[[J]]]
  // CHECK-NEXT:   arith.index_cast
  // CHECK-NEXT:   tile.fill %[[V]]
  // CHECK-NEXT: }
  // One warp reads what it inspects, and releases that.
  // CHECK-NEXT: } inspect {
  // CHECK-NEXT: scf.for %[[J:.*]] = %c0 to %[[COUNT]] step %c1 {
  // CHECK-NEXT:   %[[N:.*]] = arith.index_cast %[[J]]
  // CHECK-NEXT:   %[[T:.*]] = tile.read %[[V]] at %[[N]]
  // CHECK-NEXT:   %[[FOUND:.*]] = tile.has_nonfinite %[[T]]
  // CHECK-NEXT:   tile.send %[[FOUND]] : i1 about %[[T]]
  // CHECK-NEXT:   tile.release %[[V]] at %[[N]]
  // CHECK-NEXT: }
  // CHECK-NEXT: }
  // CHECK-NEXT: gpu.return
  gpu.func @kernel(%list: memref<?xi32>, %o: memref<i1>, %map: !llvm.ptr, %count: index) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %k = tile.ring : !r
    %v = tile.ring : !r
    %a = tile.ring : !a
    scf.for %j = %c0 to %count step %c1 {
      %n = arith.index_cast %j : index to i32
      %entry = memref.load %list[%j] : memref<?xi32>
      %row = arith.index_cast %entry : i32 to index
      tile.fill %k at %n from %map[%row] ahead : !r
      %kt = tile.read %k at %n : !r -> !ts
      tile.fill %v at %n from %map[%row] : !r
      %vt = tile.read %v at %n : !r -> !ts
      %found = tile.has_nonfinite %vt : !ts
      tile.send %found : i1 about %vt : !ts into %a at %n : !a
      %dirty = tile.receive [0] of %a at %n about %vt : !ts : !a -> i1
      memref.store %dirty, %o[] : memref<i1>
      tile.release %k at %n : !r
      tile.release %v at %n : !r
    }
    gpu.return
  }

  // Each role has the tasks, and what follows from their numbers.
  // CHECK-LABEL: gpu.func @tasks(
  // CHECK: tile.roles compute {
  // CHECK: tile.tasks %{{.*}} from %{{.*}} numbers {
  // CHECK: tile.read
  // CHECK: tile.yield %{{.*}} : i32
  // CHECK: } produce {
  // CHECK-NEXT: tile.tasks %{{.*}} from %{{.*}} numbers {
  // CHECK-NEXT: ^bb0(%[[TASK:.*]]: i32):
  // CHECK-NEXT: arith.index_cast
  // CHECK-NEXT: tile.yield %{{.*}} : index
  // CHECK-NEXT: } do {
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %[[ROW:.*]]: index, %[[BEFORE:.*]]: i32, %{{.*}}: i32):
  // CHECK-NEXT: tile.fill %{{.*}} at %[[BEFORE]] from %{{.*}}[%[[ROW]]]
  // CHECK-NEXT: %[[COUNTED:.*]] = arith.index_cast %[[ROW]]
  // CHECK-NEXT: tile.yield %[[COUNTED]] : i32
  gpu.func @tasks(%map: !llvm.ptr, %count: i32, %counter: !llvm.ptr<1>) kernel {
    %q = tile.ring : !r
    tile.tasks %count from %counter numbers {
    ^bb0(%task: i32):
      %row = arith.index_cast %task : i32 to index
      tile.yield %row : index
    } do {
    ^bb0(%task: i32, %row: index, %before: i32, %sum: i32):
      tile.fill %q at %before from %map[%row] : !r
      %qt = tile.read %q at %before : !r -> !ts
      tile.release %q at %before : !r
      %counted = arith.index_cast %row : index to i32
      tile.yield %counted : i32
    } : !llvm.ptr<1>
    gpu.return
  }

  // What is put is added to memory by a role of its own, at the number that it computes for itself.
  // CHECK-LABEL: gpu.func @sums
  // CHECK: tile.roles compute {
  // CHECK: tile.put
  // CHECK-NEXT: tile.hand_on
  // CHECK-NOT: tile.add_to_memory
  // CHECK: } produce {
  // CHECK: tile.fill
  // CHECK-NOT: tile.{{put|hand_on}}
  // CHECK: } store {
  // CHECK: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %{{.*}} : i32 {
  // CHECK-NEXT: %[[AT:.*]] = arith.index_cast %[[J]] : i32 to index
  // CHECK-NEXT: tile.add_to_memory %{{.*}} at %[[J]], %{{.*}}[%[[AT]]]
  // CHECK-NEXT: }
  gpu.func @sums(%map: !llvm.ptr, %m: memref<?x8x128x4xf32>, %s: tensor<64x64xf32>, %low: i32, %high: i32, %one: i32)
      kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 8, producers = 4>>} {
    %q = tile.ring : !r
    %sums = tile.ring : !tile.ring<1 x tensor<64x64xf32>>
    scf.for %j = %low to %high step %one : i32 {
      %at = arith.index_cast %j : i32 to index
      tile.fill %q at %j from %map[%at] : !r
      %t = tile.read %q at %j : !r -> !ts
      tile.put %s into %sums at %j : tensor<64x64xf32>, !tile.ring<1 x tensor<64x64xf32>>
      tile.hand_on %sums at %j : !tile.ring<1 x tensor<64x64xf32>>
      tile.add_to_memory %sums at %j, %m[%at] : !tile.ring<1 x tensor<64x64xf32>>, memref<?x8x128x4xf32>
      tile.release %q at %j : !r
    }
    gpu.return
  }
}
