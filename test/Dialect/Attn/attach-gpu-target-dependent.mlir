// Kernels that begin before the one ahead of them ends are Hopper's.
// RUN: not attn-opt %s --attn-attach-gpu-target 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: attn-opt %s --attn-attach-gpu-target=target=sm90a | FileCheck %s

// OTHER: error: expects 'target' sm90a for kernels that begin before the one ahead ends ('dependent')
// CHECK: chip = "sm_90a"
gpu.module @kernels {
  gpu.func @merge() kernel {
    nvvm.griddepcontrol wait
    gpu.return
  }
}
