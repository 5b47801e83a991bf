// RUN: attn-opt %s --attn-to-linalg | FileCheck %s

// A program evaluated in f64: constants, tables, scalars and branches widen, and
// roundings between the program's own types go. Only bits are those of the type
// that the program names.
attn.mod @widen(%table: tensor<?xf16>, %x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %half = arith.constant 0.1 : f16
    %load = attn.load %table[%h] : tensor<?xf16>
    %product = arith.mulf %half, %load : f16
    %wide = arith.extf %product : f16 to f32
    %sum = arith.addf %wide, %x : f32
    %rounded = arith.truncf %sum : f32 to bf16
    %again = arith.extf %rounded : bf16 to f32
    %bits = arith.bitcast %again : f32 to i32
    %one = arith.constant 1 : i32
    %next = arith.addi %bits, %one : i32
    %y = arith.bitcast %next : i32 to f32
    %distance = arith.subi %q, %kv : i32
    %d = arith.sitofp %distance : i32 to f32
    %far = arith.cmpf ogt, %d, %y : f32
    %t = scf.if %far -> f32 {
      scf.yield %s : f32
    } else {
      %u = math.exp2 %y : f32
      scf.yield %u : f32
    }
    attn.yield %t : f32
  }

// CHECK-LABEL: func.func @widened(
// CHECK-SAME:    %{{[^,]*}}, %[[TABLE:.*]]: tensor<1xf16>, %[[X:.*]]: f32)
// CHECK:         linalg.index 3
// CHECK:         %[[X64:.*]] = arith.extf %[[X]] : f32 to f64
// CHECK-NEXT:    %[[HALF:.*]] = arith.constant 0.0999{{.*}} : f64
// CHECK:         %[[ELEMENT:.*]] = tensor.extract %[[TABLE]]
// CHECK-NEXT:    %[[LOAD:.*]] = arith.extf %[[ELEMENT]] : f16 to f64
// CHECK-NEXT:    %[[PRODUCT:.*]] = arith.mulf %[[HALF]], %[[LOAD]] : f64
// CHECK-NEXT:    %[[SUM:.*]] = arith.addf %[[PRODUCT]], %[[X64]] : f64
// CHECK-NEXT:    %[[F32:.*]] = arith.truncf %[[SUM]] : f64 to f32
// CHECK-NEXT:    %[[BITS:.*]] = arith.bitcast %[[F32]] : f32 to i32
// CHECK-NEXT:    arith.constant 1 : i32
// CHECK-NEXT:    %[[NEXT:.*]] = arith.addi %[[BITS]]
// CHECK-NEXT:    %[[Y32:.*]] = arith.bitcast %[[NEXT]] : i32 to f32
// CHECK-NEXT:    %[[Y:.*]] = arith.extf %[[Y32]] : f32 to f64
// CHECK-NEXT:    arith.subi
// CHECK-NEXT:    %[[D:.*]] = arith.sitofp %{{.*}} : i32 to f64
// CHECK-NEXT:    %[[FAR:.*]] = arith.cmpf ogt, %[[D]], %[[Y]] : f64
// CHECK-NEXT:    %[[T:.*]] = scf.if %[[FAR]] -> (f64) {
// CHECK:           math.exp2 %[[Y]] : f64
// CHECK:         linalg.yield %[[T]] : f64
func.func @widened(%q: tensor<1x1x2x2xf32>, %table: tensor<1xf16>, %x: f32)
    -> tensor<1x1x2x2xf32> {
  %o = attn.attention %q, %q, %q mod @widen(%table, %x)
    : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1xf16>, f32)
      -> tensor<1x1x2x2xf32>
  return %o : tensor<1x1x2x2xf32>
}
