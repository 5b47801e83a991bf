// RUN: attn-opt %s --attn-print-schedule-costs -o /dev/null | FileCheck %s
// RUN: attn-opt %s --attn-select-schedule=target=sm90a --attn-print-schedule-costs -o /dev/null | FileCheck %s --check-prefix=CHOSEN

!t = tensor<1x1x?x128xbf16>
!l = tensor<1x1x?xf32>

// CHECK: @layer: 128 threads, 69632 shared bytes, about {{[0-9]+}} of 255 registers
func.func @layer(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// Without a schedule there is nothing to tell; a pass before writes one, and variants.
// CHECK-NOT: @any
// CHOSEN: @any: 384 threads, 198656 shared bytes, about {{[0-9]+}} of 232 registers
// CHOSEN-NEXT: @any where sm90a and few_tasks(64) and short_rows(512): 256 threads
// CHOSEN-NEXT: @any where sm90a and full_round(64, 75): 256 threads
// CHOSEN-NEXT: @any where sm90a and packed_rows(16): 64 threads, 86528 shared bytes
// CHOSEN-NEXT: @any where aligned and packed_rows(16): 32 threads, 73984 shared bytes
// CHOSEN-NEXT: @any where sm90a and packed_rows(32): 64 threads, 78336 shared bytes
// CHOSEN-NEXT: @any where aligned and packed_rows(32): 64 threads, 78336 shared bytes
// CHOSEN-NEXT: @any where sm90a and packed_rows(64): 128 threads, 87040 shared bytes
// CHOSEN-NEXT: @any where aligned and packed_rows(64): 128 threads, 87040 shared bytes
// CHOSEN-NEXT: @any where sm90a and few_tasks(64): 256 threads, 215040 shared bytes
// CHOSEN-NEXT: @any where sm90a and short_rows(1024): 384 threads, 231424 shared bytes
// CHOSEN-NEXT: @any where sm90a: 384 threads, 198656 shared bytes
// CHOSEN-NEXT: @any where aligned: 128 threads, {{[0-9]+}} shared bytes
// CHOSEN-NEXT: @any where always: 128 threads, {{[0-9]+}} shared bytes
func.func @any(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q : (!t, !t, !t) -> !t
  return %o : !t
}

// A kernel for each schedule of gradients.
// CHECK: @apart_grad_query: 128 threads, 52224 shared bytes
// CHECK-NEXT: @apart_grad_key: 128 threads, 43520 shared bytes
// CHECK-NEXT: @apart_grad_value: 128 threads, 34816 shared bytes
// CHECK-NOT: grad
func.func @apart(%q: !t, %l: !l) {
  %x:3 = attn.attention_backward %q, %q, %q, %q, %l, %q {
      schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>>,
      key_schedule = #attn.schedule<tiling = <q = 16, kv = 64, owns_keys>, roles = <warps = 4>>,
      value_schedule = #attn.schedule<tiling = <q = 32, kv = 64, owns_keys>, roles = <warps = 4>>}
    : (!t, !t, !t, !t, !l, !t) -> (!t, !t, !t)
  return
}

// In one pass two of them hold no tiles. What is summed for captures has its own.
// CHOSEN: @once_grad_start: 128 threads, 0 shared bytes
// CHOSEN-NEXT: @once_grad_query: 128 threads, 0 shared bytes
// CHOSEN-NEXT: @once_grad_key: 384 threads, 199680 shared bytes
// CHOSEN-NEXT: @once_grad_pairs_0: 128 threads, 69632 shared bytes
// CHOSEN: @once_grad_start where sm90a: 128 threads, 0 shared bytes
// CHOSEN-NEXT: @once_grad_query where sm90a: 128 threads, 0 shared bytes
// CHOSEN-NEXT: @once_grad_key where sm90a: 384 threads, 199680 shared bytes
// CHOSEN-NEXT: @once_grad_pairs_0 where sm90a: 128 threads, 69632 shared bytes
// Other memory has no kernel of one pass.
// CHOSEN: @once_grad_query where aligned: 128 threads, {{[1-9][0-9]+}} shared bytes
// CHOSEN-NEXT: @once_grad_key where aligned: 128 threads
// CHOSEN-NEXT: @once_grad_pairs_0 where aligned: 128 threads
// CHOSEN: @once_grad_query where always: 128 threads
func.func @once(%q: !t, %l: !l, %c: tensor<?xf32>) {
  %x:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @relative(%c) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, tensor<?xf32>) -> (!t, !t, !t, tensor<?xf32>)
  return
}
attn.mod @relative(%t: tensor<?xf32>) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %d = arith.subi %q, %kv : i32
  %x = attn.load %t[%d] : tensor<?xf32>
  %y = arith.addf %s, %x : f32
  attn.yield %y : f32
}
// What does not depend on the query is carried.
// CHOSEN: @carried_grad_key: 384 threads
// CHOSEN-NOT: @carried_grad_pairs
func.func @carried(%q: !t, %l: !l, %c: f32) {
  %x:4 = attn.attention_backward %q, %q, %q, %q, %l, %q mod @scaled(%c) {wrt = array<i64: 0>}
    : (!t, !t, !t, !t, !l, !t, f32) -> (!t, !t, !t, f32)
  return
}
attn.mod @scaled(%c: f32) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = arith.addf %s, %c : f32
  attn.yield %t : f32
}
