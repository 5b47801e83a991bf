// RUN: attn-opt %s --attn-to-linalg | FileCheck %s

// A program is evaluated in its own types, as everywhere: what a rounding of it decides
// is decided so in the oracle too. Only the score is rounded to f32 before and extended after it.
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
// CHECK:         %[[SCORE:.*]] = arith.truncf %{{.*}} : f64 to f32
// CHECK:         %[[HALF:.*]] = arith.constant {{.*}} : f16
// CHECK:         %[[ELEMENT:.*]] = tensor.extract %[[TABLE]]
// CHECK-NEXT:    %[[PRODUCT:.*]] = arith.mulf %[[HALF]], %[[ELEMENT]] : f16
// CHECK-NEXT:    %[[WIDE:.*]] = arith.extf %[[PRODUCT]] : f16 to f32
// CHECK-NEXT:    %[[SUM:.*]] = arith.addf %[[WIDE]], %[[X]] : f32
// CHECK-NEXT:    %[[ROUNDED:.*]] = arith.truncf %[[SUM]] : f32 to bf16
// CHECK-NEXT:    arith.extf %[[ROUNDED]] : bf16 to f32
// CHECK:         %[[FAR:.*]] = arith.cmpf ogt, %{{.*}}, %{{.*}} : f32
// CHECK-NEXT:    %[[T:.*]] = scf.if %[[FAR]] -> (f32) {
// CHECK-NEXT:      scf.yield %[[SCORE]] : f32
// CHECK:           math.exp2 %{{.*}} : f32
// CHECK:         %[[EXTENDED:.*]] = arith.extf %[[T]] : f32 to f64
// CHECK-NEXT:    linalg.yield %[[EXTENDED]] : f64
func.func @widened(%q: tensor<1x1x2x2xf32>, %table: tensor<1xf16>, %x: f32)
    -> tensor<1x1x2x2xf32> {
  %o = attn.attention %q, %q, %q mod @widen(%table, %x)
    : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1xf16>, f32)
      -> tensor<1x1x2x2xf32>
  return %o : tensor<1x1x2x2xf32>
}
