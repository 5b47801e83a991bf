// RUN: attn-opt %s --pass-pipeline='builtin.module(attn-select-schedule{target=sm90a},attn-to-flash,func.func(tile-lag-maximum),flash-to-gpu,canonicalize,cse,gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-split-nonfinite,tile-defer-row-sums,tile-keep-maximum,canonicalize,cse)))' \
// RUN:   | FileCheck %s

// What the Hopper kernel is fast by, after canonicalisation: where no score exceeds the old
// maximum by much, a step computes no maximum, shift or decay, does not rescale the
// output, and does nothing for scores far from zero.
// CHECK-LABEL: gpu.func @layer
// CHECK: scf.for {{.*}} iter_args(%[[MAX:[^ ]*]] = %{{[^ ]*}}, %[[SUM:[^ ]*]] = %{{[^ ]*}}, %{{[^ ]*}} = %false, %[[OUT:[^ ]*]] = %{{[^ ]*}}, %[[SHIFT:[^ ]*]] = %{{[^ ]*}})
// CHECK: %[[GROWS:.*]] = tile.any_above %[[SCORE:[^,]*]],
// CHECK: %[[R:.*]]:6 = scf.if %[[GROWS]]
// CHECK:   tile.any_beyond
// CHECK:   scf.yield {{.*}} : tensor<128xf32>, i1
// CHECK-NEXT: } else {
// CHECK:      %[[SAME:.*]] = linalg.generic {{.*}} ins(%[[SUM]],
// CHECK-NOT:  linalg.{{generic|reduce}}
// CHECK:      scf.yield %[[MAX]], %false, %[[SHIFT]], %{{.*}}, %[[SCORE]], %[[SAME]]
// CHECK: linalg.generic {{.*}} ins(%[[R]]#4, %[[R]]#2
// CHECK: scf.if %[[GROWS]] -> (tensor<128x128xf32>) {
// CHECK: } else {
// CHECK-NEXT: scf.yield %[[OUT]]
func.func @layer(%q: tensor<?x8x?x128xbf16>, %k: tensor<?x8x?x128xbf16>, %v: tensor<?x8x?x128xbf16>) -> tensor<?x8x?x128xbf16> {
  %o = attn.attention %q, %k, %v
    : (tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>) -> tensor<?x8x?x128xbf16>
  return %o : tensor<?x8x?x128xbf16>
}
