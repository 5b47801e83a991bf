// RUN: attn-opt %s --attn-to-flash --split-input-file | FileCheck %s

!t = tensor<?x?x?x64xbf16>

// What is compared are the positions as they are, whatever the loads do: those are clamped for each element, but
// for the keys of a tile that is whole. (tile-hoist-row-reads takes the query's out of the loop.)
// CHECK-LABEL: func.func @documents(
// CHECK: scf.for
// CHECK:   %[[WHOLE:.*]] = arith.cmpi sle
// CHECK:   scf.if %[[WHOLE]]
// CHECK:     linalg.generic {{.*}} ins(%{{.*}} : tensor<128x64xf32>)
// CHECK:       arith.minsi
// CHECK:       memref.load
// CHECK-NOT:   arith.minsi
// CHECK:       memref.load
// CHECK:   } else {
// CHECK:     linalg.generic {{.*}} ins(%{{.*}} : tensor<128x64xf32>)
// CHECK:       arith.minsi
// CHECK:       memref.load
// CHECK:       arith.minsi
// CHECK:       memref.load
attn.mod @same(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
func.func @documents(%q: !t, %k: !t, %v: !t, %ids: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @same(%ids)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xbf16>

// A division may trap outside the tensors: its positions are clamped, tables or not.
// CHECK-LABEL: func.func @divides(
// CHECK: scf.for
// CHECK: arith.minsi
// CHECK: arith.minsi
// CHECK: arith.divsi
attn.mod @ratio(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.divsi %q, %n : i32
    %y = arith.divsi %kv, %n : i32
    %keep = arith.cmpi sge, %x, %y : i32
    attn.yield %keep : i1
  }
func.func @divides(%q: !t, %k: !t, %v: !t, %n: i32) -> !t {
  %o = attn.attention %q, %k, %v mod @ratio(%n)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xbf16>
!bias = tensor<?x?x?xf32>

// A table of pairs is a tile of its own, before the scores that it is added to. Inside of the tensor, where each row of
// the table begins at an even element, two neighbours are read together; else each by itself, clamped.
// CHECK-LABEL: func.func @bias(
// CHECK: scf.for
// CHECK:   %[[END:.*]] = arith.addi %[[FIRST:.*]], %c64
// CHECK:   %[[WHOLE:.*]] = arith.cmpi sle, %[[END]]
// CHECK:   %{{.*}}, %{{.*}}, %{{.*}}, %[[STRIDES:.*]]:3 = memref.extract_strided_metadata
// CHECK:   %[[S0:.*]] = arith.ori %[[FIRST]], %[[STRIDES]]#0
// CHECK:   %[[S1:.*]] = arith.ori %[[S0]], %[[STRIDES]]#1
// CHECK-NOT: arith.ori {{.*}}#2
// CHECK:   %[[AT:.*]] = memref.extract_aligned_pointer_as_index
// CHECK:   %[[ODD:.*]] = arith.andi %[[S1]], %c1
// CHECK:   %[[ASIDE:.*]] = arith.andi %[[AT]], %c7
// CHECK:   %[[BESIDE:.*]] = arith.ori %[[ODD]], %[[ASIDE]]
// CHECK:   %[[ALIGNED:.*]] = arith.cmpi eq, %[[BESIDE]], %c0
// CHECK:   %[[FAST:.*]] = arith.andi %[[WHOLE]], %[[ALIGNED]]
// CHECK:   %[[BIAS:.*]] = scf.if %[[FAST]]
// CHECK:     linalg.generic {{.*}} outs(%{{.*}} : tensor<128x64xf32>)
// CHECK:       memref.load {{.*}} {tile.neighbours}
// CHECK:   } else {
// CHECK:     linalg.generic {{.*}} outs(%{{.*}} : tensor<128x64xf32>)
// CHECK:       memref.load
// CHECK-NOT:   tile.neighbours
// CHECK:   %[[PRODUCT:.*]] = linalg.contract
// CHECK-NOT: scf.if
// CHECK:   linalg.generic {{.*}} ins(%[[PRODUCT]], %[[BIAS]] : tensor<128x64xf32>, tensor<128x64xf32>)
// CHECK-NOT: memref.load
// CHECK:   return
attn.mod @biased(%table: !bias)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%h, %q, %kv] : !bias
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @bias(%q: !t, %k: !t, %v: !t, %table: !bias) -> !t {
  %o = attn.attention %q, %k, %v mod @biased(%table)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, !bias) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xbf16>
!bias = tensor<?x?xf32>

// Where all warps copy and compute, nobody would wait less; a branch may not read what its condition forbids; and what
// is read at the distance is no element of its own (tile-share-diagonals).
// CHECK-LABEL: func.func @no_roles(
// CHECK-NOT: tile.neighbours
// CHECK: linalg.contract
// CHECK: memref.load
// CHECK-LABEL: func.func @branch(
// CHECK-NOT: tile.neighbours
// CHECK: linalg.contract
// CHECK: memref.load
// CHECK-LABEL: func.func @distance(
// CHECK-NOT: tile.neighbours
// CHECK: linalg.contract
// CHECK: memref.load
// CHECK: return
attn.mod @biased(%table: !bias)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%q, %kv] : !bias
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @no_roles(%q: !t, %k: !t, %v: !t, %table: !bias) -> !t {
  %o = attn.attention %q, %k, %v mod @biased(%table)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>>} : (!t, !t, !t, !bias) -> !t
  return %o : !t
}

attn.mod @guarded(%table: !bias)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %behind = arith.cmpi slt, %kv, %q : i32
    %t = scf.if %behind -> f32 {
      %x = attn.load %table[%q, %kv] : !bias
      %sum = arith.addf %s, %x : f32
      scf.yield %sum : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %t : f32
  }
func.func @branch(%q: !t, %k: !t, %v: !t, %table: !bias) -> !t {
  %o = attn.attention %q, %k, %v mod @guarded(%table)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, !bias) -> !t
  return %o : !t
}

attn.mod @far(%table: !bias)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %x = attn.load %table[%h, %d] : !bias
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @distance(%q: !t, %k: !t, %v: !t, %table: !bias) -> !t {
  %o = attn.attention %q, %k, %v mod @far(%table)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, !bias) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xbf16>
!bias = tensor<?x?xf32>

// There is a tile of registers for one table; others are read where they are used.
// CHECK-LABEL: func.func @two(
// CHECK: scf.for
// CHECK: %[[FIRST:.*]] = scf.if
// CHECK:   memref.load
// CHECK: } else {
// CHECK-NOT: scf.if
// CHECK: linalg.contract
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[FIRST]] :
// CHECK: memref.load
attn.mod @two_tables(%a: !bias, %c: !bias)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %a[%q, %kv] : !bias
    %y = attn.load %c[%q, %kv] : !bias
    %u = arith.mulf %s, %x : f32
    %t = arith.addf %u, %y : f32
    attn.yield %t : f32
  }
func.func @two(%q: !t, %k: !t, %v: !t, %a: !bias, %c: !bias) -> !t {
  %o = attn.attention %q, %k, %v mod @two_tables(%a, %c)
    {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} : (!t, !t, !t, !bias, !bias) -> !t
  return %o : !t
}
