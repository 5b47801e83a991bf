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
