// RUN: attn-opt %s --attn-total-mods --canonicalize --split-input-file --verify-roundtrip \
// RUN:   | FileCheck %s
// Twice is once.
// RUN: attn-opt %s --attn-total-mods --attn-total-mods --canonicalize --split-input-file \
// RUN:   | FileCheck %s

// By zero the quotient is 0 and the remainder what was divided.
// CHECK-LABEL: attn.mod @unsigned
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : i32
// CHECK:         %[[SOME:.*]] = arith.maxui %n, %[[C1]]
// CHECK:         %[[NONE:.*]] = arith.cmpi eq, %n, %[[C0]]
// CHECK:         %[[REST:.*]] = arith.remui %kv, %[[SOME]] {attn.total}
// CHECK:         arith.select %[[NONE]], %kv, %[[REST]]
attn.mod @unsigned(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %r = arith.remui %kv, %n : i32
    %keep = arith.cmpi eq, %r, %q : i32
    attn.yield %keep : i1
  }

// -----

// By -1 it is the opposite, which wraps.
// CHECK-LABEL: attn.mod @signed
// CHECK:         %[[NONE:.*]] = arith.cmpi eq, %n
// CHECK:         %[[OPPOSITE:.*]] = arith.cmpi eq, %n
// CHECK:         %[[BAD:.*]] = arith.ori %[[NONE]], %[[OPPOSITE]]
// CHECK:         %[[SOME:.*]] = arith.select %[[BAD]], %{{.*}}, %n
// CHECK:         %[[D:.*]] = arith.divsi %kv, %[[SOME]] {attn.total}
// CHECK:         %[[MINUS:.*]] = arith.subi %{{.*}}, %kv
// CHECK:         %[[E:.*]] = arith.select %[[OPPOSITE]], %[[MINUS]], %[[D]]
// CHECK:         arith.select %[[NONE]], %{{.*}}, %[[E]]
attn.mod @signed(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %r = arith.divsi %kv, %n : i32
    %keep = arith.cmpi eq, %r, %q : i32
    attn.yield %keep : i1
  }

// -----

// Constants need no guard.
// CHECK-LABEL: attn.mod @constants
// CHECK-NOT:     arith.select
// CHECK:         arith.divsi %kv, %{{.*}} : i32
// CHECK:         arith.floordivsi %{{.*}}, %{{.*}} : i32
// CHECK:         arith.shrsi %{{.*}}, %{{.*}} : i32
// CHECK-NOT:     arith.select
// CHECK:         attn.yield
attn.mod @constants
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c3 = arith.constant 3 : i32
    %d = arith.divsi %kv, %c3 : i32
    %e = arith.floordivsi %d, %c3 : i32
    %s = arith.shrsi %e, %c3 : i32
    %keep = arith.cmpi eq, %s, %q : i32
    attn.yield %keep : i1
  }

// -----

// A constant zero divides as any other.
// CHECK-LABEL: attn.mod @zero
// CHECK:         %[[C0:.*]] = arith.constant 0 : i32
// CHECK:         arith.cmpi eq, %q, %[[C0]]
attn.mod @zero
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c0 = arith.constant 0 : i32
    %d = arith.divui %kv, %c0 : i32
    %keep = arith.cmpi eq, %q, %d : i32
    attn.yield %keep : i1
  }

// -----

// Shifted by too much nothing is left, or the sign; promises are not believed.
// CHECK-LABEL: attn.mod @shifts
// CHECK:         %[[FITS:.*]] = arith.cmpi ult, %n, %{{.*}}
// CHECK:         %[[BY:.*]] = arith.select %[[FITS]], %n, %{{.*}}
// CHECK:         %[[L:.*]] = arith.shli %kv, %[[BY]] {attn.total} : i32
// CHECK:         arith.select %[[FITS]], %[[L]], %{{.*}}
// CHECK:         %[[MOST:.*]] = arith.minui %n, %{{.*}}
// CHECK:         arith.shrsi %{{.*}}, %[[MOST]] {attn.total} : i32
// CHECK:         arith.addi %{{.*}}, %{{.*}} : i32
attn.mod @shifts(%n: i32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %l = arith.shli %kv, %n overflow<nsw> : i32
    %r = arith.shrsi %l, %n exact : i32
    %a = arith.addi %r, %l overflow<nsw, nuw> : i32
    %keep = arith.cmpi eq, %a, %q : i32
    attn.yield %keep : i1
  }

