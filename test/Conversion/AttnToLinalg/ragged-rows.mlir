// RUN: attn-opt %s --attn-to-linalg | FileCheck %s

// The sequence of each query is looked up once; a key counts for queries of its own.
// CHECK-LABEL: func.func @both(
// CHECK-SAME: %[[CQ:[a-z0-9]+]]: tensor<?xi32>, %[[CK:[a-z0-9]+]]: tensor<?xi32>
// CHECK: %[[OF_QUERIES:.*]] = tensor.generate
// CHECK:   scf.for %[[I:.*]] = %c0{{.*}} iter_args(%[[FOUND:.*]] = %c-1
// CHECK:     %[[BEGIN:.*]] = tensor.extract %[[CQ]][%[[I]]]
// CHECK:     %[[END:.*]] = tensor.extract %[[CQ]][%{{.*}}]
// CHECK:     arith.select %{{.*}}, %[[I]], %[[FOUND]]
// CHECK: %[[OF_KEYS:.*]] = tensor.generate
// CHECK:   tensor.extract %[[CK]]
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK: tensor.extract %[[OF_QUERIES]]
// CHECK: %[[B:.*]] = tensor.extract %[[OF_KEYS]]
// CHECK: arith.cmpi eq, %{{.*}}, %[[B]] : index
!t = tensor<?x?x?x8xf32>
func.func @both(%q: !t, %k: !t, %v: !t, %cq: tensor<?xi32>, %ck: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v cu_q(%cq) cu_k(%ck) : (!t, !t, !t, tensor<?xi32>, tensor<?xi32>) -> !t
  return %o : !t
}
