// For masks whose visited tiles are one run: which key tiles a mask program lets a kernel skip, and which need no mask.
// The bounds are IR; here the lengths are put in as numbers (64 queries at once, 256 keys in tiles of 16, so 16 tiles),
// so that canonicalization folds it:
//
//   scf.for j = first visited tile to the one after the last
//   partial = j < first full tile  or  j >= the one after the last full tile
//             (the former only where it can be)
//
// RUN: attn-opt %s --attn-inline-mods --attn-to-flash --canonicalize --cse \
// RUN:   | sed -e 's/memref.dim %arg[01], %c[01] :.*/arith.constant 1 : index/' \
// RUN:         -e 's/memref.dim %arg0, %c2 :.*/arith.constant 64 : index/' \
// RUN:         -e 's/memref.dim %arg1, %c2 :.*/arith.constant 256 : index/' \
// RUN:   | attn-opt --canonicalize --cse | FileCheck %s
//
// Positions of 2^30 and more are no different as long as nothing wraps.
// RUN: attn-opt %s --attn-inline-mods --attn-to-flash --canonicalize --cse \
// RUN:   | sed -e 's/memref.dim %arg[01], %c[01] :.*/arith.constant 1 : index/' \
// RUN:         -e 's/memref.dim %arg0, %c2 :.*/arith.constant 64 : index/' \
// RUN:         -e 's/memref.dim %arg1, %c2 :.*/arith.constant 1073741825 : index/' \
// RUN:   | attn-opt --canonicalize --cse | FileCheck %s --check-prefix=LONG

!t = tensor<?x?x?x16xf32>

// Query 63 is the last that keeps key 63; query 0 keeps key 0 alone.
// CHECK-LABEL: func.func @causal(
// CHECK: scf.for %[[J:.*]] = %c0 to %c4 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c0_i32 : i32
// LONG-LABEL: func.func @causal(
// LONG: scf.for %[[J:.*]] = %c0 to %c4 step
attn.mod @causal_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @causal(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @causal_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// kv <= q + 100: 0..163 by some query, 0..100 by every query.
// CHECK-LABEL: func.func @offset(
// CHECK: scf.for %[[J:.*]] = %c0 to %c11 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c6_i32 : i32
attn.mod @offset_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 100 : i32
    %x = arith.addi %q, %c : i32
    %keep = arith.cmpi sle, %kv, %x : i32
    attn.yield %keep : i1
  }
func.func @offset(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @offset_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// The same with the sides changed, strictly, and one less.
// CHECK-LABEL: func.func @swapped(
// CHECK: scf.for %[[J:.*]] = %c0 to %c11 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c6_i32 : i32
attn.mod @swapped_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 100 : i32
    %x = arith.addi %q, %c : i32
    %keep = arith.cmpi sgt, %x, %kv : i32
    attn.yield %keep : i1
  }
func.func @swapped(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @swapped_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// q + 100 <= kv <= q + 200: 100..263 by some, 163..200 by every query.
// CHECK-LABEL: func.func @window(
// CHECK: scf.for %[[J:.*]] = %c6 to %c16 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi slt, %[[T]], %c11_i32 : i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c12_i32 : i32
attn.mod @window_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 100 : i32
    %n = arith.constant 200 : i32
    %d = arith.subi %kv, %q : i32
    %a = arith.cmpi sge, %d, %c : i32
    %b2 = arith.cmpi sle, %d, %n : i32
    %keep = arith.andi %a, %b2 : i1
    attn.yield %keep : i1
  }
func.func @window(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @window_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// kv < 128 or causal: 0..127 by every query.
// CHECK-LABEL: func.func @prefix(
// CHECK: scf.for %[[J:.*]] = %c0 to %c8 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c8_i32 : i32
attn.mod @prefix_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 128 : i32
    %a = arith.cmpi slt, %kv, %c : i32
    %b2 = arith.cmpi sge, %q, %kv : i32
    %keep = arith.ori %a, %b2 : i1
    attn.yield %keep : i1
  }
func.func @prefix(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @prefix_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// not (kv < q + 100): 100..255 by some, 163..255 by every query.
// CHECK-LABEL: func.func @negated(
// CHECK: scf.for %[[J:.*]] = %c6 to %c16 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi slt, %[[T]], %c11_i32 : i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c16_i32 : i32
attn.mod @negated_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 100 : i32
    %x = arith.addi %q, %c : i32
    %a = arith.cmpi slt, %kv, %x : i32
    %true = arith.constant true
    %keep = arith.xori %a, %true : i1
    attn.yield %keep : i1
  }
func.func @negated(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @negated_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// kv == q + 100 is a diagonal.
// CHECK-LABEL: func.func @diagonal(
// CHECK: scf.for %[[J:.*]] = %c6 to %c11 step
attn.mod @diagonal_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 100 : i32
    %x = arith.addi %q, %c : i32
    %keep = arith.cmpi eq, %kv, %x : i32
    attn.yield %keep : i1
  }
func.func @diagonal(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @diagonal_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// A select: before 40 nothing, from 40 on what is before 90.
// CHECK-LABEL: func.func @choice(
// CHECK: scf.for %[[J:.*]] = %c2 to %c6 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi slt, %[[T]], %c3_i32 : i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c5_i32 : i32
attn.mod @choice_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 40 : i32
    %n = arith.constant 90 : i32
    %no = arith.constant false
    %a = arith.cmpi slt, %kv, %c : i32
    %b2 = arith.cmpi slt, %kv, %n : i32
    %keep = arith.select %a, %no, %b2 : i1
    attn.yield %keep : i1
  }
