// Schedules that are given must fit a GPU; on a CPU there is no shared memory.
// RUN: attn-opt %s --attn-select-schedule=target=sm90a --split-input-file --verify-diagnostics
// RUN: attn-opt %s --attn-select-schedule --split-input-file | FileCheck %s
// CHECK-COUNT-4: attn.attention

!t = tensor<1x1x?x128xbf16>
func.func @forward(%q: !t) -> !t {
  // expected-error @+1 {{expects schedules of at most 232448 bytes of shared memory, got 264192 of #attn.schedule<tiling = <q = 128, kv = 128>, roles = <warps = 8, producers = 4>, pipeline = <stages = 3, task_stages = 2, persistent>>}}
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 128, kv = 128>, roles = <warps = 8, producers = 4>, pipeline = <stages = 3, task_stages = 2, persistent>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

// Any of the variants.
!t = tensor<1x1x?x128xbf16>
func.func @variant(%q: !t) -> !t {
  // expected-error @+1 {{expects schedules of at most 232448 bytes of shared memory, got 417792 of #attn.schedule<tiling = <q = 512, kv = 512>, roles = <warps = 16>>}}
  %o = attn.attention %q, %q, %q {variants = #attn.variants<[<short_rows(7) -> <tiling = <q = 512, kv = 512>, roles = <warps = 16>>>, <always -> <tiling = <q = 64, kv = 64>>>]>} : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

// Any kernel of gradients; the others are chosen.
!t = tensor<1x1x?x128xbf16>
!l = tensor<1x1x?xf32>
func.func @gradients(%q: !t, %l: !l) -> (!t, !t, !t) {
  // expected-error @+1 {{expects schedules of at most 232448 bytes of shared memory, got 278528 of #attn.schedule<tiling = <q = 256, kv = 256, owns_keys>, roles = <warps = 8>>}}
  %x:3 = attn.attention_backward %q, %q, %q, %q, %l, %q {key_schedule = #attn.schedule<tiling = <q = 256, kv = 256, owns_keys>, roles = <warps = 8>>} : (!t, !t, !t, !t, !l, !t) -> (!t, !t, !t)
  return %x#0, %x#1, %x#2 : !t, !t, !t
}

// -----

// Any of them in any of the variants.
!t = tensor<1x1x?x128xbf16>
!l = tensor<1x1x?xf32>
func.func @gradient_variant(%q: !t, %l: !l) -> (!t, !t, !t) {
  // expected-error @+1 {{expects schedules of at most 232448 bytes of shared memory, got 278528 of #attn.schedule<tiling = <q = 256, kv = 256, owns_keys>, roles = <warps = 8>>}}
  %x:3 = attn.attention_backward %q, %q, %q, %q, %l, %q {variants = #attn.variants<[<short_rows(7) -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>, key_schedule = <tiling = <q = 256, kv = 256, owns_keys>, roles = <warps = 8>>>, <always -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>, key_schedule = <tiling = <q = 64, kv = 64, owns_keys>, roles = <warps = 4>>>]>} : (!t, !t, !t, !t, !l, !t) -> (!t, !t, !t)
  return %x#0, %x#1, %x#2 : !t, !t, !t
}
