// RUN: attn-opt %s --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt --verify-roundtrip | FileCheck %s

// A mod with neither program.
// CHECK: attn.mod @noop{{$}}
attn.mod @noop

// Captures come before the arguments in both programs, and are printed once.
// CHECK: attn.mod @alibi(%slopes: tensor<?xf32>, %window: i32) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK:   %[[M:.*]] = attn.load %slopes[%h] : tensor<?xf32>
// CHECK:   %[[T:.*]] = arith.mulf %s, %[[M]] : f32
// CHECK:   attn.yield %[[T]] : f32
// CHECK: } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK:   %[[D:.*]] = arith.subi %q, %kv : i32
// CHECK:   %[[KEEP:.*]] = arith.cmpi sle, %[[D]], %window : i32
// CHECK:   attn.yield %[[KEEP]] : i1
// CHECK: }
attn.mod @alibi(%slopes : tensor<?xf32>, %window : i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %t = arith.mulf %s, %m : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %keep = arith.cmpi sle, %d, %window : i32
    attn.yield %keep : i1
  }

// Only a mask, whose arguments have names of the user's own; attributes of
// captures and of the mod; a capture that has no printable name.
// CHECK: attn.mod @documents(%ids: tensor<?xi32> {attn.data = @ids, attn.shape = ["keys"]}, %_0: f32 {attn.data = 5.000000e-01 : f32}) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
// CHECK:   attn.load %ids[%q]
// CHECK: } attributes {attn.fold_batch}
attn.mod @documents(%ids : tensor<?xi32> {attn.shape = ["keys"], attn.data = @ids},
                    %0 : f32 {attn.data = 0.5 : f32})
  mask(%batch: i32, %head: i32, %query: i32, %key: i32) {
    %x = attn.load %ids[%query] : tensor<?xi32>
    %y = attn.load %ids[%key] : tensor<?xi32>
    %keep = arith.cmpi eq, %x, %y : i32
    attn.yield %keep : i1
  } attributes {attn.fold_batch}

func.func @ids(%table: memref<?xi32>, %batch: index, %heads: index,
               %kv_heads: index, %queries: index, %keys: index,
               %sequences: index) {
  return
}

// Every type of captures, as scalars and as tensors; one of rank 0.
// CHECK: attn.mod @types(%a: i1, %b8: i8, %c: i16, %d: i64, %e: f16, %f: bf16, %g: tensor<?xi1>, %i: tensor<?xi8>, %j: tensor<?xi16>, %k: tensor<?xi64>, %l: tensor<?xf16>, %m: tensor<bf16>) score(
// CHECK:   attn.load %m[] : tensor<bf16>
// CHECK: mask(
// CHECK:   arith.extui %{{.*}} : i8 to i16
attn.mod @types(%a: i1, %b8: i8, %c: i16, %d: i64, %e: f16, %f: bf16,
                %g: tensor<?xi1>, %i: tensor<?xi8>, %j: tensor<?xi16>,
                %k: tensor<?xi64>, %l: tensor<?xf16>, %m: tensor<bf16>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %m[] : tensor<bf16>
    %y = arith.addf %x, %f : bf16
    %t = arith.extf %y : bf16 to f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %i[%kv] : tensor<?xi8>
    %y = attn.load %j[%q] : tensor<?xi16>
    %z = arith.extui %x : i8 to i16
    %keep = arith.cmpi sle, %z, %y : i16
    attn.yield %keep : i1
  }

// Data by expressions of sizes and by fills, with and without indices.
// CHECK: attn.mod @data(%n: i64 {attn.data = "queries / 2"}, %o: f32 {attn.data = @one}, %t: tensor<?x?xi8> {attn.data = @table, attn.shape = ["2 * (heads - 1)", "queries ceildiv 64"]})
attn.mod @data(%n: i64 {attn.data = "queries / 2"}, %o: f32 {attn.data = @one},
               %t: tensor<?x?xi8> {attn.data = @table,
                 attn.shape = ["2 * (heads - 1)", "queries ceildiv 64"]})
