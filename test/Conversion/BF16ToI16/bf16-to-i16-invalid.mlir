// RUN: attn-opt %s --bf16-to-i16 --split-input-file --verify-diagnostics

func.func @sum(%a: bf16, %b: bf16) -> bf16 {
  // expected-error @+1 {{'arith.addf' op expects numbers of bf16 to be computed in f32}}
  %c = arith.addf %a, %b : bf16
  return %c : bf16
}

// -----

func.func @widened(%a: vector<4xbf16>) -> vector<4xf32> {
  // expected-error @+1 {{'arith.extf' op expects numbers of bf16 to be computed in f32}}
  %c = arith.extf %a : vector<4xbf16> to vector<4xf32>
  return %c : vector<4xf32>
}

// -----

func.func @fused(%a: vector<4xbf16>) -> vector<4xbf16> {
  // expected-error @+1 {{'vector.fma' op expects numbers of bf16 to be computed in f32}}
  %c = vector.fma %a, %a, %a : vector<4xbf16>
  return %c : vector<4xbf16>
}
