// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-hand-on-tasks)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!r = !tile.ring<2 x tensor<64x64xbf16>>
!a = !tile.ring<2 x tensor<1xi64>>
!t = tensor<64x64xbf16>
!ts = tensor<64x64xbf16, #tile.slot>

// The ring of tasks is behind those of tiles. Who computes receives a task, then its numbers, and releases both behind
// the task; sums are the same in all lanes. Who inspects does so, too, and nobody needs to know of lanes.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: %[[Q:.*]] = tile.ring : <2 x tensor<64x64xbf16>>
// CHECK-NEXT: %[[TASKS:.*]] = tile.ring : <2 x tensor<2xi64>>
// CHECK-NEXT: tile.ring : <2 x tensor<1xi64>>
// CHECK: tile.roles compute {
// CHECK: scf.while (%[[N0:.*]] = %{{.*}}, %[[S0:.*]] = %{{.*}}) : (i32, i32) -> (i32, i32, i32) {
// CHECK-NEXT: %[[TASK:.*]] = tile.receive [0] of %[[TASKS]] at %[[N0]] : <2 x tensor<2xi64>> -> i32
// CHECK-NEXT: %[[MORE:.*]] = arith.cmpi ult, %[[TASK]], %[[COUNT:.*]] : i32
// CHECK-NEXT: scf.condition(%[[MORE]]) %[[TASK]], %[[N0]], %[[S0]]
// CHECK: ^bb0(%{{.*}}: i32, %[[N:.*]]: i32, %[[S:.*]]: i32):
// CHECK: %[[SUM:.*]] = nvvm.redux.sync or %[[S]]
// CHECK-NEXT: %[[ROW:.*]] = tile.receive [1] of %[[TASKS]] at %[[N]] again : <2 x tensor<2xi64>> -> index
// CHECK-NEXT: tile.read %[[Q]] at %[[SUM]]
// CHECK-NEXT: %[[COUNTED:.*]] = arith.index_cast %[[ROW]]
// CHECK-NEXT: tile.release %[[TASKS]] at %[[N]]
// CHECK-DAG: %[[DONE:.*]] = arith.addi %[[N]], %
// CHECK-DAG: %[[NEXT:.*]] = arith.addi %[[S]], %[[COUNTED]]
// CHECK: scf.yield %[[DONE]], %[[NEXT]] : i32, i32
// The producer begins with the block's number, and sends the one behind the last, too.
// CHECK: } produce {
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK-NEXT: %[[FIRST:.*]] = arith.index_cast %[[BLOCK]]
// CHECK: %[[ALL:.*]]:3 = scf.while (%[[T:.*]] = %[[FIRST]], %{{.*}} = %{{.*}}, %{{.*}} = %{{.*}})
// CHECK: ^bb0(%[[T:.*]]: i32, %[[N:.*]]: i32, %[[S:.*]]: i32):
// CHECK-NEXT: %[[ROW:.*]] = arith.index_cast %[[T]]
// CHECK-NEXT: tile.send %[[T]], %[[ROW]] : i32, index into %[[TASKS]] at %[[N]]
// CHECK-NEXT: tile.fill %[[Q]] at %[[S]] from %{{.*}}[%[[ROW]]]
// CHECK-NEXT: arith.index_cast
// CHECK-NEXT: %[[DRAWN:.*]] = tile.draw_task
// CHECK: scf.yield %[[DRAWN]], %
// CHECK: tile.send %[[ALL]]#0 : i32 into %[[TASKS]] at %[[ALL]]#1
// CHECK: } inspect {
// CHECK: tile.receive [0] of %[[TASKS]]
// CHECK-NOT: nvvm.redux
// CHECK: tile.receive [1] of %[[TASKS]]
// CHECK: tile.release %[[TASKS]]
// CHECK-NOT: tile.tasks
gpu.module @kernels {
  gpu.func @kernel(%map: !llvm.ptr, %count: i32, %counter: !llvm.ptr<1>) kernel {
    %q = tile.ring : !r
    %a = tile.ring : !a
    tile.roles compute {
      tile.tasks %count from %counter numbers {
      ^bb0(%task: i32):
        %row = arith.index_cast %task : i32 to index
        tile.yield %row : index
      } do {
      ^bb0(%task: i32, %row: index, %before: i32, %sum: i32):
        %qt = tile.read %q at %sum : !r -> !ts
        %counted = arith.index_cast %row : index to i32
        tile.yield %counted : i32
      } : !llvm.ptr<1>
    } produce {
      tile.tasks %count from %counter numbers {
      ^bb0(%task: i32):
        %row = arith.index_cast %task : i32 to index
        tile.yield %row : index
      } do {
      ^bb0(%task: i32, %row: index, %before: i32, %sum: i32):
        tile.fill %q at %sum from %map[%row] : !r
        %counted = arith.index_cast %row : index to i32
        tile.yield %counted : i32
      } : !llvm.ptr<1>
    } inspect {
      tile.tasks %count from %counter numbers {
      ^bb0(%task: i32):
        %row = arith.index_cast %task : i32 to index
        tile.yield %row : index
      } do {
      ^bb0(%task: i32, %row: index, %before: i32, %sum: i32):
        %counted = arith.index_cast %row : index to i32
        tile.yield %counted : i32
      } : !llvm.ptr<1>
    }
    gpu.return
  }
}