// CHECK: attn.fill @one {
// CHECK:   attn.yield %{{.*}} : f32
attn.fill @one {
  %x = arith.constant 1.0 : f32
  attn.yield %x : f32
}
// CHECK: attn.fill @table(%i: i32, %j: i32) {
// CHECK:   %[[N:.*]] = attn.size "keys ceildiv 2" : i64
// CHECK:   attn.yield %{{.*}} : i8
// CHECK: } attributes {note}
attn.fill @table(%row: i32, %column: i32) {
  %n = attn.size "keys ceildiv 2" : i64
  %x = arith.trunci %n : i64 to i8
  attn.yield %x : i8
} attributes {note}

// scf.if with results, a table of rank 2, several float types, and other mods.
// CHECK-LABEL: attn.mod @branches(%table: tensor<4x?xf16>, %slopes: tensor<?xf32>, %window: i32)
// CHECK: scf.if
// CHECK:   attn.load %table[%h, %kv] : tensor<4x?xf16>
// CHECK: attn.apply_score @alibi(%slopes, %window)[%{{.*}}, %b, %h, %q, %kv] : tensor<?xf32>, i32
// CHECK: attn.apply_score @noop[%{{.*}}, %b, %h, %q, %kv]{{$}}
// CHECK: attn.apply_mask @alibi(%slopes, %window)[%b, %h, %q, %kv] : tensor<?xf32>, i32
// CHECK: attn.apply_mask @noop[%b, %h, %q, %kv]{{$}}
attn.mod @branches(%table: tensor<4x?xf16>, %slopes: tensor<?xf32>, %window: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %near = arith.cmpi sge, %q, %kv : i32
    %x = scf.if %near -> f32 {
      %y = attn.load %table[%h, %kv] : tensor<4x?xf16>
      %z = arith.extf %y : f16 to f32
      scf.yield %z : f32
    } else {
      %z = math.tanh %s : f32
      scf.yield %z : f32
    }
    %t = attn.apply_score @alibi(%slopes, %window)[%x, %b, %h, %q, %kv] : tensor<?xf32>, i32
    %u = attn.apply_score @noop[%t, %b, %h, %q, %kv]
    attn.yield %u : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.apply_mask @alibi(%slopes, %window)[%b, %h, %q, %kv] : tensor<?xf32>, i32
    %y = attn.apply_mask @noop[%b, %h, %q, %kv]
    %keep = arith.andi %x, %y : i1
    attn.yield %keep : i1
  }

// No mod; queries and keys of different lengths; Dv != D.
// CHECK-LABEL: func.func @plain
// CHECK: attn.attention %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x8x5x64xf32>, tensor<2x8x7x64xf32>, tensor<2x8x7x32xf32>) -> tensor<2x8x5x32xf32>
func.func @plain(%q: tensor<2x8x5x64xf32>, %k: tensor<2x8x7x64xf32>,
                 %v: tensor<2x8x7x32xf32>) -> tensor<2x8x5x32xf32> {
  %o = attn.attention %q, %k, %v
    : (tensor<2x8x5x64xf32>, tensor<2x8x7x64xf32>, tensor<2x8x7x32xf32>) -> tensor<2x8x5x32xf32>
  return %o : tensor<2x8x5x32xf32>
}

// Grouped heads, dynamic lengths, captures, scale, schedule and lse.
// CHECK-LABEL: func.func @everything
// CHECK: %{{.*}}, %{{.*}} = attn.attention %{{.*}}, %{{.*}}, %{{.*}} mod @alibi(%{{.*}}, %{{.*}}) {scale = 1.250000e-01 : f32, schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2, unaligned>>}
// CHECK-SAME: (tensor<2x8x?x64xbf16>, tensor<2x2x?x64xbf16>, tensor<2x2x?x128xbf16>, tensor<8xf32>, i32) -> (tensor<2x8x?x128xbf16>, tensor<2x8x?xf32>)
func.func @everything(%q: tensor<2x8x?x64xbf16>, %k: tensor<2x2x?x64xbf16>,
                      %v: tensor<2x2x?x128xbf16>, %slopes: tensor<8xf32>,
                      %window: i32) -> (tensor<2x8x?x128xbf16>, tensor<2x8x?xf32>) {
  %o, %lse = attn.attention %q, %k, %v mod @alibi(%slopes, %window)
      {scale = 0.125 : f32,
       schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2, unaligned>>}
    : (tensor<2x8x?x64xbf16>, tensor<2x2x?x64xbf16>, tensor<2x2x?x128xbf16>,
       tensor<8xf32>, i32) -> (tensor<2x8x?x128xbf16>, tensor<2x8x?xf32>)
  return %o, %lse : tensor<2x8x?x128xbf16>, tensor<2x8x?xf32>
}

