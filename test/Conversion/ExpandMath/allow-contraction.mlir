// RUN: attn-opt %s --allow-contraction | FileCheck %s

// What decides something stays as it is written, without its mark.
// CHECK-LABEL: func.func @sums
// CHECK:         %[[A:.*]] = arith.mulf %{{.*}}, %{{.*}} fastmath<contract> : f32
// CHECK:         %[[B:.*]] = arith.addf %[[A]], %{{.*}} fastmath<nnan,contract> : f32
// CHECK:         %[[C:.*]] = arith.mulf %[[B]], %{{.*}} : f32
// CHECK:         arith.addf %[[C]], %{{.*}} : f32
func.func @sums(%x: f32, %y: f32) -> f32 {
  %a = arith.mulf %x, %y : f32
  %b = arith.addf %a, %y fastmath<nnan> : f32
  %c = arith.mulf %b, %y {attn.exact} : f32
  %d = arith.addf %c, %y {attn.exact} : f32
  return %d : f32
}
