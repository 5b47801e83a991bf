// RUN: attn-opt %s --expand-math | FileCheck %s

// Range, nearest integer, polynomial of degree 6, power of two by its exponent
// bits; comparisons, not maxima, so that NaN stays.
// CHECK-LABEL: func.func @vector
// CHECK-SAME:    %[[X:.*]]: vector<16xf32>
// CHECK:         %[[LOW:.*]] = arith.cmpf olt, %[[X]]
// CHECK:         %[[Y:.*]] = arith.select %[[LOW]], %{{.*}}, %[[X]]
// CHECK:         %[[HIGH:.*]] = arith.cmpf ogt, %[[Y]]
// CHECK:         %[[Z:.*]] = arith.select %[[HIGH]], %{{.*}}, %[[Y]]
// CHECK:         %[[SHIFTED:.*]] = arith.addf %[[Z]]
// CHECK-COUNT-6: math.fma
// CHECK-NOT:     math.fma
// CHECK:         arith.bitcast %[[SHIFTED]] : vector<16xf32> to vector<16xi32>
// CHECK:         arith.shli
// CHECK:         %[[POWER:.*]] = arith.bitcast %{{.*}} : vector<16xi32> to vector<16xf32>
// CHECK:         %[[R:.*]] = arith.mulf %{{.*}}, %[[POWER]]
// CHECK:         return %[[R]]
func.func @vector(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp2 %x : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func.func @scalar
// CHECK-NOT:     math.exp2
// CHECK:         return
func.func @scalar(%x: f32) -> f32 {
  %y = math.exp2 %x : f32
  return %y : f32
}

// Other functions of f32 become arithmetic as well.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     math.tanh
// CHECK-NOT:     math.exp
// CHECK:         return
func.func @others(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.tanh %x : vector<16xf32>
  %z = math.exp %y : vector<16xf32>
  return %z : vector<16xf32>
}

// f64 is the library's.
// CHECK-LABEL: func.func @double
// CHECK:         math.exp2 %{{.*}} : f64
func.func @double(%x: f64) -> f64 {
  %y = math.exp2 %x : f64
  return %y : f64
}