// -----

// Conversions end at the ends of the integers, and NaN is 0.
// CHECK-LABEL: attn.mod @toInteger
// CHECK:         %[[ABOVE:.*]] = arith.cmpf oge, %x, %{{.*}} : f32
// CHECK:         %[[BELOW:.*]] = arith.cmpf olt, %x, %{{.*}} : f32
// CHECK:         %[[FITS:.*]] = arith.andi %[[ABOVE]], %[[BELOW]]
// CHECK:         %[[INSIDE:.*]] = arith.select %[[FITS]], %x, %{{.*}}
// CHECK:         arith.fptosi %[[INSIDE]] {attn.total} : f32 to i32
attn.mod @toInteger(%x: f32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = arith.fptosi %x : f32 to i32
    %keep = arith.cmpi eq, %i, %q : i32
    attn.yield %keep : i1
  }

// -----

// Small floats compute in f32.
// CHECK-LABEL: attn.mod @small
// CHECK:         %[[X:.*]] = attn.load
// CHECK:         %[[WIDE:.*]] = arith.extf %[[X]] : f16 to f32
// CHECK:         %[[E:.*]] = math.exp %[[WIDE]] : f32
// CHECK:         %[[N:.*]] = arith.truncf %[[E]] : f32 to f16
// CHECK:         arith.extf %[[N]] : f16 to f32
attn.mod @small(%t: tensor<?xf16>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%q] : tensor<?xf16>
    %e = math.exp %x fastmath<fast> : f16
    %r = arith.extf %e : f16 to f32
    attn.yield %r : f32
  }

// -----

// What a float is is a comparison, with the limits of its own type.
// CHECK-LABEL: attn.mod @classes
// CHECK:         %[[LEAST:.*]] = arith.constant 6.10{{.*}} : f32
// CHECK:         %[[WIDE:.*]] = arith.extf %{{.*}} : f16 to f32
// CHECK:         %[[SIZE:.*]] = math.absf %[[WIDE]] : f32
// CHECK:         arith.cmpf oge, %[[SIZE]], %[[LEAST]] : f32
attn.mod @classes(%t: tensor<?xf16>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%q] : tensor<?xf16>
    %keep = math.isnormal %x : f16
    attn.yield %keep : i1
  }

// -----

// All NaN have the same bits, and no sign.
// CHECK-LABEL: attn.mod @bits
// CHECK:         %[[NAN:.*]] = arith.constant 2143289344 : i32
// CHECK:         %[[BITS:.*]] = arith.bitcast %x {attn.total} : f32 to i32
// CHECK:         %[[IS:.*]] = arith.cmpf uno, %x, %x
// CHECK:         arith.select %[[IS]], %[[NAN]], %[[BITS]]
// CHECK:         %[[SIGNED:.*]] = math.copysign %y, %x {attn.total} : f32
// CHECK:         %[[SIZE:.*]] = math.absf %y
// CHECK:         arith.select %{{.*}}, %[[SIZE]], %[[SIGNED]]
attn.mod @bits(%x: f32, %y: f32)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = arith.bitcast %x : f32 to i32
    %z = math.copysign %y, %x : f32
    %j = arith.fptosi %z : f32 to i32
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }

// -----

// Of 64 bits in two steps.
// CHECK-LABEL: attn.mod @wideShift
// CHECK:         %[[MOST:.*]] = arith.minui %{{.*}}, %{{.*}} : i64
// CHECK:         %[[HALF:.*]] = arith.shrui %[[MOST]], %{{.*}} : i64
// CHECK-DAG:     %[[REST:.*]] = arith.subi %[[MOST]], %[[HALF]] : i64
// CHECK-DAG:     %[[ONE:.*]] = arith.shli %{{.*}}, %[[HALF]] {attn.total} : i64
// CHECK:         arith.shli %[[ONE]], %[[REST]] {attn.total} : i64
attn.mod @wideShift
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.extsi %q : i32 to i64
    %n = arith.extsi %kv : i32 to i64
    %y = arith.shli %x, %n : i64
    %keep = arith.cmpi eq, %x, %y : i64
    attn.yield %keep : i1
  }
