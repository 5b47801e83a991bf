// With matrix units all products of bf16 are theirs but those that skip zeros, with weights that are rounded; those of
// other types are not. The code is made wherever the compiler runs, and says what it takes.
// RUN: attn-opt %s --attn-cpu-pipeline="lanes=16 registers=32 matrix-units" -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: attn-translate %t.mlir --attn-to-image --cpu=sapphirerapids | FileCheck %s --check-prefix=IMAGE
// RUN: not attn-translate %t.mlir --attn-to-image --cpu=icelake-server 2>&1 | FileCheck %s --check-prefix=OLDER

// IMAGE: features {{.*}}avx512f{{.*}}amx-tile amx-bf16
// IMAGE: kernel layer
// IMAGE: code shared-object
// Code without such products does not ask for the unit.
// RUN: attn-opt %s --attn-cpu-pipeline | attn-translate --attn-to-image --cpu=sapphirerapids \
// RUN:   | FileCheck %s --check-prefix=VECTORS
// VECTORS: features {{.*}}avx512f
// VECTORS-NOT: amx-bf16
// VECTORS: kernel layer

// OLDER: error: expects a CPU with AMX for code that multiplies tiles of bf16, got 'icelake-server'

!h = tensor<?x?x?x64xbf16>
!f = tensor<?x?x?x64xf32>

// CHECK-LABEL: llvm.func @layer(
// CHECK:         llvm.call_intrinsic "llvm.x86.tileloadd64.internal"
// CHECK:         llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// CHECK-LABEL: llvm.func @single(
// CHECK-NOT:     llvm.x86
func.func @layer(%q: !h, %k: !h, %v: !h) -> !h {
  %o = attn.attention %q, %k, %v : (!h, !h, !h) -> !h
  return %o : !h
}
func.func @single(%q: !f, %k: !f, %v: !f) -> !f {
  %o = attn.attention %q, %k, %v : (!f, !f, !f) -> !f
  return %o : !f
}
