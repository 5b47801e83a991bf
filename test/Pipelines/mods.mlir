// What never runs is not in a mod that lowerings and the analysis of masks see, and doing it again
// changes nothing: lists are made for the mask that a kernel has.

// RUN: attn-opt %s --attn-mods-pipeline | FileCheck %s
// RUN: rm -rf %t && mkdir %t && cp %s %configs/mods/*.mlir %t
// RUN: bash -c 'for mod in %t/*.mlir; do attn-opt $mod --attn-mods-pipeline -o $mod.once || exit 1; done'
// RUN: bash -c 'for once in %t/*.once; do attn-opt $once --attn-mods-pipeline | diff $once - || exit 1; done'
// RUN: ls %t | FileCheck %s --check-prefix=FILES

// FILES: document_mask.mlir.once
// FILES: mods.mlir.once

// CHECK-LABEL: attn.mod @never
// CHECK-NOT:     scf.if
// CHECK:         %[[N:.*]] = attn.load %{{.*}}[%{{.*}}]
// CHECK-NEXT:    %[[KEEP:.*]] = arith.cmpi sle, %[[N]]
// CHECK-NEXT:    attn.yield %[[KEEP]]
attn.mod @never(%table: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %never = arith.cmpi sgt, %kv, %kv : i32
    %keep = scf.if %never -> i1 {
      %m = attn.load %table[%kv] : tensor<?xi32>
      %x = arith.cmpi sgt, %m, %q : i32
      scf.yield %x : i1
    } else {
      %n = attn.load %table[%q] : tensor<?xi32>
      %c3 = arith.constant 3 : i32
      %x = arith.cmpi sle, %n, %c3 : i32
      scf.yield %x : i1
    }
    attn.yield %keep : i1
  }

// Guards that attn-total-mods writes down, and marks of attn-mark-decisions.
attn.mod @guards(%table: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %table[%q] : tensor<?xi32>
    %r = arith.remsi %kv, %n : i32
    %s = arith.shrui %kv, %n : i32
    %f = arith.sitofp %r : i32 to f32
    %third = arith.constant 0.333333343 : f32
    %p = arith.mulf %f, %third : f32
    %i = arith.fptosi %p : f32 to i32
    %keep = arith.cmpi sle, %i, %s : i32
    attn.yield %keep : i1
  }
