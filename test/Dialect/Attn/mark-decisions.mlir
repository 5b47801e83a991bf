// RUN: attn-opt %s --attn-mark-decisions --verify-roundtrip | FileCheck %s

// What a comparison is made of is marked, through branches and choices; what
// only becomes a score is not.
// CHECK-LABEL: attn.mod @choice
// CHECK:         %[[X:.*]] = arith.mulf %s, %{{.*}} {attn.exact} : f32
// CHECK:         %[[Y:.*]] = scf.if
// CHECK:           math.exp %[[X]] {attn.exact} : f32
// CHECK:           arith.addf %[[X]], %{{.*}} {attn.exact} : f32
// CHECK:         arith.cmpf olt, %[[Y]], %{{.*}} {attn.exact} : f32
// CHECK:         %[[Z:.*]] = math.tanh %s : f32
// CHECK:         arith.mulf %[[Z]], %{{.*}} : f32
attn.mod @choice(%c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.mulf %s, %c : f32
    %late = arith.cmpi sgt, %q, %kv : i32
    %y = scf.if %late -> (f32) {
      %e = math.exp %x : f32
      scf.yield %e : f32
    } else {
      %a = arith.addf %x, %c : f32
      scf.yield %a : f32
    }
    %small = arith.cmpf olt, %y, %c : f32
    %t = math.tanh %s : f32
    %u = arith.mulf %t, %c : f32
    %r = arith.select %small, %s, %u : f32
    attn.yield %r : f32
  }

// So is what an index is made of.
// CHECK-LABEL: attn.mod @bucket
// CHECK:         %[[F:.*]] = arith.sitofp
// CHECK:         %[[L:.*]] = math.log %[[F]] {attn.exact} : f32
// CHECK:         arith.fptosi %[[L]]
// CHECK:         arith.addf %s, %{{.*}} : f32
attn.mod @bucket(%t: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %f = arith.sitofp %d : i32 to f32
    %l = math.log %f : f32
    %i = arith.fptosi %l : f32 to i32
    %x = attn.load %t[%i] : tensor<?xf32>
    %r = arith.addf %s, %x : f32
    attn.yield %r : f32
  }
