// RUN: attn-opt %s --split-input-file --verify-diagnostics
// The negative tests of attn.fill and attn.size.

// fill_c1: an index of another type.
// expected-error @+1 {{expects indices of type 'i32', got 'index'}}
attn.fill @fill(%i: index) {
  %x = arith.constant 1.0 : f32
  attn.yield %x : f32
}

// -----

// fill_c2: memory.
attn.fill @fill(%i: i32) {
  // expected-error @+1 {{'memref.alloc' op is not allowed in a fill: expects arith, math, attn.size, scf.if, scf.for and scf.while}}
  %m = memref.alloc() : memref<4xi32>
  attn.yield %i : i32
}

// -----

// fill_c2: no scalar.
attn.fill @fill(%i: i32) {
  // expected-error @+1 {{'arith.constant' op result of type 'vector<2xf32>' is not allowed in a fill: expects f32, bf16, f16, i64, i32, i16, i8 or i1, f64 or index}}
  %v = arith.constant dense<1.0> : vector<2xf32>
  attn.yield %i : i32
}

// -----

// An element of a type that nobody captures.
attn.fill @fill(%i: i32) {
  %x = arith.sitofp %i : i32 to f64
  // expected-error @+1 {{operand #0 must be 32-bit float or bfloat16 type or 16-bit float or 64-bit signless integer or 32-bit signless integer or 16-bit signless integer or 8-bit signless integer or 1-bit signless integer, but got 'f64'}}
  attn.yield %x : f64
}

// -----

// Without an element.
// expected-error @+1 {{expects a body}}
attn.fill @fill {}

// -----

// expected-error @+1 {{expects a non-empty block}}
attn.fill @fill(%i: i32) {}

// -----

// An end that hands nothing on.
// expected-error @+1 {{expects to end with 'attn.yield'}}
attn.fill @fill(%i: i32) {
  llvm.unreachable
}

// -----

// A mod's program does not see the sizes.
attn.mod @size
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects to be inside of an 'attn.fill'}}
    %n = attn.size "keys" : i32
    %keep = arith.cmpi slt, %kv, %n : i32
    attn.yield %keep : i1
  }

// -----

// size_c1: it belongs to attn.fill.
func.func @size() -> i32 {
  // expected-error @+1 {{expects to be inside of an 'attn.fill'}}
  %n = attn.size "keys" : i32
  return %n : i32
}

// -----

// size_c2: no expression.
attn.fill @fill {
  // expected-error @+1 {{expects an expression of sizes, got "keys %": expects an operator, got '%'}}
  %n = attn.size "keys %" : i32
  attn.yield %n : i32
}
