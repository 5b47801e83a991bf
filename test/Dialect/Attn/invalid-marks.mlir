// RUN: attn-opt %s --split-input-file --verify-diagnostics

func.func @exact(%x: f32) -> f32 {
  // expected-error @+1 {{'arith.addf' op expects 'attn.exact' to be a mark without a value}}
  %y = arith.addf %x, %x {attn.exact = 1} : f32
  return %y : f32
}

// -----

func.func @total(%x: i32) -> i32 {
  // expected-error @+1 {{'arith.divsi' op expects 'attn.total' to be a mark without a value}}
  %y = arith.divsi %x, %x {attn.total = "yes"} : i32
  return %y : i32
}

// -----

// What the bits of positions rely on is a sum.
func.func @position(%x: i32) -> i32 {
  // expected-error @+1 {{'arith.muli' op expects 'attn.position' to be the mark of a sum of i32}}
  %y = arith.muli %x, %x {attn.position} : i32
  return %y : i32
}

// -----

func.func @wide_position(%x: i64) -> i64 {
  // expected-error @+1 {{'arith.addi' op expects 'attn.position' to be the mark of a sum of i32}}
  %y = arith.addi %x, %x {attn.position} : i64
  return %y : i64
}
