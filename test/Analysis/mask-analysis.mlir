// What is understood of a mask program, and what becomes of the tiles.
//
// RUN: attn-opt %s --attn-inline-mods --canonicalize \
// RUN:   --attn-print-mask-analysis="queries=200 keys=300" -o /dev/null 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t

// The last row and the last column stick out over the end.
// CHECK-LABEL: mask of @causal
// CHECK-NEXT:  keeps: q >= kv
// CHECK-NEXT:  drops: kv >= q + 1
// CHECK-NEXT:  tiles: bounds
// CHECK-NEXT:  +....
// CHECK-NEXT:  #+...
// CHECK-NEXT:  ##+..
// CHECK-NEXT:  ###+.
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

// CHECK-LABEL: mask of @window
// CHECK-NEXT:  keeps: q >= kv and kv >= q - 64
// CHECK-NEXT:  drops: kv >= q + 1
// CHECK-NEXT:     or: q >= kv + 65
// CHECK-NEXT:  tiles: bounds
// CHECK-NEXT:  +....
// CHECK-NEXT:  ++...
// CHECK-NEXT:  .++..
// CHECK-NEXT:  ..++.
attn.mod @window
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %size = arith.constant 64 : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %d = arith.subi %q, %kv : i32
    %near = arith.cmpi sle, %d, %size : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }

// The two halves of "causal but not in the window" are one inequality.
// CHECK-LABEL: mask of @far
// CHECK-NEXT:  keeps: q >= kv + 65
// CHECK-NEXT:  drops: kv >= q - 64
// CHECK-NEXT:  tiles: bounds
// CHECK-NEXT:  .....
// CHECK-NEXT:  +....
// CHECK-NEXT:  #+...
// CHECK-NEXT:  ##+..
attn.mod @far
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %true = arith.constant true
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %window = attn.apply_mask @window[%b, %h, %q, %kv]
    %outside = arith.xori %window, %true : i1
    %keep = arith.andi %causal, %outside : i1
    attn.yield %keep : i1
  }

// The complement of a band is two runs.
// CHECK-LABEL: mask of @outside
// CHECK-NEXT:  keeps: kv >= q + 1
// CHECK-NEXT:     or: q >= kv + 65
// CHECK-NEXT:  drops: q >= kv and kv >= q - 64
// CHECK-NEXT:  tiles: lists
// CHECK-NEXT:  +####
// CHECK-NEXT:  ++###
// CHECK-NEXT:  #++##
// CHECK-NEXT:  ##++#
attn.mod @outside
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %true = arith.constant true
    %window = attn.apply_mask @window[%b, %h, %q, %kv]
    %keep = arith.xori %window, %true : i1
    attn.yield %keep : i1
  }

// Neither half is empty or full where the whole is.
// CHECK-LABEL: mask of @nothing
// CHECK-NEXT:  keeps: nothing
// CHECK-NEXT:  drops: everything
// CHECK-NEXT:  tiles: bounds
// CHECK-NEXT:  .....
attn.mod @nothing
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %later = arith.cmpi sgt, %kv, %q : i32
    %keep = arith.andi %causal, %later : i1
    attn.yield %keep : i1
  }

// |q - kv| <= 64: two cases that make one run; and what must not wrap.
// CHECK-LABEL: mask of @near
// CHECK-NEXT:  keeps: q >= kv - 64 and kv >= q - 64
// CHECK-NEXT:  drops: q >= kv + 65
// CHECK-NEXT:     or: kv >= q + 65
// CHECK-NEXT:  as long as kv - (q) fits i32
// CHECK-NEXT:  tiles: bounds
// CHECK-NEXT:  #+...
// CHECK-NEXT:  +#+..
// CHECK-NEXT:  .+#+.
// CHECK-NEXT:  ..+#+
attn.mod @near
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %size = arith.constant 64 : i32
    %d = arith.subi %q, %kv : i32
    %a = math.absi %d : i32
    %keep = arith.cmpi sle, %a, %size : i32
    attn.yield %keep : i1
  }

// Blocks: equality of quotients, by their intervals.
// CHECK-LABEL: mask of @blocks
// CHECK-NEXT:  keeps: eq(divui(q, 128), divui(kv, 128))
// CHECK-NEXT:  drops: not eq(divui(q, 128), divui(kv, 128))
// CHECK-NEXT:  table per tile of queries: divui(q, 128)
// CHECK-NEXT:  table per tile of keys: divui(kv, 128)
// CHECK-NEXT:  tiles: lists, evaluated where the logic does not decide
// CHECK-NEXT:  ##...
// CHECK-NEXT:  ##...
// CHECK-NEXT:  ..##.
// CHECK-NEXT:  ..##.
attn.mod @blocks
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 128 : i32
    %i = arith.divui %q, %c : i32
    %j = arith.divui %kv, %c : i32
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }

