// RUN: attn-opt %s --split-input-file --verify-diagnostics

//===-- attn.mod: text ------------------------------------------------------===//

// A capture needs a type.
// expected-error @+1 {{expected ':'}}
attn.mod @text(%a) mask() {}

// -----

// A program needs a body.
// expected-error @+1 {{expects 'mask' to have a body}}
attn.mod @text mask() {}

// -----

// mod_c1: a capture named like an argument of a program which is there.
// expected-note @+1 {{previously referenced here}}
attn.mod @c1(%q: i32)
  // expected-error @+1 {{region entry argument '%q' is already in use}}
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant true
    attn.yield %keep : i1
  }

// -----

//===-- attn.mod: C1, captures ----------------------------------------------===//

// mod_c1: a name like an argument's.
// expected-error @+1 {{expects no capture to be named 'kv' like an argument}}
attn.mod @c1(%kv: i32)

// -----

// mod_c1: one name twice.
// expected-error @+1 {{expects distinct capture names, got 'a' twice}}
attn.mod @c1(%a: i32, %a: f32)

// -----

// mod_c1: what could not be read back.
// expected-error @+1 {{expects a capture name to be an identifier, got 'a b'}}
"attn.mod"() ({}, {}, {}) {sym_name = "c1", capture_names = ["a b"], capture_types = [i32]} : () -> ()

// -----

// mod_c1: a name for each type.
// expected-error @+1 {{expects 1 capture names, got 2}}
"attn.mod"() ({}, {}, {}) {sym_name = "c1", capture_names = ["x", "y"], capture_types = [i32]} : () -> ()

// -----

// mod_c1: a dictionary for each type.
// expected-error @+1 {{expects 1 dictionaries of capture attributes, got 0}}
"attn.mod"() ({}, {}, {}) {sym_name = "c1", capture_names = ["x"], capture_types = [i32], capture_attrs = []} : () -> ()

// -----

// mod_c1: a scalar of another type.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'f64'}}
attn.mod @c1(%a: f64)

// -----

// mod_c1: positions are i32; an index has no size in memory.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'index'}}
attn.mod @c1(%a: index)

// -----

// mod_c1: an integer of an odd width.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'tensor<?xi24>'}}
attn.mod @c1(%a: tensor<?xi24>)

// -----

// mod_c1: unsigned bytes are an i8 that the program extends.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'tensor<?xui8>': unsigned integers are captured as signless ones}}
attn.mod @c1(%a: tensor<?xui8>)

// -----

// mod_c1: a tensor of another type.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'tensor<4xf64>'}}
attn.mod @c1(%a: tensor<4xf64>)

// -----

// mod_c1: memory is no value.
// expected-error @+1 {{expects capture 'a' to be a scalar or a tensor of f32, bf16, f16, i64, i32, i16, i8 or i1, got 'memref<4xf32>'}}
attn.mod @c1(%a: memref<4xf32>)

// -----

//===-- attn.mod: C2 to C4, arguments and results ---------------------------===//

// mod_c2: the generic form can take other captures than it declares.
// expected-error @+1 {{expects the mask program to begin with the captures ('f32'), got ('i32', 'i32', 'i32', 'i32', 'i32')}}
"attn.mod"() ({}, {
^bb0(%a: i32, %b: i32, %h: i32, %q: i32, %kv: i32):
  %keep = arith.constant true
  attn.yield %keep : i1
}, {}) {sym_name = "c2", capture_names = ["a"], capture_types = [f32]} : () -> ()

// -----

// mod_c3: too few arguments.
// expected-error @+1 {{expects the score program to take ('f32', 'i32', 'i32', 'i32', 'i32'), got ('f32', 'i32')}}
attn.mod @c3
  score(%s: f32, %q: i32) {
    attn.yield %s : f32
  }

// -----

// mod_c3: an argument of another type.
// expected-error @+1 {{expects the score program to take ('f32', 'i32', 'i32', 'i32', 'i32'), got ('f32', 'i32', 'i32', 'i64', 'i32')}}
attn.mod @c3
  score(%s: f32, %b: i32, %h: i32, %q: i64, %kv: i32) {
    attn.yield %s : f32
  }

// -----

// mod_c3: a score is no condition.
attn.mod @c3
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant true
    // expected-error @+1 {{expects the score program to yield 'f32', got 'i1'}}
    attn.yield %keep : i1
  }

// -----

// mod_c4: an argument too many.
// expected-error @+1 {{expects the mask program to take ('i32', 'i32', 'i32', 'i32'), got ('f32', 'i32', 'i32', 'i32', 'i32')}}
attn.mod @c4
  mask(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.constant true
    attn.yield %keep : i1
  }

// -----

// mod_c4: a condition is no score.
attn.mod @c4
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.constant 1.0 : f32
    // expected-error @+1 {{expects the mask program to yield 'i1', got 'f32'}}
    attn.yield %x : f32
  }

// -----

// mod_c4: a position is no condition.
attn.mod @c4
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects the mask program to yield 'i1', got 'i32'}}
    attn.yield %q : i32
  }

// -----

