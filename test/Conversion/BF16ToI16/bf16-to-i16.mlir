// RUN: attn-opt %s --bf16-to-i16 | FileCheck %s
// RUN: attn-opt %s --bf16-to-i16 | attn-opt --canonicalize | FileCheck %s --check-prefix=FOLDED

// A copy of nine, widened as arith-expand does.
// CHECK-LABEL: func.func @widen(
// CHECK-SAME: %[[A:.*]]: memref<?xi16>, %[[I:.*]]: index) -> vector<9xf32>
// CHECK: %[[X:.*]] = vector.load %[[A]][%[[I]]] : memref<?xi16>, vector<9xi16>
// CHECK: arith.bitcast %[[X]] : vector<9xi16> to vector<9xi16>
// CHECK-NOT: bf16
// FOLDED-LABEL: func.func @widen(
// FOLDED-NOT: arith.bitcast %{{.*}} : vector<9xi16>
// FOLDED: return
func.func @widen(%a: memref<?xbf16>, %i: index) -> vector<9xf32> {
  %c16 = arith.constant dense<16> : vector<9xi32>
  %x = vector.load %a[%i] : memref<?xbf16>, vector<9xbf16>
  %bits = arith.bitcast %x : vector<9xbf16> to vector<9xi16>
  %wide = arith.extui %bits : vector<9xi16> to vector<9xi32>
  %high = arith.shli %wide, %c16 : vector<9xi32>
  %y = arith.bitcast %high : vector<9xi32> to vector<9xf32>
  return %y : vector<9xf32>
}

// Constants keep their bits, in scalars, splats and lists; so do selections and
// what regions carry.
// CHECK-LABEL: func.func @constants(
// CHECK-SAME: %{{.*}}: i1, %[[N:.*]]: index) -> (i16, vector<2xi16>, vector<2xi16>)
// CHECK-DAG: arith.constant 16256 : i16
// CHECK-DAG: arith.constant dense<-32768> : vector<2xi16>
// CHECK-DAG: arith.constant dense<[16384, 32640]> : vector<2xi16>
// CHECK: scf.for {{.*}} -> (i16)
// CHECK: arith.select {{.*}} : i16
func.func @constants(%c: i1, %n: index) -> (bf16, vector<2xbf16>, vector<2xbf16>) {
  %zero = arith.constant 0 : index
  %step = arith.constant 1 : index
  %one = arith.constant 1.0 : bf16
  %two = arith.constant 2.0 : bf16
  %splat = arith.constant dense<-0.0> : vector<2xbf16>
  %list = arith.constant dense<[2.0, 0x7F80]> : vector<2xbf16>
  %r = scf.for %i = %zero to %n step %step iter_args(%x = %one) -> (bf16) {
    %y = arith.select %c, %x, %two : bf16
    scf.yield %y : bf16
  }
  return %r, %splat, %list : bf16, vector<2xbf16>, vector<2xbf16>
}
