// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{expects the last guard, and no other, to be always}}
#none = #attn.variants<[<short_rows(7) -> <tiling = <q = 16, kv = 16>>>]>

// -----

// expected-error @+1 {{expects the last guard, and no other, to be always}}
#early = #attn.variants<[<always -> <tiling = <q = 16, kv = 16>>>, <always -> <tiling = <q = 16, kv = 16>>>]>

// -----

// expected-error @+2 {{expects a guard, got 'long_rows'}}
// expected-error @+1 {{failed to parse Attn_VariantAttr parameter 'guard'}}
#name = #attn.variant<long_rows(7) -> <tiling = <q = 16, kv = 16>>>

// -----

// expected-error @+2 {{expects 3 numbers for 'few_rounds', got 1}}
// expected-error @+1 {{failed to parse Attn_VariantAttr parameter 'guard'}}
#count = #attn.variant<few_rounds(7) -> <tiling = <q = 16, kv = 16>>>

// -----

// expected-error @+2 {{expects numbers from 1 to 2147483647, got 0}}
// expected-error @+1 {{failed to parse Attn_VariantAttr parameter 'guard'}}
#zero = #attn.variant<few_tasks(0) -> <tiling = <q = 16, kv = 16>>>

// -----

// expected-error @+2 {{expects a guard, got 'always'}}
// expected-error @+1 {{failed to parse Attn_VariantAttr parameter 'guard'}}
#joined = #attn.variant<aligned and always -> <tiling = <q = 16, kv = 16>>>

// -----

// expected-error @+2 {{expects 0 numbers for 'aligned', got 1}}
// expected-error @+1 {{failed to parse Attn_VariantAttr parameter 'guard'}}
#memory = #attn.variant<aligned(16) -> <tiling = <q = 16, kv = 16>>>

// -----

// C8 of attn.attention
!t = tensor<?x?x?x64xbf16>
func.func @two_schedules(%q: !t) -> !t {
  // expected-error @+1 {{expects variants of one schedule each, got #attn.variant<always -> <tiling = <q = 16, kv = 16>>, key_schedule = <tiling = <q = 16, kv = 16, owns_keys>>>}}
  %o = attn.attention %q, %q, %q {variants = #attn.variants<[<always -> <tiling = <q = 16, kv = 16>>, key_schedule = <tiling = <q = 16, kv = 16, owns_keys>>>]>} : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

// C9 of attn.attention_backward
!t = tensor<?x?x?x64xbf16>
func.func @one_schedule(%a: !t, %l: tensor<?x?x?xf32>) -> !t {
  // expected-error @+1 {{expects variants with a 'key_schedule', got #attn.variant<always -> <tiling = <q = 16, kv = 16>>>}}
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a {variants = #attn.variants<[<always -> <tiling = <q = 16, kv = 16>>>]>} : (!t, !t, !t, !t, tensor<?x?x?xf32>, !t) -> (!t, !t, !t)
  return %x#0 : !t
}

// -----

// C9 of attn.attention_backward
!t = tensor<?x?x?x64xbf16>
func.func @queries(%a: !t, %l: tensor<?x?x?xf32>) -> !t {
  // expected-error @+1 {{expects a 'key_schedule' with 'owns_keys', got #attn.schedule<tiling = <q = 16, kv = 16>>}}
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a {variants = #attn.variants<[<always -> <tiling = <q = 16, kv = 16>>, key_schedule = <tiling = <q = 16, kv = 16>>>]>} : (!t, !t, !t, !t, tensor<?x?x?xf32>, !t) -> (!t, !t, !t)
  return %x#0 : !t
}
