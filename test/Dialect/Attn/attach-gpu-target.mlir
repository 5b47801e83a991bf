// RUN: attn-opt %s --attn-attach-gpu-target | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: attn-opt %s --attn-attach-gpu-target=target=sm90a | FileCheck %s --check-prefixes=CHECK,SM90A
// RUN: not attn-opt %s --attn-attach-gpu-target=target=sm79 2>&1 | FileCheck %s --check-prefix=TARGET

// SM80: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx80">]
// SM90A: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">]
gpu.module @kernels {
}

// What is there stays.
// CHECK: gpu.module @others [#nvvm.target<chip = "sm_90">]
gpu.module @others [#nvvm.target<chip = "sm_90">] {
}

// TARGET: error: expects 'target' sm80 or sm90a, got 'sm79'
