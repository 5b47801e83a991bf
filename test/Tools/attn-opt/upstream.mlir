// IR of every level is accepted: each dialect that a pipeline passes through is
// known without --allow-unregistered-dialect, and upstream passes run on it.

// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --canonicalize | FileCheck %s --check-prefix=FOLDED
// RUN: attn-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS
// RUN: not attn-opt %s --no-such-pass 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// DIALECTS: Available Dialects:
// DIALECTS-SAME: arith,
// DIALECTS-SAME: bufferization,
// DIALECTS-SAME: gpu,
// DIALECTS-SAME: linalg,
// DIALECTS-SAME: llvm,
// DIALECTS-SAME: nvgpu,
// DIALECTS-SAME: nvvm,
// DIALECTS-SAME: vector

// UNKNOWN: Unknown command line argument '--no-such-pass'

// CHECK-LABEL: func.func @scale
// CHECK: arith.mulf
// FOLDED-LABEL: func.func @scale
// FOLDED-NOT: arith.mulf
// FOLDED: return %{{.*}} : vector<4xf32>
func.func @scale(%x: vector<4xf32>) -> vector<4xf32> {
  %one = arith.constant dense<1.0> : vector<4xf32>
  %y = arith.mulf %x, %one : vector<4xf32>
  return %y : vector<4xf32>
}
