// RUN: attn-opt %s --split-input-file --verify-diagnostics

//===-- C1: ranks and element types -----------------------------------------===//

// attention_c1: an element type that attention does not take.
func.func @attention_c1(%q: tensor<1x1x4x8xf64>) {
  // expected-error @+1 {{operand #0 must be ranked tensor of bfloat16 type or 16-bit float or 32-bit float values, but got 'tensor<1x1x4x8xf64>'}}
  %o = attn.attention %q, %q, %q : (tensor<1x1x4x8xf64>, tensor<1x1x4x8xf64>, tensor<1x1x4x8xf64>) -> tensor<1x1x4x8xf64>
  return
}

// -----

// attention_c1: rank of an operand.
func.func @attention_c1(%q: tensor<1x1x4x8xf32>, %k: tensor<1x4x8xf32>) {
  // expected-error @+1 {{expects 'key' of rank 4, got rank 3}}
  %o = attn.attention %q, %k, %q : (tensor<1x1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32>
  return
}

// -----

// attention_c1: rank of the result.
func.func @attention_c1(%q: tensor<1x1x4x8xf32>) {
  // expected-error @+1 {{expects 'out' of rank 4, got rank 2}}
  %o = attn.attention %q, %q, %q : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

// attention_c1: one element type.
func.func @attention_c1(%q: tensor<1x1x4x8xf16>, %v: tensor<1x1x4x8xbf16>) {
  // expected-error @+1 {{expects 'value' elements 'f16' like 'query', got 'bf16'}}
  %o = attn.attention %q, %q, %v : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xbf16>) -> tensor<1x1x4x8xf16>
  return
}

// -----

//===-- C2: channels --------------------------------------------------------===//

// attention_c2: query and key.
func.func @attention_c2(%q: tensor<1x1x4x64xf32>, %k: tensor<1x1x4x128xf32>) {
  // expected-error @+1 {{expects 'key' head dimension 64 like 'query', got 128}}
  %o = attn.attention %q, %k, %q : (tensor<1x1x4x64xf32>, tensor<1x1x4x128xf32>, tensor<1x1x4x64xf32>) -> tensor<1x1x4x64xf32>
  return
}

// -----

// attention_c2: value and out.
func.func @attention_c2(%q: tensor<1x1x4x64xf32>, %v: tensor<1x1x4x32xf32>) {
  // expected-error @+1 {{expects 'out' value dimension 32 like 'value', got 64}}
  %o = attn.attention %q, %q, %v : (tensor<1x1x4x64xf32>, tensor<1x1x4x64xf32>, tensor<1x1x4x32xf32>) -> tensor<1x1x4x64xf32>
  return
}

// -----

// attention_c2: no dynamic channels.
func.func @attention_c2(%q: tensor<1x1x4x?xf32>) {
  // expected-error @+1 {{expects 'query' to have a static head dimension}}
  %o = attn.attention %q, %q, %q : (tensor<1x1x4x?xf32>, tensor<1x1x4x?xf32>, tensor<1x1x4x?xf32>) -> tensor<1x1x4x?xf32>
  return
}

// -----

// attention_c2: too many channels.
func.func @attention_c2(%q: tensor<1x1x4x64xf32>, %v: tensor<1x1x4x257xf32>) {
  // expected-error @+1 {{expects 'value' value dimension from 1 to 256, got 257}}
  %o = attn.attention %q, %q, %v : (tensor<1x1x4x64xf32>, tensor<1x1x4x64xf32>, tensor<1x1x4x257xf32>) -> tensor<1x1x4x257xf32>
  return
}

// -----

// attention_c2: no channels.
func.func @attention_c2(%q: tensor<1x1x4x0xf32>) {
  // expected-error @+1 {{expects 'query' head dimension from 1 to 256, got 0}}
  %o = attn.attention %q, %q, %q : (tensor<1x1x4x0xf32>, tensor<1x1x4x0xf32>, tensor<1x1x4x0xf32>) -> tensor<1x1x4x0xf32>
  return
}

// -----

//===-- C3: batch, heads, lengths -------------------------------------------===//

// attention_c3: batch of key.
func.func @attention_c3(%q: tensor<2x1x4x8xf32>, %k: tensor<1x1x4x8xf32>) {
  // expected-error @+1 {{expects 'key' batch size 2 like 'query', got 1}}
  %o = attn.attention %q, %k, %k : (tensor<2x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<2x1x4x8xf32>
  return
}

// -----

// attention_c3: batch of value.
func.func @attention_c3(%q: tensor<2x1x4x8xf32>, %v: tensor<3x1x4x8xf32>) {
  // expected-error @+1 {{expects 'value' batch size 2 like 'key', got 3}}
  %o = attn.attention %q, %q, %v : (tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<3x1x4x8xf32>) -> tensor<2x1x4x8xf32>
  return
}

// -----

// attention_c3: batch of out.
func.func @attention_c3(%q: tensor<2x1x4x8xf32>) {
  // expected-error @+1 {{expects 'out' batch size 2 like 'query', got 1}}
  %o = attn.attention %q, %q, %q : (tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) -> tensor<1x1x4x8xf32>
  return
}

// -----

// attention_c3: heads of key and value; what is dynamic is not compared.
func.func @attention_c3(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x8xf32>) {
  // expected-error @+1 {{expects 'value' head count 2 like 'key', got 4}}
  %o = attn.attention %q, %k, %q : (tensor<?x4x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x4x?x8xf32>) -> tensor<?x4x?x8xf32>
  return
}

// -----

// attention_c3: lengths of key and value.
func.func @attention_c3(%q: tensor<1x1x4x8xf32>, %v: tensor<1x1x5x8xf32>) {
  // expected-error @+1 {{expects 'value' length 4 like 'key', got 5}}
  %o = attn.attention %q, %q, %v : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x5x8xf32>) -> tensor<1x1x4x8xf32>
  return
}

// -----

// attention_c3: heads of out.
func.func @attention_c3(%q: tensor<1x2x4x8xf32>) {
  // expected-error @+1 {{expects 'out' head count 2 like 'query', got 1}}
  %o = attn.attention %q, %q, %q : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x1x4x8xf32>
  return
}

// -----

// attention_c3: length of out.
func.func @attention_c3(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x6x8xf32>) {
  // expected-error @+1 {{expects 'out' length 4 like 'query', got 6}}
  %o = attn.attention %q, %k, %k : (tensor<1x1x4x8xf32>, tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>) -> tensor<1x1x6x8xf32>
  return
}

// -----

//===-- C4: grouped heads ---------------------------------------------------===//

// attention_c4: not a multiple.
func.func @attention_c4(%q: tensor<1x6x4x8xf32>, %k: tensor<1x4x4x8xf32>) {
  // expected-error @+1 {{expects 'query' head count to be a multiple of 'key' head count 4, got 6}}
  %o = attn.attention %q, %k, %k : (tensor<1x6x4x8xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x6x4x8xf32>
  return
}

// -----

// attention_c4: nothing to share.
func.func @attention_c4(%q: tensor<1x6x4x8xf32>, %k: tensor<1x0x4x8xf32>) {
  // expected-error @+1 {{expects 'key' to have at least one head}}
  %o = attn.attention %q, %k, %k : (tensor<1x6x4x8xf32>, tensor<1x0x4x8xf32>, tensor<1x0x4x8xf32>) -> tensor<1x6x4x8xf32>
  return
}

// -----

//===-- C5: lse -------------------------------------------------------------===//

// attention_c5: element type.
func.func @attention_c5(%q: tensor<1x1x4x8xf16>) {
  // expected-error @+1 {{result #1 must be ranked tensor of 32-bit float values, but got 'tensor<1x1x4xf16>'}}
  %o, %l = attn.attention %q, %q, %q : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> (tensor<1x1x4x8xf16>, tensor<1x1x4xf16>)
  return
}

// -----

// attention_c5: rank.
func.func @attention_c5(%q: tensor<1x1x4x8xf16>) {
  // expected-error @+1 {{expects 'lse' of rank 3, got rank 1}}
  %o, %l = attn.attention %q, %q, %q : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> (tensor<1x1x4x8xf16>, tensor<4xf32>)
  return
}

// -----

// attention_c5: length.
func.func @attention_c5(%q: tensor<1x1x4x8xf16>) {
  // expected-error @+1 {{expects 'lse' length 4 like 'query', got 5}}
  %o, %l = attn.attention %q, %q, %q : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> (tensor<1x1x4x8xf16>, tensor<1x1x5xf32>)
  return
}

// -----

//===-- C6: the mod ---------------------------------------------------------===//

// attention_c6: no such mod.
func.func @attention_c6(%q: tensor<1x1x4x8xf16>) {
  // expected-error @+1 {{expects '@alibi' to be an attn.mod of this module}}
  %o = attn.attention %q, %q, %q mod @alibi : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> tensor<1x1x4x8xf16>
  return
}

// -----

// attention_c6: captures that are missing.
attn.mod @alibi(%slopes: tensor<?xf32>)
func.func @attention_c6(%q: tensor<1x1x4x8xf16>) {
  // expected-error @+1 {{expects 1 captures for '@alibi', got 0}}
  %o = attn.attention %q, %q, %q mod @alibi : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>) -> tensor<1x1x4x8xf16>
  return
}

// -----

// attention_c6: a capture of another rank.
attn.mod @alibi(%slopes: tensor<?xf32>)
func.func @attention_c6(%q: tensor<1x1x4x8xf16>, %slopes: tensor<2x4xf32>) {
  // expected-error @+1 {{expects capture 'slopes' of '@alibi' to be 'tensor<?xf32>', got 'tensor<2x4xf32>'}}
  %o = attn.attention %q, %q, %q mod @alibi(%slopes) : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<2x4xf32>) -> tensor<1x1x4x8xf16>
  return
}

