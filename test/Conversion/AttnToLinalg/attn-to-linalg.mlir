// RUN: attn-opt %s --attn-to-linalg --verify-roundtrip | FileCheck %s --check-prefixes=CHECK,F64
// RUN: attn-opt %s --attn-to-linalg="precision=f32" --verify-roundtrip | FileCheck %s --check-prefixes=CHECK,F32
// RUN: not attn-opt %s --attn-to-linalg="precision=f16" 2>&1 | FileCheck %s --check-prefix=PRECISION

// PRECISION: error: expects 'precision' f64 or f32, got 'f16'

// Mods which nothing names any more are gone, so that what follows can translate
// all that is left.
// CHECK-NOT: attn.mod

attn.mod @biased(%table: tensor<?xbf16>, %window: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%h] : tensor<?xbf16>
    %y = arith.extf %x : bf16 to f32
    %half = arith.constant 0.5 : f32
    %z = arith.mulf %y, %half : f32
    %t = arith.addf %s, %z : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %keep = arith.cmpi sle, %d, %window : i32
    attn.yield %keep : i1
  }

// The steps of the definition, in their order, for dynamic lengths and grouped
// heads. Everything but the programs is computed in one type.
// CHECK-LABEL: func.func @steps(
// CHECK-SAME:    %[[Q:[^:]*]]: tensor<2x8x?x4xbf16>, %[[K:[^:]*]]: tensor<2x2x?x4xbf16>, %[[V:[^:]*]]: tensor<2x2x?x3xbf16>, %[[TABLE:[^:]*]]: tensor<8xbf16>, %[[WINDOW:[^:]*]]: i32)
//
// query . key, the key's head being h / 4
// CHECK:         %[[GROUP:.*]] = arith.divui
// CHECK:         %[[DOT:.*]] = linalg.generic {{.*}} ins(%[[Q]] : tensor<2x8x?x4xbf16>) outs({{.*}} : tensor<2x8x?x?x[[T:f64|f32]]>)
// CHECK:           %[[H:.*]] = linalg.index 1 : index
// CHECK:           %[[HK:.*]] = arith.divui %[[H]], %[[GROUP]] : index
// CHECK:           tensor.extract %[[K]][%{{.*}}, %[[HK]], %{{.*}}, %{{.*}}]
//
// scale, score program, mask program
// CHECK:         %[[SCORES:.*]] = linalg.generic {{.*}} ins(%[[DOT]] :
// CHECK:           arith.constant 5.000000e-01 : [[T]]
// CHECK-NEXT:      arith.mulf
// F64-NEXT:        arith.truncf %{{.*}} : f64 to f32
// F32-NOT:         arith.truncf
// CHECK:           tensor.extract %[[TABLE]]
// CHECK-NEXT:      arith.extf %{{.*}} : bf16 to f32
// CHECK:           %[[KEEP:.*]] = arith.cmpi sle, %{{.*}}, %[[WINDOW]] : i32
// CHECK:           %[[DROPPED:.*]] = arith.constant 0xFF
// CHECK:           arith.select %[[KEEP]], %{{.*}}, %[[DROPPED]]
//
// softmax
// CHECK:         %[[MAX:.*]] = linalg.reduce ins(%[[SCORES]] {{.*}} dimensions = [3]
// CHECK:           arith.maximumf
// CHECK:         %[[EXP:.*]] = linalg.generic {{.*}} ins(%[[SCORES]], %[[MAX]] :
// CHECK:           math.exp
// CHECK:         %[[SUM:.*]] = linalg.reduce ins(%[[EXP]] {{.*}} dimensions = [3]
// CHECK:           arith.addf
//
// weights . value, without what is dropped
// CHECK:         %[[ACC:.*]] = linalg.generic {{.*}} ins(%[[SCORES]], %[[EXP]] :
// CHECK:           tensor.extract %[[V]]
// CHECK:           arith.select
// CHECK:         %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[ACC]], %[[SUM]] : {{.*}} outs(%{{.*}} : tensor<2x8x?x3xbf16>)
// CHECK:           arith.divf
// CHECK:         %[[LSE:.*]] = linalg.generic {{.*}} ins(%[[MAX]], %[[SUM]] : {{.*}} outs(%{{.*}} : tensor<2x8x?xf32>)
// CHECK:           math.log
// CHECK:         return %[[OUT]], %[[LSE]]
func.func @steps(%q: tensor<2x8x?x4xbf16>, %k: tensor<2x2x?x4xbf16>,
                 %v: tensor<2x2x?x3xbf16>, %table: tensor<8xbf16>, %window: i32)
    -> (tensor<2x8x?x3xbf16>, tensor<2x8x?xf32>) {
  %o, %lse = attn.attention %q, %k, %v mod @biased(%table, %window)
    : (tensor<2x8x?x4xbf16>, tensor<2x2x?x4xbf16>, tensor<2x2x?x3xbf16>,
       tensor<8xbf16>, i32) -> (tensor<2x8x?x3xbf16>, tensor<2x8x?xf32>)
  return %o, %lse : tensor<2x8x?x3xbf16>, tensor<2x8x?xf32>
}

// A scale of the user's own; a result that knows less than its operands.
// CHECK-LABEL: func.func @scale
// CHECK:         arith.constant 1.250000e-01 : [[T:f64|f32]]
// CHECK:         tensor.cast %{{.*}} : tensor<1x1x4x8xf32> to tensor<?x1x?x8xf32>
func.func @scale(%q: tensor<1x1x4x8xf32>) -> tensor<?x1x?x8xf32> {
  %o = attn.attention %q, %q, %q {scale = 0.125 : f32}
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<?x1x?x8xf32>
  return %o : tensor<?x1x?x8xf32>
}