func.func @choice(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @choice_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// The same as a branch.
// CHECK-LABEL: func.func @branch(
// CHECK: scf.for %[[J:.*]] = %c2 to %c6 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi slt, %[[T]], %c3_i32 : i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c5_i32 : i32
attn.mod @branch_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 40 : i32
    %n = arith.constant 90 : i32
    %a = arith.cmpi slt, %kv, %c : i32
    %no = arith.constant false
    %keep = scf.if %a -> i1 {
      scf.yield %no : i1
    } else {
      %b2 = arith.cmpi slt, %kv, %n : i32
      scf.yield %b2 : i1
    }
    attn.yield %keep : i1
  }
func.func @branch(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @branch_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// Positions are not negative, so the unsigned comparison is the signed one.
// CHECK-LABEL: func.func @unsigned(
// CHECK: scf.for %[[J:.*]] = %c0 to %c3 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c2_i32 : i32
attn.mod @unsigned_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 40 : i32
    %keep = arith.cmpi ult, %kv, %c : i32
    attn.yield %keep : i1
  }
func.func @unsigned(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @unsigned_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// q + (2^31 - 1) wraps around for all but the first query: everything is visited
// with the mask.
// CHECK-LABEL: func.func @wraps(
// CHECK: scf.for %[[J:.*]] = %c0 to %c16 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c0_i32 : i32
attn.mod @wraps_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 2147483647 : i32
    %x = arith.addi %q, %c : i32
    %keep = arith.cmpi sge, %x, %kv : i32
    attn.yield %keep : i1
  }
func.func @wraps(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @wraps_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// A captured number is added where the sum cannot wrap, which the kernel tests.
// CHECK-LABEL: func.func @captured(
// CHECK-SAME: %[[N:[a-z0-9]+]]: i32
// CHECK: %[[I:.*]] = arith.index_cast %[[N]] : i32 to index
// CHECK: %[[LAST:.*]] = arith.addi %[[I]], %c63 : index
// CHECK: %[[LOW:.*]] = arith.cmpi sge, %[[I]], %c-2147483648 : index
// CHECK: %[[HIGH:.*]] = arith.cmpi slt, %[[LAST]], %c2147483648 : index
// CHECK: %[[FITS:.*]] = arith.andi %[[LOW]], %[[HIGH]] : i1
// CHECK: arith.select %[[FITS]], %{{.*}}, %c255 : index
// CHECK: arith.select %[[FITS]], %{{.*}}, %c-1 : index
attn.mod @captured_mod(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.addi %q, %n : i32
    %keep = arith.cmpi sge, %x, %kv : i32
    attn.yield %keep : i1
  }
func.func @captured(%q: !t, %k: !t, %v: !t, %n: i32) -> !t {
  %o = attn.attention %q, %k, %v mod @captured_mod(%n)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// Entries of a captured table are followed where batch and head alone choose them.
// CHECK-LABEL: func.func @table(
// CHECK-SAME: %[[T:[a-z0-9]+]]: memref<?xi32>
// CHECK: %[[N:.*]] = memref.load %[[T]][%c0] : memref<?xi32>
// CHECK: %[[LENGTH:.*]] = arith.index_cast %[[N]] : i32 to index
// CHECK: %[[LAST:.*]] = arith.addi %[[LENGTH]], %c-1 : index
// CHECK: arith.minsi %[[LAST]], %c255 : index
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step
attn.mod @table_mod(%lengths: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %lengths[%b] : tensor<?xi32>
    %keep = arith.cmpi slt, %kv, %n : i32
    attn.yield %keep : i1
  }
func.func @table(%q: !t, %k: !t, %v: !t, %lengths: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %v mod @table_mod(%lengths)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>}
    : (!t, !t, !t, tensor<?xi32>) -> !t
  return %o : !t
}

// A maximum is the later of two ends.
// CHECK-LABEL: func.func @later(
// CHECK: scf.for %[[J:.*]] = %c0 to %c8 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c8_i32 : i32
attn.mod @later_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 127 : i32
    %end = arith.maxsi %q, %c : i32
    %keep = arith.cmpi sle, %kv, %end : i32
    attn.yield %keep : i1
  }
func.func @later(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @later_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// Causal but not near: one run before the window, and no key for every query.
// CHECK-LABEL: func.func @far(
// CHECK: scf.for %[[J:.*]] = %c0 to %c3 step
// CHECK-DAG: %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK-DAG: arith.cmpi sge, %[[T]], %c0_i32 : i32
attn.mod @far_mod
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 20 : i32
    %d = arith.subi %q, %kv : i32
    %zero = arith.constant 0 : i32
    %past = arith.cmpi sge, %d, %zero : i32
    %near = arith.cmpi sle, %d, %c : i32
    %window = arith.andi %past, %near : i1
    %true = arith.constant true
    %outside = arith.xori %window, %true : i1
    %keep = arith.andi %past, %outside : i1
    attn.yield %keep : i1
  }
func.func @far(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v mod @far_mod
    {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}