// -----

// attention_c6: a capture of another element type.
attn.mod @alibi(%slopes: tensor<?xf32>)
func.func @attention_c6(%q: tensor<1x1x4x8xf16>, %slopes: tensor<4xi32>) {
  // expected-error @+1 {{expects capture 'slopes' of '@alibi' to be 'tensor<?xf32>', got 'tensor<4xi32>'}}
  %o = attn.attention %q, %q, %q mod @alibi(%slopes) : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<4xi32>) -> tensor<1x1x4x8xf16>
  return
}

// -----

// attention_c6: captures of no mod.
func.func @attention_c6(%q: tensor<1x1x4x8xf16>, %slopes: tensor<4xf32>) {
  // expected-error @+1 {{expects no captures without a mod, got 1}}
  %o = "attn.attention"(%q, %q, %q, %slopes) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0>}> : (tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<4xf32>) -> tensor<1x1x4x8xf16>
  return
}

// -----

!t = tensor<2x4x8x64xf32>

// c7
func.func @offset_size(%q: !t, %n: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects 'query_offset' size 2 like 'query', got 3}}
  %o = attn.attention %q, %q, %q query_offset(%n) : (!t, !t, !t, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// c7
func.func @offset_type(%q: !t, %n: i64) -> !t {
  // expected-error @+1 {{operand #3 must be 32-bit signless integer or 1D tensor of 32-bit signless integer values, but got 'i64'}}
  %o = attn.attention %q, %q, %q query_offset(%n) : (!t, !t, !t, i64) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// c9
func.func @ragged_batch(%q: !t, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects 'query' batch size 1 with 'cu_q', got 2}}
  %o = attn.attention %q, %q, %q cu_q(%starts) : (!t, !t, !t, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!k = tensor<2x4x9x64xf32>

// c9
func.func @ragged_keys_batch(%q: !t, %k: !k, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects 'key' batch size 1 with 'cu_k', got 2}}
  %o = attn.attention %q, %k, %k cu_k(%starts) : (!t, !k, !k, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c9
func.func @no_starts(%q: !t, %starts: tensor<0xi32>) -> !t {
  // expected-error @+1 {{expects 'cu_q' of at least one start}}
  %o = attn.attention %q, %q, %q cu_q(%starts) : (!t, !t, !t, tensor<0xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c9
func.func @sequences(%q: !t, %m: tensor<3xi32>, %n: tensor<4xi32>) -> !t {
  // expected-error @+1 {{expects 'cu_k' number of sequences 2 like 'cu_q', got 3}}
  %o = attn.attention %q, %q, %q cu_q(%m) cu_k(%n) : (!t, !t, !t, tensor<3xi32>, tensor<4xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>
!k = tensor<4x4x8x64xf32>

// c9
func.func @sequences_of_a_batch(%q: !t, %k: !k, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects 'key' batch size 2 like 'cu_q', got 4}}
  %o = attn.attention %q, %k, %k cu_q(%starts) : (!t, !k, !k, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c7: one for each sequence, not for each batch.
func.func @offsets_of_sequences(%q: !t, %starts: tensor<3xi32>, %n: tensor<1xi32>) -> !t {
  // expected-error @+1 {{expects 'query_offset' size 2 like 'cu_q', got 1}}
  %o = attn.attention %q, %q, %q query_offset(%n) cu_q(%starts) cu_k(%starts)
    : (!t, !t, !t, tensor<1xi32>, tensor<3xi32>, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c10
func.func @packed_sequences(%q: !t, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects a schedule without 'pack' beside 'cu_q'}}
  %o = attn.attention %q, %q, %q cu_q(%starts) cu_k(%starts) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, pack>>}
    : (!t, !t, !t, tensor<3xi32>, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// c11
func.func @lengths_size(%q: !t, %n: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects 'lengths' size 2 like 'query', got 3}}
  %o = attn.attention %q, %q, %q lengths(%n) : (!t, !t, !t, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>

// c11
func.func @lengths_type(%q: !t, %n: i32) -> !t {
  // expected-error @+1 {{operand #3 must be 1D tensor of 32-bit signless integer values, but got 'i32'}}
  %o = attn.attention %q, %q, %q lengths(%n) : (!t, !t, !t, i32) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!k = tensor<9x4x16x64xf32>

// c12
func.func @pages_size(%q: !t, %k: !k, %p: tensor<3x5xi32>) -> !t {
  // expected-error @+1 {{expects 'pages' batch size 2 like 'query', got 3}}
  %o = attn.attention %q, %k, %k pages(%p) : (!t, !k, !k, tensor<3x5xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!k = tensor<9x4x16x64xf32>

// c12
func.func @page_count(%q: !t, %k: !k, %v: tensor<8x4x16x64xf32>, %p: tensor<2x5xi32>) -> !t {
  // expected-error @+1 {{expects 'value' page count 9 like 'key', got 8}}
  %o = attn.attention %q, %k, %v pages(%p) : (!t, !k, tensor<8x4x16x64xf32>, tensor<2x5xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!k = tensor<9x4x16x64xf32>

// c12
func.func @page_rows(%q: !t, %k: !k, %v: tensor<9x4x8x64xf32>, %p: tensor<2x5xi32>) -> !t {
  // expected-error @+1 {{expects 'value' page rows 16 like 'key', got 8}}
  %o = attn.attention %q, %k, %v pages(%p) : (!t, !k, tensor<9x4x8x64xf32>, tensor<2x5xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<2x4x8x64xf32>
!k = tensor<9x4x16x64xf32>

// c3: without pages the batch sizes are one.
func.func @no_pages(%q: !t, %k: !k) -> !t {
  // expected-error @+1 {{expects 'key' batch size 2 like 'query', got 9}}
  %o = attn.attention %q, %k, %k : (!t, !k, !k) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c10
func.func @shares_of_sequences(%q: !t, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects a schedule without 'shares' beside 'cu_q' or 'cu_k'}}
  %o = attn.attention %q, %q, %q cu_q(%starts) cu_k(%starts) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>>}
    : (!t, !t, !t, tensor<3xi32>, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x8x64xf32>

// c10
func.func @shares_of_a_variant(%q: !t, %starts: tensor<3xi32>) -> !t {
  // expected-error @+1 {{expects a schedule without 'shares' beside 'cu_q' or 'cu_k'}}
  %o = attn.attention %q, %q, %q cu_q(%starts) cu_k(%starts) {variants = #attn.variants<[<always -> <tiling = <q = 16, kv = 32, shares>>>]>}
    : (!t, !t, !t, tensor<3xi32>, tensor<3xi32>) -> !t
  return %o : !t
}

// -----

//===-- C13: invariant ------------------------------------------------------===//

!q = tensor<1x1x4x8xf32>
// attention_c13: even shares.
func.func @attention_c13(%q: !q) {
  // expected-error @+1 {{expects a schedule without 'shares' where it is 'invariant'}}
  %o = attn.attention %q, %q, %q {invariant, schedule = #attn.schedule<tiling = <q = 16, kv = 32, shares>>} : (!q, !q, !q) -> !q
  return
}

// -----

!q = tensor<1x1x4x8xbf16>
// attention_c13: copies of the next sequence's queries.
func.func @attention_c13(%q: !q, %s: tensor<2xi32>) {
  // expected-error @+1 {{expects a schedule without producers where it is 'invariant' and has 'cu_q'}}
  %o = attn.attention %q, %q, %q cu_q(%s) cu_k(%s) {invariant, schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} : (!q, !q, !q, tensor<2xi32>, tensor<2xi32>) -> !q
  return
}

// -----

!q = tensor<1x1x4x8xbf16>
// attention_c13: a guard that asks for the batch.
func.func @attention_c13(%q: !q) {
  // expected-error @+1 {{expects no guard 'few_tasks' where it is 'invariant'}}
  %o = attn.attention %q, %q, %q {invariant, variants = #attn.variants<[<aligned and few_tasks(64) -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>>, <always -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>>]>} : (!q, !q, !q) -> !q
  return
}

// -----

// attention_c10: chunks.
func.func @attention_c10(%q: tensor<1x1x4x8xf32>, %s: tensor<2xi32>) {
  // expected-error @+1 {{expects a schedule without 'chunk' beside 'cu_q' or 'cu_k'}}
  %o = attn.attention %q, %q, %q cu_q(%s) cu_k(%s) {schedule = #attn.schedule<tiling = <q = 16, kv = 32, chunk = 2>>}
    : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<2xi32>, tensor<2xi32>) -> tensor<1x1x4x8xf32>
  return
}