// Gradients with a schedule for each kernel: two of them own keys.
// CHECK-LABEL: func.func @gradients
// CHECK: attn.attention_backward {{.*}}key_schedule = #attn.schedule<tiling = <q = 32, kv = 128, owns_keys>, roles = <warps = 8>>, schedule = #attn.schedule<tiling = <q = 64, kv = 16>>, value_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>
func.func @gradients(%q: tensor<1x1x?x64xf16>, %l: tensor<1x1x?xf32>) {
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q
      {schedule = #attn.schedule<tiling = <q = 64, kv = 16>>,
       key_schedule = #attn.schedule<tiling = <q = 32, kv = 128, owns_keys>, roles = <warps = 8>>,
       value_schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>}
    : (tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?xf32>,
       tensor<1x1x?x64xf16>) -> (tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>)
  return
}

// What is summed for captures has kernels of its own with a schedule of its own.
// CHECK-LABEL: func.func @capture_gradients
// CHECK: attn.attention_backward {{.*}}capture_schedule = #attn.schedule<tiling = <q = 64, kv = 32>>
func.func @capture_gradients(%q: tensor<1x1x?x64xf16>, %l: tensor<1x1x?xf32>) {
  %dq, %dk, %dv = attn.attention_backward %q, %q, %q, %q, %l, %q {capture_schedule = #attn.schedule<tiling = <q = 64, kv = 32>>}
    : (tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?xf32>,
       tensor<1x1x?x64xf16>) -> (tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16>)
  return
}

// Everything dynamic but the channels; a mod without captures; no length at all.
// CHECK-LABEL: func.func @dynamic
// CHECK: mod @noop :
// CHECK: schedule = #attn.schedule<tiling = <q = 64, kv = 64>>
func.func @dynamic(%q: tensor<?x?x?x1xf16>, %empty: tensor<1x1x0x256xf16>)
    -> (tensor<?x?x?x1xf16>, tensor<1x1x0x256xf16>) {
  %o = attn.attention %q, %q, %q mod @noop
    : (tensor<?x?x?x1xf16>, tensor<?x?x?x1xf16>, tensor<?x?x?x1xf16>) -> tensor<?x?x?x1xf16>
  %p = attn.attention %empty, %empty, %empty {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>}
    : (tensor<1x1x0x256xf16>, tensor<1x1x0x256xf16>, tensor<1x1x0x256xf16>) -> tensor<1x1x0x256xf16>
  return %o, %p : tensor<?x?x?x1xf16>, tensor<1x1x0x256xf16>
}

// What moves the positions, in this order, with a mod and without.
// CHECK-LABEL: func.func @positions
// CHECK: attn.attention %{{.*}} mod @noop query_offset(%{{.*}}) lengths(%{{.*}}) pages(%{{.*}}) : (
// CHECK: attn.attention %{{[^ ]*}}, %{{[^ ]*}}, %{{[^ ]*}} lengths(%{{.*}}) {scale = 5.000000e-01 : f32} : (
// CHECK: attn.attention_backward %{{.*}} query_offset(%{{.*}}) lengths(%{{.*}}) : (
func.func @positions(%q: tensor<2x4x8x64xf32>, %k: tensor<9x4x16x64xf32>, %s: tensor<2x4x8xf32>, %n: i32,
                     %l: tensor<2xi32>, %p: tensor<2x?xi32>) {
  %a = attn.attention %q, %k, %k mod @noop query_offset(%n) lengths(%l) pages(%p)
    : (tensor<2x4x8x64xf32>, tensor<9x4x16x64xf32>, tensor<9x4x16x64xf32>, i32, tensor<2xi32>, tensor<2x?xi32>) -> tensor<2x4x8x64xf32>
  %b = attn.attention %q, %q, %q lengths(%l) {scale = 0.5 : f32}
    : (tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2xi32>) -> tensor<2x4x8x64xf32>
  %c:3 = attn.attention_backward %q, %q, %q, %q, %s, %q query_offset(%n) lengths(%l)
    : (tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2x4x8xf32>,
       tensor<2x4x8x64xf32>, i32, tensor<2xi32>) -> (tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>, tensor<2x4x8x64xf32>)
  return
}
