// RUN: attn-opt %s --attn-to-flash --split-input-file --verify-diagnostics

!t = tensor<?x?x?x64xf32>
attn.mod @bias(%x: tensor<?xf32>, %y: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %v = attn.load %x[%h] : tensor<?xf32>
    %w = attn.load %y[%h] : tensor<?xf32>
    %r = arith.addf %v, %w : f32
    attn.yield %r : f32
  }
// The first capture has the number that the second would have.
func.func @same(%q: !t, %x: tensor<?xf32> {attn.role = #attn.role<capture number 1>}, %y: tensor<?xf32>) -> !t {
  // expected-error @+1 {{expects captures whose arguments have no role, or each another one as a capture, got #attn.role<capture number 1>}}
  %o = attn.attention %q, %q, %q mod @bias(%x, %y)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t, tensor<?xf32>, tensor<?xf32>) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x64xf32>
attn.mod @bias(%x: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %r = arith.addf %s, %x : f32
    attn.yield %r : f32
  }
func.func @other(%q: !t, %x: f32 {attn.role = #attn.role<scale>}) -> !t {
  // expected-error @+1 {{expects captures whose arguments have no role, or each another one as a capture, got #attn.role<scale>}}
  %o = attn.attention %q, %q, %q mod @bias(%x)
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t, f32) -> !t
  return %o : !t
}
