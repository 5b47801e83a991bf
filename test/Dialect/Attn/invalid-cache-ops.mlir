// RUN: attn-opt %s --split-input-file --verify-diagnostics

//===-- attn.merge ----------------------------------------------------------===//

// merge_c1: no part.
func.func @merge_c1() -> tensor<1x1x4x8xf32> {
  // expected-error @+1 {{expects 1 to 16 parts, got 0}}
  %o = attn.merge() lses() : () -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// merge_c1: an LSE for each.
func.func @merge_c1(%a: tensor<1x1x4x8xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32> {
  // expected-error @+1 {{expects 2 LSEs for as many parts, got 1}}
  %o = attn.merge(%a, %a) lses(%l) : (tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// merge_c2: rank.
func.func @merge_c2(%a: tensor<1x4x8xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32> {
  // expected-error @+1 {{expects 'outs' of rank 4, got rank 3}}
  %o = attn.merge(%a) lses(%l) : (tensor<1x4x8xf32>, tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// merge_c2: one element type.
func.func @merge_c2(%a: tensor<1x1x4x8xf16>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32> {
  // expected-error @+1 {{expects 'outs' elements 'f32' like 'out', got 'f16'}}
  %o = attn.merge(%a) lses(%l) : (tensor<1x1x4x8xf16>, tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// merge_c2: a static channel dimension.
func.func @merge_c2(%a: tensor<1x1x4x?xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x?xf32> {
  // expected-error @+1 {{expects 'out' to have a static value dimension}}
  %o = attn.merge(%a) lses(%l) : (tensor<1x1x4x?xf32>, tensor<1x1x4xf32>) -> tensor<1x1x4x?xf32>
  return %o : tensor<1x1x4x?xf32>
}

// -----

// merge_c2: sizes that agree.
func.func @merge_c2(%a: tensor<1x1x4x8xf32>, %b: tensor<1x1x5x8xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32> {
  // expected-error @+1 {{expects 'outs' length 4 like 'out', got 5}}
  %o = attn.merge(%a, %b) lses(%l, %l) : (tensor<1x1x4x8xf32>, tensor<1x1x5x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>) -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// merge_c3: LSEs of its rows.
func.func @merge_c3(%a: tensor<1x2x4x8xf32>, %l: tensor<1x1x4xf32>) -> tensor<1x2x4x8xf32> {
  // expected-error @+1 {{expects 'lses' head count 2 like 'out', got 1}}
  %o = attn.merge(%a) lses(%l) : (tensor<1x2x4x8xf32>, tensor<1x1x4xf32>) -> tensor<1x2x4x8xf32>
  return %o : tensor<1x2x4x8xf32>
}

// -----

// merge_c3: the result's.
func.func @merge_c3(%a: tensor<1x2x4x8xf32>, %l: tensor<1x2x4xf32>) -> tensor<1x2x4x8xf32> {
  // expected-error @+1 {{expects 'lse' of rank 3, got rank 2}}
  %o, %m = attn.merge(%a) lses(%l) : (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x4xf32>)
  return %o : tensor<1x2x4x8xf32>
}

// -----

// merge_c4: one for each head.
func.func @merge_c4(%a: tensor<1x2x4x8xf32>, %l: tensor<1x2x4xf32>, %s: tensor<3xf32>) -> tensor<1x2x4x8xf32> {
  // expected-error @+1 {{expects 'sink' size 2 like 'out', got 3}}
  %o = attn.merge(%a) lses(%l) sink(%s) : (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>, tensor<3xf32>) -> tensor<1x2x4x8xf32>
  return %o : tensor<1x2x4x8xf32>
}

// -----

//===-- attn.append ---------------------------------------------------------===//

!c = tensor<3x2x9x8xf32>
// append_c1: element types.
func.func @append_c1(%k: tensor<3x2x1x8xf32>, %v: tensor<3x2x1x8xf16>, %c: !c, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'new_value' elements 'f32' like 'new_key', got 'f16'}}
  %a:2 = attn.append %k, %v to %c, %c lengths(%n) : (tensor<3x2x1x8xf32>, tensor<3x2x1x8xf16>, !c, !c, tensor<3xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c2: channels.
func.func @append_c2(%k: tensor<3x2x1x8xf32>, %v: tensor<3x2x1x4xf32>, %c: !c, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'value' value dimension 4 like 'new_value', got 8}}
  %a:2 = attn.append %k, %v to %c, %c lengths(%n) : (tensor<3x2x1x8xf32>, tensor<3x2x1x4xf32>, !c, !c, tensor<3xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c2: heads.
func.func @append_c2(%k: tensor<3x4x1x8xf32>, %c: !c, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'key' head count 4 like 'new_key', got 2}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) : (tensor<3x4x1x8xf32>, tensor<3x4x1x8xf32>, !c, !c, tensor<3xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c2: as many rows of key and value.
func.func @append_c2(%k: tensor<3x2x1x8xf32>, %v: tensor<3x2x2x8xf32>, %c: !c, %n: tensor<3xi32>) {
  // expected-error @+1 {{expects 'new_value' length 1 like 'new_key', got 2}}
  %a:2 = attn.append %k, %v to %c, %c lengths(%n) : (tensor<3x2x1x8xf32>, tensor<3x2x2x8xf32>, !c, !c, tensor<3xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c3: lengths of all sequences.
func.func @append_c3(%k: tensor<3x2x1x8xf32>, %c: !c, %n: tensor<2xi32>) {
  // expected-error @+1 {{expects 'lengths' size 3 like 'new_key', got 2}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) : (tensor<3x2x1x8xf32>, tensor<3x2x1x8xf32>, !c, !c, tensor<2xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c4: room for all sequences.
func.func @append_c4(%k: tensor<4x2x1x8xf32>, %c: !c, %n: tensor<4xi32>) {
  // expected-error @+1 {{expects 'key' batch size 4 like 'new_key', got 3}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) : (tensor<4x2x1x8xf32>, tensor<4x2x1x8xf32>, !c, !c, tensor<4xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c4: a row of the table for each sequence.
func.func @append_c4(%k: tensor<4x2x1x8xf32>, %c: !c, %n: tensor<4xi32>, %p: tensor<3x5xi32>) {
  // expected-error @+1 {{expects 'pages' batch size 4 like 'new_key', got 3}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) pages(%p) : (tensor<4x2x1x8xf32>, tensor<4x2x1x8xf32>, !c, !c, tensor<4xi32>, tensor<3x5xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c5: a batch of one with starts.
func.func @append_c5(%k: tensor<3x2x1x8xf32>, %c: !c, %n: tensor<3xi32>, %s: tensor<4xi32>) {
  // expected-error @+1 {{expects 'new_key' batch size 1 with 'starts', got 3}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) starts(%s) : (tensor<3x2x1x8xf32>, tensor<3x2x1x8xf32>, !c, !c, tensor<3xi32>, tensor<4xi32>) -> (!c, !c)
  return
}

// -----

!c = tensor<3x2x9x8xf32>
// append_c3: as many as there are sequences between starts.
func.func @append_c3(%k: tensor<1x2x7x8xf32>, %c: !c, %n: tensor<3xi32>, %s: tensor<5xi32>) {
  // expected-error @+1 {{expects 'lengths' size 4 like 'starts', got 3}}
  %a:2 = attn.append %k, %k to %c, %c lengths(%n) starts(%s) : (tensor<1x2x7x8xf32>, tensor<1x2x7x8xf32>, !c, !c, tensor<3xi32>, tensor<5xi32>) -> (!c, !c)
  return
}
