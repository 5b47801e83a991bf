// RUN: attn-opt %s --flash-to-tasks --canonicalize | FileCheck %s

// One iteration, by its number: the last dimension varies fastest. What the body
// needs from before the loop stays in the task; the mod goes.
// CHECK-LABEL: func.func @layer(
// CHECK-SAME:    %[[OUT:.*]]: memref<?x?x?xf32> {attn.role = #attn.role<out>}, %[[TASK:.*]]: index {attn.role = #attn.role<task>}) attributes {attn.kernel, attn.task_count = @layer_tasks, llvm.emit_c_interface}
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[H:.*]] = memref.dim %[[OUT]], %[[C1]]
// CHECK-DAG:     %[[T:.*]] = memref.dim %[[OUT]], %[[C2]]
// CHECK:         %[[K:.*]] = arith.remui %[[TASK]], %[[T]]
// CHECK:         %[[BH:.*]] = arith.divui %[[TASK]], %[[T]]
// CHECK:         %[[J:.*]] = arith.remui %[[BH]], %[[H]]
// CHECK:         %[[I:.*]] = arith.divui %[[BH]], %[[H]]
// CHECK:         memref.store %{{.*}}, %[[OUT]][%[[I]], %[[J]], %[[K]]]
// CHECK-NEXT:    return
// CHECK-LABEL: func.func @layer_tasks(
// CHECK-SAME:    %[[OUT:.*]]: memref<?x?x?xf32> {attn.role = #attn.role<out>}) -> index attributes {llvm.emit_c_interface}
// CHECK-NOT:     memref.store
// CHECK:         %[[BH:.*]] = arith.muli
// CHECK:         %[[COUNT:.*]] = arith.muli %[[BH]]
// CHECK:         return %[[COUNT]]
// CHECK-NOT:   attn.mod
func.func @layer(%out: memref<?x?x?xf32> {attn.role = #attn.role<out>}) attributes {attn.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %b = memref.dim %out, %c0 : memref<?x?x?xf32>
  %h = memref.dim %out, %c1 : memref<?x?x?xf32>
  %t = memref.dim %out, %c2 : memref<?x?x?xf32>
  %x = arith.constant 1.0 : f32
  scf.forall (%i, %j, %k) in (%b, %h, %t) {
    memref.store %x, %out[%i, %j, %k] : memref<?x?x?xf32>
  }
  return
}
attn.mod @nothing

// Other functions stay as they are.
// CHECK-LABEL: func.func @other
// CHECK: scf.forall
func.func @other(%out: memref<4xf32>, %x: f32) {
  scf.forall (%i) in (4) {
    memref.store %x, %out[%i] : memref<4xf32>
  }
  return
}

// A call of a kernel is one of all its tasks.
// CHECK-LABEL: func.func @host(
// CHECK-SAME:    %[[OUT:.*]]: memref<?x?x?xf32>)
// CHECK:         %[[N:.*]] = call @layer_tasks(%[[OUT]])
// CHECK:         scf.parallel (%[[TASK:.*]]) = (%{{.*}}) to (%[[N]])
// CHECK-NEXT:      func.call @layer(%[[OUT]], %[[TASK]])
func.func @host(%out: memref<?x?x?xf32>) {
  call @layer(%out) : (memref<?x?x?xf32>) -> ()
  return
}
