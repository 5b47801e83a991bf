// What attn-to-tile-lists expects of its input, each said at its place.
//
// RUN: attn-opt %s --attn-to-tile-lists --split-input-file --verify-diagnostics

!t = tensor<?x?x?x16xf32>
func.func @no_schedule(%q: !t) -> !t {
  // expected-error@+1 {{expects a schedule: run attn-select-schedule first}}
  %o = attn.attention %q, %q, %q : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x16xf32>
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @applied
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error@+1 {{expects to be inlined: run attn-inline-mods first}}
    %keep = attn.apply_mask @causal[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }
func.func @not_inlined(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q mod @applied
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o : !t
}

// -----

!t = tensor<?x?x?x16xf32>
func.func @nested(%q: !t, %c: i1) -> !t {
  %r = scf.if %c -> !t {
    // expected-error@+1 {{expects to be directly inside a function}}
    %o = attn.attention %q, %q, %q
      {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
    scf.yield %o : !t
  } else {
    scf.yield %q : !t
  }
  return %r : !t
}

// -----

// The functions that find tiles have the function's name: it has one attention.

!t = tensor<?x?x?x16xf32>
func.func @two(%q: !t) -> (!t, !t) {
  // expected-error@+1 {{expects a function that holds nothing else and returns its results}}
  %o = attn.attention %q, %q, %q
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  %p = attn.attention %q, %q, %q
    {schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} : (!t, !t, !t) -> !t
  return %o, %p : !t, !t
}
