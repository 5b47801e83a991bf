// RUN: attn-opt %s --attn-cpu-pipeline="lanes=16 registers=32" -o %t.mlir
// RUN: attn-translate %t.mlir --attn-to-object --cpu=sapphirerapids -o %t.o
// RUN: llvm-objdump --disassemble --no-show-raw-insn %t.o | FileCheck %s
// RUN: llvm-nm %t.o | FileCheck %s --check-prefix=SYMBOLS
// RUN: attn-translate %t.mlir --attn-to-object --cpu=x86-64-v3 -o %t.o
// RUN: llvm-objdump --disassemble --no-show-raw-insn %t.o | FileCheck %s --check-prefix=V3
// RUN: attn-translate %t.mlir --attn-to-object -o %t.o
// RUN: not attn-translate %t.mlir --attn-to-object --cpu=pentium9 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: echo "module {}" | not attn-translate --attn-to-object 2>&1 | FileCheck %s --check-prefix=NONE

// One row of nine channels, which the CPU would copy by instructions for bf16.
// CHECK: zmm31
// V3-NOT: zmm
// Two functions for the outside, and nothing that is missing.
// SYMBOLS-NOT: U {{_*}}{{trunc|ext}}
// SYMBOLS-DAG: T packed_layer
// SYMBOLS-DAG: T packed_layer_tasks
// NAME: error: expects the name of a CPU such as x86-64-v3, got 'pentium9'
// NONE: error: expects a function with a C interface
!t = tensor<?x?x?x9xbf16>
func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v : (!t, !t, !t) -> !t
  return %o : !t
}
