// RUN: attn-opt %s --attn-inline-mods --split-input-file --verify-roundtrip | FileCheck %s

// A mask made of two others, one of which is made of a third and is used before
// it stands alone itself. Captures and positions are substituted: @shifted asks
// for the next query.
attn.mod @both(%size: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.apply_mask @shifted[%b, %h, %q, %kv]
    %y = attn.apply_mask @window(%size)[%b, %h, %q, %kv] : i32
    %keep = arith.andi %x, %y : i1
    attn.yield %keep : i1
  }
attn.mod @shifted
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %one = arith.constant 1 : i32
    %next = arith.addi %q, %one : i32
    %keep = attn.apply_mask @causal[%b, %h, %next, %kv]
    attn.yield %keep : i1
  }
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @window(%w: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %keep = arith.cmpi sle, %d, %w : i32
    attn.yield %keep : i1
  }

// CHECK-LABEL: attn.mod @both(%size: i32) mask(
// CHECK-NEXT:    %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-NEXT:    %[[NEXT:.*]] = arith.addi %q, %[[ONE]] : i32
// CHECK-NEXT:    %[[CAUSAL:.*]] = arith.cmpi sge, %[[NEXT]], %kv : i32
// CHECK-NEXT:    %[[D:.*]] = arith.subi %q, %kv : i32
// CHECK-NEXT:    %[[NEAR:.*]] = arith.cmpi sle, %[[D]], %size : i32
// CHECK-NEXT:    %[[KEEP:.*]] = arith.andi %[[CAUSAL]], %[[NEAR]] : i1
// CHECK-NEXT:    attn.yield %[[KEEP]] : i1

// CHECK-LABEL: attn.mod @shifted mask(
// CHECK:         arith.addi
// CHECK-NEXT:    arith.cmpi sge
// CHECK-NEXT:    attn.yield

// -----

// Scores compose: the captured table is passed on, branches are kept, and both
// applications of one mod are inlined, one of them inside a branch.
attn.mod @bias(%table: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %far = arith.cmpi slt, %q, %kv : i32
    %t = scf.if %far -> f32 {
      %x = attn.load %table[%h] : tensor<?xf32>
      %y = arith.addf %s, %x : f32
      scf.yield %y : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %t : f32
  }
attn.mod @twice(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.apply_score @bias(%slopes)[%s, %b, %h, %q, %kv] : tensor<?xf32>
    %first = arith.cmpi eq, %q, %b : i32
    %t = scf.if %first -> f32 {
      %y = attn.apply_score @bias(%slopes)[%x, %b, %h, %kv, %q] : tensor<?xf32>
      scf.yield %y : f32
    } else {
      scf.yield %x : f32
    }
    attn.yield %t : f32
  }

// CHECK-LABEL: attn.mod @twice(%slopes: tensor<?xf32>) score(
// CHECK-NEXT:    %[[FAR:.*]] = arith.cmpi slt, %q, %kv : i32
// CHECK-NEXT:    %[[X:.*]] = scf.if %[[FAR]] -> (f32) {
// CHECK-NEXT:      %[[LOAD:.*]] = attn.load %slopes[%h] : tensor<?xf32>
// CHECK-NEXT:      %[[SUM:.*]] = arith.addf %s, %[[LOAD]] : f32
// CHECK-NEXT:      scf.yield %[[SUM]] : f32
// CHECK-NEXT:    } else {
// CHECK-NEXT:      scf.yield %s : f32
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[FIRST:.*]] = arith.cmpi eq, %q, %b : i32
// CHECK-NEXT:    %[[T:.*]] = scf.if %[[FIRST]] -> (f32) {
// CHECK-NEXT:      %[[FAR2:.*]] = arith.cmpi slt, %kv, %q : i32
// CHECK-NEXT:      %[[Y:.*]] = scf.if %[[FAR2]] -> (f32) {
// CHECK:             arith.addf %[[X]], %{{.*}} : f32
// CHECK:           scf.yield %[[Y]] : f32
// CHECK:         attn.yield %[[T]] : f32

// -----

// A mod without a score leaves the score, one without a mask keeps every pair.
attn.mod @noop
attn.mod @uses_noop
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = attn.apply_score @noop[%s, %b, %h, %q, %kv]
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @noop[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }

// CHECK-LABEL: attn.mod @uses_noop score(
// CHECK-NEXT:    attn.yield %s : f32
// CHECK-NEXT:  } mask(
// CHECK-NEXT:    %[[TRUE:.*]] = arith.constant true
// CHECK-NEXT:    attn.yield %[[TRUE]] : i1