// A float of the distance: bounded, with the rounding of the program.
// CHECK-LABEL: mask of @float
// CHECK-NEXT:  keeps: olt(mulf(sitofp(subi(q, kv)), 5.000000e-01), 2.000000e+01)
// CHECK:       tiles: lists, evaluated where the logic does not decide
// CHECK-NEXT:  ?####
// CHECK-NEXT:  ??###
// CHECK-NEXT:  .??##
// CHECK-NEXT:  ..?##
attn.mod @float
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 0.5 : f32
    %n = arith.constant 20.0 : f32
    %d = arith.subi %q, %kv : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %c : f32
    %keep = arith.cmpf olt, %x, %n : f32
    attn.yield %keep : i1
  }

// Nothing is known of an xor of positions but its range: a remark, and the pairs
// are evaluated.
// REMARK: mask-analysis.mlir:[[#@LINE+8]]:10: remark: the mask cannot be bounded through 'arith.xori': the tiles that depend on it are found by evaluating it for each pair
// CHECK-LABEL: mask of @unknown
// CHECK:       tiles: lists, evaluated where the logic does not decide
// CHECK-NEXT:  ?....
// CHECK-NEXT:  ??...
attn.mod @unknown
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c = arith.constant 5 : i32
    %x = arith.xori %q, %kv : i32
    %odd = arith.cmpi slt, %x, %c : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.andi %odd, %causal : i1
    attn.yield %keep : i1
  }

// A prefix for each sequence: bounds, from a table that batch alone indexes.
// CHECK-LABEL: mask of @prefixes
// CHECK-NEXT:  keeps: kv <= lengths[b] - 1
// CHECK-NEXT:     or: q >= kv
// CHECK-NEXT:  drops: kv >= lengths[b] and kv >= q + 1
// CHECK-NEXT:  tiles: bounds
attn.mod @prefixes(%lengths: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = attn.load %lengths[%b] : tensor<?xi32>
    %prefix = arith.cmpi slt, %kv, %n : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.ori %prefix, %causal : i1
    attn.yield %keep : i1
  }

// The same by lengths of 64 bits and an offset of 16: bounds, as long as 32 bits
// hold their sum.
// CHECK-LABEL: mask of @long_prefixes
// CHECK-NEXT:  keeps: kv <= addi(lengths[b], extsi(offset)) - 1
// CHECK-NEXT:     or: q >= kv
// CHECK-NEXT:  drops: kv >= addi(lengths[b], extsi(offset)) and kv >= q + 1
// CHECK-NEXT:  as long as addi(lengths[b], extsi(offset)) fits i32
// CHECK-NEXT:  tiles: bounds
attn.mod @long_prefixes(%lengths: tensor<?xi64>, %offset: i16)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %length = attn.load %lengths[%b] : tensor<?xi64>
    %more = arith.extsi %offset : i16 to i64
    %n = arith.addi %length, %more : i64
    %wide = arith.extsi %kv : i32 to i64
    %prefix = arith.cmpi slt, %wide, %n : i64
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.ori %prefix, %causal : i1
    attn.yield %keep : i1
  }

// What is compared as it was loaded has bounds for each tile, whatever its type.
// CHECK-LABEL: mask of @documents_of_types
// CHECK:       table per tile of queries: longs[q]
// CHECK-NEXT:  table per tile of keys: longs[kv]
// CHECK-NEXT:  table per tile of queries: bytes[q]
// CHECK-NEXT:  table per tile of keys: bytes[kv]
// CHECK-NEXT:  table per tile of queries: halves[q]
// CHECK-NEXT:  table per tile of keys: halves[kv]
// CHECK-NEXT:  tiles: lists
// REMARK-NOT: documents_of_types
attn.mod @documents_of_types(%longs: tensor<?xi64>, %bytes: tensor<?xi8>, %halves: tensor<?xbf16>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %l0 = attn.load %longs[%q] : tensor<?xi64>
    %l1 = attn.load %longs[%kv] : tensor<?xi64>
    %l = arith.cmpi sle, %l0, %l1 : i64
    %b0 = attn.load %bytes[%q] : tensor<?xi8>
    %b1 = attn.load %bytes[%kv] : tensor<?xi8>
    %bb = arith.cmpi ule, %b0, %b1 : i8
    %h0 = attn.load %halves[%q] : tensor<?xbf16>
    %h1 = attn.load %halves[%kv] : tensor<?xbf16>
    %hh = arith.cmpf ole, %h0, %h1 : bf16
    %x = arith.andi %l, %bb : i1
    %keep = arith.andi %x, %hh : i1
    attn.yield %keep : i1
  }
