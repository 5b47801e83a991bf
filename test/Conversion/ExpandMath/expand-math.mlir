// RUN: attn-opt %s --expand-math | FileCheck %s

// Range, nearest integer, polynomial of degree 6, power of two by its exponent
// bits; comparisons, not maxima, so that NaN stays.
// CHECK-LABEL: func.func @vector
// CHECK-SAME:    %[[X:.*]]: vector<16xf32>
// CHECK:         %[[LOW:.*]] = arith.cmpf olt, %[[X]]
// CHECK:         %[[Y:.*]] = arith.select %[[LOW]], %{{.*}}, %[[X]]
// CHECK:         %[[HIGH:.*]] = arith.cmpf olt, %{{.*}}, %[[Y]]
// CHECK:         %[[Z:.*]] = arith.select %[[HIGH]], %{{.*}}, %[[Y]]
// CHECK:         %[[SHIFTED:.*]] = arith.addf %[[Z]], %{{.*}} {attn.exact}
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

// So are functions of two numbers, of numbers and integers, and of integers.
// CHECK-LABEL: func.func @powers
// CHECK-NOT:     math.{{[a-z0-9]*pow|atan|cbrt|sin|round}}
// CHECK:         return
func.func @powers(%x: f32, %y: f32, %n: i32, %m: i64) -> (f32, i64) {
  %a = math.powf %x, %y : f32
  %b = math.fpowi %a, %n : f32, i32
  %c = math.atan2 %b, %y : f32
  %d = math.cbrt %c : f32
  %s, %t = math.sincos %d : f32
  %u = math.round %s : f32
  %v = arith.addf %t, %u : f32
  %e = math.ipowi %m, %m : i64
  return %v, %e : f32, i64
}

// An exponent that is known costs the products that it needs.
// CHECK-LABEL: func.func @cube
// CHECK:         arith.muli
// CHECK:         arith.muli
// CHECK-NOT:     arith.muli
// CHECK:         return
func.func @cube(%x: i32) -> i32 {
  %three = arith.constant 3 : i32
  %y = math.ipowi %x, %three : i32
  return %y : i32
}

// Of zeros maxnumf may give either, but what decides something is defined.
// CHECK-LABEL: func.func @maxima
// CHECK:         arith.maxnumf
// CHECK:         arith.cmpf olt
// CHECK:         arith.andi
// CHECK:         arith.cmpf oeq
// CHECK:         arith.cmpf une
// CHECK-NOT:     arith.max{{num|imum}}f
// CHECK:         return
func.func @maxima(%x: f32, %y: f32) -> (f32, f32) {
  %a = arith.maxnumf %x, %y : f32
  %b = arith.maxnumf %x, %y {attn.exact} : f32
  return %a, %b : f32, f32
}

// Small floats are rounded from f32.
// CHECK-LABEL: func.func @integers
// CHECK:         %[[WIDE:.*]] = arith.uitofp %{{.*}} : vector<4xi32> to vector<4xf32>
// CHECK:         arith.truncf %[[WIDE]] {{.*}}: vector<4xf32> to vector<4xbf16>
func.func @integers(%x: vector<4xi32>) -> vector<4xbf16> {
  %y = arith.uitofp %x : vector<4xi32> to vector<4xbf16>
  return %y : vector<4xbf16>
}

// f64 is the library's.
// CHECK-LABEL: func.func @double
// CHECK:         math.exp2 %{{.*}} : f64
func.func @double(%x: f64) -> f64 {
  %y = math.exp2 %x : f64
  return %y : f64
}