// attn.yield belongs to attn.mod and attn.fill.
func.func @yield(%x: f32) {
  // expected-error @+1 {{expects parent op to be one of 'attn.mod, attn.fill'}}
  attn.yield %x : f32
}

// -----

//===-- attn.mod: C5, what programs hold ------------------------------------===//

// mod_c5: a side effect, in a branch.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %near = arith.cmpi sge, %q, %kv : i32
    scf.if %near {
      // expected-error @+1 {{'memref.alloc' op is not allowed in a mod: expects arith, math, attn.load, attn.apply_score, attn.apply_mask and scf.if}}
      %m = memref.alloc() : memref<1xf32>
    }
    attn.yield %s : f32
  }

// -----

// mod_c5: a loop.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %n = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error @+1 {{'scf.for' op is not allowed in a mod}}
    scf.for %i = %c0 to %n step %c1 {
    }
    attn.yield %s : f32
  }

// -----

// mod_c5: a tensor made in a program.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{'arith.constant' op result of type 'tensor<2xf32>' is not allowed in a mod: expects f32, bf16, f16, i64, i32, i16, i8 or i1, or index}}
    %t = arith.constant dense<1.0> : tensor<2xf32>
    attn.yield %s : f32
  }

// -----

// mod_c5: of arith and math what docs/Mods.md lists.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{'arith.scaling_truncf' op is not allowed in a mod: expects the operations of arith and math in docs/Mods.md}}
    %t = arith.scaling_truncf %s, %s : f32, f32 to bf16
    attn.yield %s : f32
  }

// -----

// mod_c5: one way to round.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %fine = arith.truncf %s to_nearest_even : f32 to bf16
    // expected-error @+1 {{'arith.truncf' op in a mod expects to round with 'to_nearest_even', got 'upward'}}
    %t = arith.truncf %s upward : f32 to bf16
    attn.yield %s : f32
  }

// -----

// mod_c5: f64 has no place on a GPU.
attn.mod @c5
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{'arith.extf' op result of type 'f64' is not allowed in a mod}}
    %t = arith.extf %s : f32 to f64
    attn.yield %s : f32
  }

// -----

//===-- attn.mod: C6, how the bench makes data ------------------------------===//

// mod_c6: one entry for each dimension.
// expected-error @+1 {{expects 'attn.shape' of capture 'a' to have one entry for each dimension of 'tensor<?x?xf32>', got ["heads"]}}
attn.mod @c6(%a: tensor<?x?xf32> {attn.shape = ["heads"]})

// -----

// mod_c6: a scalar has no shape.
// expected-error @+1 {{expects 'attn.shape' of capture 'a' to have one entry for each dimension of 'f32', got []}}
attn.mod @c6(%a: f32 {attn.shape = []})

// -----

// mod_c6: a size that nobody knows.
// expected-error @+1 {{expects 'attn.shape' of capture 'a' to hold positive sizes, or expressions of batch, heads, kv_heads, queries, keys, sequences, got "tokens": expects an integer or one of batch, heads, kv_heads, queries, keys, sequences, got 'tokens'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["tokens"]})

// -----

// mod_c6: expressions that end too soon, or too late.
// expected-error @+1 {{got "keys * ": expects an integer or one of batch, heads, kv_heads, queries, keys, sequences, got the end}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["keys * "]})

// -----

// expected-error @+1 {{got "": expects an integer or one of batch, heads, kv_heads, queries, keys, sequences, got the end}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = [""]})

// -----

// expected-error @+1 {{got "keys queries": expects an operator, got 'queries'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["keys queries"]})

// -----

// expected-error @+1 {{got "(keys + 1": expects ')', got the end}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["(keys + 1"]})

// -----

// expected-error @+1 {{got "keysceildiv 2": expects an integer or one of batch, heads, kv_heads, queries, keys, sequences, got 'keysceildiv 2'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["keysceildiv 2"]})

// -----

// expected-error @+1 {{got "99999999999999999999": expects an integer of 64 bits, got '9999999999999999'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["99999999999999999999"]})

// -----

// expected-error @+1 {{expects less nesting}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((keys))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"]})

// -----

// mod_c6: no elements.
// expected-error @+1 {{expects 'attn.shape' of capture 'a' to hold positive sizes, or expressions of batch, heads, kv_heads, queries, keys, sequences, got 0 : i64}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = [0]})

// -----

// mod_c6: a size other than the type's.
// expected-error @+1 {{expects 'attn.shape' of capture 'a' to agree with 'tensor<4xf32>', got 5 : i64}}
attn.mod @c6(%a: tensor<4xf32> {attn.shape = [5]})

// -----

// mod_c6: a tensor's data is made.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to be the symbol of an attn.fill or a function, got 1.000000e+00 : f32}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["heads"], attn.data = 1.0 : f32})

// -----

// mod_c6: a scalar's data is its value.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to be a value of type 'i32', an expression of sizes or the symbol of an attn.fill, got 1.000000e+00 : f32}}
attn.mod @c6(%a: i32 {attn.data = 1.0 : f32})

// -----

