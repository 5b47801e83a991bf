// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(tile-find-tasks,canonicalize))" --split-input-file \
// RUN:   --verify-roundtrip | FileCheck %s --check-prefixes=CHECK,THREAD
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(tile-find-tasks{warps=true},canonicalize))" \
// RUN:   --split-input-file --verify-roundtrip | FileCheck %s --check-prefixes=CHECK,WARP

// What does not depend on the run moves out, and equal tasks need a division.
// CHECK-LABEL: func.func @equal(
// CHECK-SAME: %[[P:.*]]: index, %[[N:.*]]: index, %[[R:.*]]: index, %[[K:.*]]: index)
// CHECK: %[[L:.*]] = arith.addi %[[K]], %c1
// CHECK: %[[TASKS:.*]] = arith.muli %[[N]], %[[R]]
// CHECK: %[[END:.*]] = arith.muli %[[TASKS]], %[[L]]
// CHECK: %[[AT:.*]] = arith.minsi %[[P]], %[[END]]
// CHECK: %[[TASK:.*]] = arith.divui %[[AT]], %[[L]]
// CHECK: %[[START:.*]] = arith.muli %[[TASK]], %[[L]]
// CHECK: return %[[TASK]], %[[START]]
func.func @equal(%position: index, %runs: index, %repeat: index, %keys: index) -> (index, index) {
  %task, %start = tile.find_task %position in %runs by %repeat {
  ^bb0(%run: index):
    %one = arith.constant 1 : index
    %n = arith.addi %keys, %one : index
    tile.yield %n : index
  }
  return %task, %start : index, index
}

// -----

// CHECK-LABEL: func.func @lengths(
// CHECK-SAME: %[[P:.*]]: index, %[[N:.*]]: index, %[[R:.*]]: index, %[[M:.*]]: memref<?xindex>)

// One run after the other.
// THREAD: %[[FOUND:.*]]:4 = scf.while (%[[NUMBER:.*]] = %c0, %[[START:.*]] = %c0)
// THREAD:   %[[EXISTS:.*]] = arith.cmpi slt, %[[NUMBER]], %[[N]]
// THREAD:   %[[L:.*]] = scf.if %[[EXISTS]] -> (index) {
// THREAD:     %[[X:.*]] = memref.load %[[M]][%[[NUMBER]]]
// THREAD:     scf.yield %[[X]]
// THREAD:   } else {
// THREAD:     scf.yield %c1
// THREAD:   }
// THREAD:   %[[ALL:.*]] = arith.muli %[[L]], %[[R]]
// THREAD:   %[[NEXT:.*]] = arith.addi %[[START]], %[[ALL]]
// THREAD:   %[[BEFORE:.*]] = arith.cmpi sle, %[[NEXT]], %[[P]]
// THREAD:   %[[ON:.*]] = arith.andi %[[EXISTS]], %[[BEFORE]]
// THREAD:   scf.condition(%[[ON]]) %[[NUMBER]], %[[START]], %[[L]], %[[NEXT]]
// THREAD: } do {
// THREAD: ^bb0(%[[R0:.*]]: index, %{{.*}}: index, %{{.*}}: index, %[[E0:.*]]: index):
// THREAD:   %[[R1:.*]] = arith.addi %[[R0]], %c1
// THREAD:   scf.yield %[[R1]], %[[E0]]
// THREAD: }
// The task within the run.
// THREAD: %[[IN:.*]] = arith.cmpi slt, %[[FOUND]]#0, %[[N]]
// THREAD: %[[BEHIND:.*]] = arith.subi %[[P]], %[[FOUND]]#1
// THREAD: %[[REST:.*]] = arith.select %[[IN]], %[[BEHIND]], %c0
// THREAD: %[[WHICH:.*]] = arith.divui %[[REST]], %[[FOUND]]#2
// THREAD: %[[FIRST:.*]] = arith.muli %[[FOUND]]#0, %[[R]]
// THREAD: %[[TASK:.*]] = arith.addi %[[FIRST]], %[[WHICH]]
// THREAD: %[[OFFSET:.*]] = arith.muli %[[WHICH]], %[[FOUND]]#2
// THREAD: %[[BEGIN:.*]] = arith.addi %[[FOUND]]#1, %[[OFFSET]]
// THREAD: return %[[TASK]], %[[BEGIN]]

// Each lane of a warp asks for a run, and adds up the lengths before it; the first behind whose end the position is
// not has found it.
// WARP-DAG: %[[LANE:.*]] = arith.remui %{{.*}}, %c32
// WARP: scf.while (%[[BASE:.*]] = %c0, %[[START:.*]] = %c0)
// WARP:   %[[NUMBER:.*]] = arith.addi %[[BASE]], %[[LANE]]
// WARP:   %[[EXISTS:.*]] = arith.cmpi slt, %[[NUMBER]], %[[N]]
// WARP:   scf.if %[[EXISTS]] -> (index) {
// WARP:     memref.load %[[M]][%[[NUMBER]]]
// WARP:   } else {
// WARP:     scf.yield %c0
// WARP:   }
// WARP-COUNT-5: nvvm.shfl.sync up
// WARP:   %[[END:.*]] = arith.addi %[[START]]
// WARP:   %[[BEHIND:.*]] = arith.cmpi slt, %[[P]], %[[END]]
// WARP:   %[[IS:.*]] = arith.andi %[[EXISTS]], %[[BEHIND]]
// WARP:   %[[FOUND:.*]] = nvvm.vote.sync ballot %{{.*}}, %[[IS]]
// WARP:   nvvm.shfl.sync idx %{{.*}}, %{{.*}}, %c31
// WARP:   scf.condition
// WARP: } do {
// WARP:   arith.addi %{{.*}}, %c32
// WARP: }
// WARP: %[[FINDER:.*]] = "llvm.intr.cttz"
// WARP-COUNT-2: nvvm.shfl.sync idx
func.func @lengths(%position: index, %runs: index, %repeat: index, %m: memref<?xindex>) -> (index, index) {
  %task, %start = tile.find_task %position in %runs by %repeat {
  ^bb0(%run: index):
    %n = memref.load %m[%run] : memref<?xindex>
    tile.yield %n : index
  }
  return %task, %start : index, index
}