// mod_c6: a scalar's expression.
// expected-error @+1 {{got "queries +": expects an integer or one of batch, heads, kv_heads, queries, keys, sequences, got the end}}
attn.mod @c6(%a: i32 {attn.data = "queries +"})

// -----

// mod_c6: a fill has an index for each dimension.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to name an attn.fill with 2 indices, got 1}}
attn.mod @c6(%a: tensor<?x?xf32> {attn.shape = ["heads", "keys"], attn.data = @fill})
attn.fill @fill(%i: i32) {
  %x = arith.sitofp %i : i32 to f32
  attn.yield %x : f32
}

// -----

// mod_c6: a scalar's fill has none.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to name an attn.fill with 0 indices, got 1}}
attn.mod @c6(%a: i32 {attn.data = @fill})
attn.fill @fill(%i: i32) {
  attn.yield %i : i32
}

// -----

// mod_c6: a fill of another type.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to name an attn.fill of 'f32', got 'i32'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["heads"], attn.data = @fill})
attn.fill @fill(%i: i32) {
  attn.yield %i : i32
}

// -----

// mod_c6: data without a shape.
// expected-error @+1 {{expects 'attn.shape' of capture 'a', whose data is made}}
attn.mod @c6(%a: tensor<?xf32> {attn.data = @data})

// -----

// mod_c6: no such function.
// expected-error @+1 {{expects 'attn.data' of capture 'a' to name an attn.fill or a function of type '(memref<?xf32>, index, index, index, index, index, index) -> ()', got '@data', which is neither}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["heads"], attn.data = @data})

// -----

// mod_c6: a function without a body.
// expected-error @+1 {{got '@data', which has no body}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["heads"], attn.data = @data})
func.func private @data(memref<?xf32>, index, index, index, index, index, index)

// -----

// mod_c6: a function of another type.
// expected-error @+1 {{got '(memref<?xi32>) -> ()'}}
attn.mod @c6(%a: tensor<?xf32> {attn.shape = ["heads"], attn.data = @data})
func.func @data(%table: memref<?xi32>) {
  return
}

// -----

//===-- attn.mod: C7, circles -----------------------------------------------===//

// mod_c7: a mod that applies itself.
// expected-error @+1 {{expects mods not to apply each other in a circle}}
attn.mod @c7
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.apply_mask @c7[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }

// -----

// mod_c7: two mods, in a branch of one.
// expected-error @+1 {{expects mods not to apply each other in a circle}}
attn.mod @c7
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %near = arith.cmpi sge, %q, %kv : i32
    %t = scf.if %near -> f32 {
      %x = attn.apply_score @other[%s, %b, %h, %q, %kv]
      scf.yield %x : f32
    } else {
      scf.yield %s : f32
    }
    attn.yield %t : f32
  }
attn.mod @other
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %t = attn.apply_score @c7[%s, %b, %h, %q, %kv]
    attn.yield %t : f32
  }

// -----

//===-- attn.apply_score, attn.apply_mask -----------------------------------===//

// A mod that is not there.
attn.mod @apply
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects '@nothing' to be an attn.mod of this module}}
    %keep = attn.apply_mask @nothing[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }

// -----

// A symbol that is no mod.
func.func @function() {
  return
}
attn.mod @apply
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects '@function' to be an attn.mod of this module}}
    %t = attn.apply_score @function[%s, %b, %h, %q, %kv]
    attn.yield %t : f32
  }

// -----

// Captures that are missing.
attn.mod @window(%size: i32)
attn.mod @apply
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects 1 captures for '@window', got 0}}
    %keep = attn.apply_mask @window[%b, %h, %q, %kv]
    attn.yield %keep : i1
  }

// -----

// A capture of another type.
attn.mod @window(%size: i32)
attn.mod @apply
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects capture 'size' of '@window' to be 'i32', got 'f32'}}
    %t = attn.apply_score @window(%s)[%s, %b, %h, %q, %kv] : f32
    attn.yield %t : f32
  }

// -----

//===-- attn.load -----------------------------------------------------------===//

// load_c1: an index for each dimension.
attn.mod @load(%table: tensor<4x8xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{expects 2 indices for a table of rank 2, got 1}}
    %t = attn.load %table[%h] : tensor<4x8xf32>
    attn.yield %t : f32
  }

// -----

// load_c2: behind the end.
attn.mod @load(%table: tensor<4xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = arith.constant 4 : i32
    // expected-error @+1 {{expects an index below 4, got 4}}
    %t = attn.load %table[%i] : tensor<4xf32>
    attn.yield %t : f32
  }

// -----

// load_c2: before the start, of a table of any size.
attn.mod @load(%table: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = arith.constant -1 : i32
    // expected-error @+1 {{expects an index of at least 0, got -1}}
    %t = attn.load %table[%i] : tensor<?xf32>
    attn.yield %t : f32
  }

// -----

// A result of another type cannot be written down, but in the generic form.
attn.mod @load(%table: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    // expected-error @+1 {{failed to verify that result type matches the table's element type}}
    %t = "attn.load"(%table, %h) : (tensor<?xf32>, i32) -> i32
    attn.yield %s : f32
  }
