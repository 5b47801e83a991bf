// Layers of attentions among other operations, run by the CPU's pipeline and, as a whole,
// by the oracle.
// RUN: attn-opt %s --attn-cpu-pipeline | attn-translate --attn-to-object -o %t.o
// RUN: c++ %S/Inputs/run-main.cpp %t.o -Wl,--wrap=malloc,--wrap=free -o %t.program %runner_libs -lm
// RUN: %t.program > %t.kernels
// RUN: attn-opt %s --attn-mods-pipeline --attn-to-linalg="precision=f32" %linalg_to_llvm | %run_main > %t.oracle
// RUN: python3 %S/../Inputs/same_memrefs.py %t.kernels %t.oracle 1e-4

!x = tensor<?x4x?x16xf32>
!kv = tensor<?x2x?x16xf32>
!l = tensor<?x4x?xf32>
!m = tensor<16x16xf32>

attn.mod @window(%size: i32) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %past = arith.cmpi sge, %q, %kv : i32
  %d = arith.subi %q, %kv : i32
  %near = arith.cmpi slt, %d, %size : i32
  %keep = arith.andi %past, %near : i1
  attn.yield %keep : i1
}
attn.mod @alibi(%slopes: tensor<?xf32>) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %m = attn.load %slopes[%h] : tensor<?xf32>
  %d = arith.subi %kv, %q : i32
  %f = arith.sitofp %d : i32 to f32
  %y = arith.mulf %f, %m : f32
  %t = arith.addf %s, %y : f32
  attn.yield %t : f32
} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
// Not one run of tiles, by flags and a table of 16 bits.
attn.mod @documents(%ids: tensor<?x?xi32>, %seen: tensor<?xi1>, %bias: tensor<?xbf16>)
    score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %x = attn.load %bias[%h] : tensor<?xbf16>
  %y = arith.extf %x : bf16 to f32
  %t = arith.addf %s, %y : f32
  attn.yield %t : f32
} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %i = attn.load %ids[%b, %q] : tensor<?x?xi32>
  %j = attn.load %ids[%b, %kv] : tensor<?x?xi32>
  %same = arith.cmpi eq, %i, %j : i32
  %visible = attn.load %seen[%kv] : tensor<?xi1>
  %keep = arith.andi %same, %visible : i1
  attn.yield %keep : i1
}

func.func private @printMemrefF32(%t: tensor<*xf32>)
func.func @show(%t: !x) {
  %u = tensor.cast %t : !x to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}

// x times a matrix.
func.func @project(%x: !x, %w: !m) -> !x {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : !x
  %s = tensor.dim %x, %c2 : !x
  %e = tensor.empty(%b, %s) : !x
  %z = linalg.fill ins(%zero : f32) outs(%e : !x) -> !x
  %y = linalg.contract indexing_maps = [affine_map<(b, h, s, d, e) -> (b, h, s, e)>,
      affine_map<(b, h, s, d, e) -> (e, d)>, affine_map<(b, h, s, d, e) -> (b, h, s, d)>]
    ins(%x, %w : !x, !m) outs(%z : !x) -> !x
  return %y : !x
}

// A local attention, a projection, the sum with the input, a global attention of that.
func.func @layer(%x: !x, %k: !kv, %v: !kv, %w: !m, %slopes: tensor<?xf32>, %size: i32) -> (!x, !l) {
  %near = attn.attention %x, %k, %v mod @window(%size) : (!x, !kv, !kv, i32) -> !x
  %p = func.call @project(%near, %w) : (!x, !m) -> !x
  %r = arith.addf %p, %x : !x
  %far, %lse = attn.attention %r, %k, %v mod @alibi(%slopes) : (!x, !kv, !kv, tensor<?xf32>) -> (!x, !l)
  return %far, %lse : !x, !l
}

// The gradients of two attentions, of which the second has a part in those of the first.
func.func @backward(%x: !x, %k: !kv, %v: !kv, %slopes: tensor<?xf32>, %size: i32, %do: !x)
    -> (!x, !kv, !kv, tensor<?xf32>) {
  %o, %l = attn.attention %x, %k, %v mod @alibi(%slopes) : (!x, !kv, !kv, tensor<?xf32>) -> (!x, !l)
  %p, %m = attn.attention %o, %k, %v mod @window(%size) : (!x, !kv, !kv, i32) -> (!x, !l)
  %dp:3 = attn.attention_backward %o, %k, %v, %p, %m, %do mod @window(%size)
    : (!x, !kv, !kv, !x, !l, !x, i32) -> (!x, !kv, !kv)
  %d:4 = attn.attention_backward %x, %k, %v, %o, %l, %dp#0 mod @alibi(%slopes) {wrt = array<i64: 0>}
    : (!x, !kv, !kv, !x, !l, !x, tensor<?xf32>) -> (!x, !kv, !kv, tensor<?xf32>)
  %dk = arith.addf %dp#1, %d#1 : !kv
  %dv = arith.addf %dp#2, %d#2 : !kv
  return %d#0, %dk, %dv, %d#3 : !x, !kv, !kv, tensor<?xf32>
}

// In a branch, with captures of other types, of rows that are not contiguous.
func.func @documents_if(%c: i1, %x: tensor<?x4x?x32xf32>, %k: !kv, %v: !kv, %ids: tensor<?x?xi32>,
                        %seen: tensor<?xi1>, %bias: tensor<?xbf16>) -> !x {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %x, %c0 : tensor<?x4x?x32xf32>
  %s = tensor.dim %x, %c2 : tensor<?x4x?x32xf32>
  %q = tensor.extract_slice %x[0, 0, 0, 1] [%b, 4, %s, 16] [1, 1, 1, 2] : tensor<?x4x?x32xf32> to !x
  %r = scf.if %c -> !x {
    %o = attn.attention %q, %k, %v mod @documents(%ids, %seen, %bias)
      : (!x, !kv, !kv, tensor<?x?xi32>, tensor<?xi1>, tensor<?xbf16>) -> !x
    scf.yield %o : !x
  } else {
    scf.yield %q : !x
  }
  return %r : !x
}

// Something like noise for each element.
func.func @noise(%seed: i32, %place: index) -> f32 {
  %i = arith.index_cast %place : index to i32
  %a = arith.addi %i, %seed : i32
  %p = arith.constant 40503 : i32
  %n = arith.constant 1009 : i32
  %m = arith.muli %a, %p : i32
  %r = arith.remui %m, %n : i32
  %f = arith.uitofp %r : i32 to f32
  %scale = arith.constant 2.0e-3 : f32
  %one = arith.constant 1.0 : f32
  %x = arith.mulf %f, %scale : f32
  %y = arith.subf %x, %one : f32
  return %y : f32
}
func.func @rows(%seed: i32, %b: index, %heads: index, %s: index, %d: index) -> tensor<?x?x?x?xf32> {
  %t = tensor.generate %b, %heads, %s, %d {
  ^bb0(%i: index, %h: index, %r: index, %c: index):
    %0 = arith.muli %i, %heads : index
    %1 = arith.addi %0, %h : index
    %2 = arith.muli %1, %s : index
    %3 = arith.addi %2, %r : index
    %4 = arith.muli %3, %d : index
    %5 = arith.addi %4, %c : index
    %x = func.call @noise(%seed, %5) : (i32, index) -> f32
    tensor.yield %x : f32
  } : tensor<?x?x?x?xf32>
  return %t : tensor<?x?x?x?xf32>
}

func.func @main() {
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %queries = arith.constant 37 : index
  %keys = arith.constant 45 : index
  %i0 = arith.constant 0 : i32
  %i1 = arith.constant 10007 : i32
  %i2 = arith.constant 20011 : i32
  %i3 = arith.constant 30011 : i32
  %true = arith.constant true
  %x4 = call @rows(%i0, %c2, %c4, %queries, %c16) : (i32, index, index, index, index) -> tensor<?x?x?x?xf32>
  %k4 = call @rows(%i1, %c2, %c2, %keys, %c16) : (i32, index, index, index, index) -> tensor<?x?x?x?xf32>
  %v4 = call @rows(%i2, %c2, %c2, %keys, %c16) : (i32, index, index, index, index) -> tensor<?x?x?x?xf32>
  %d4 = call @rows(%i3, %c2, %c4, %queries, %c16) : (i32, index, index, index, index) -> tensor<?x?x?x?xf32>
  %w4 = call @rows(%i3, %c2, %c4, %queries, %c32) : (i32, index, index, index, index) -> tensor<?x?x?x?xf32>
  %x = tensor.cast %x4 : tensor<?x?x?x?xf32> to !x
  %k = tensor.cast %k4 : tensor<?x?x?x?xf32> to !kv
  %v = tensor.cast %v4 : tensor<?x?x?x?xf32> to !kv
  %do = tensor.cast %d4 : tensor<?x?x?x?xf32> to !x
  %wide = tensor.cast %w4 : tensor<?x?x?x?xf32> to tensor<?x4x?x32xf32>
  %w = tensor.generate {
  ^bb0(%r: index, %c: index):
    %0 = arith.muli %r, %c16 : index
    %1 = arith.addi %0, %c : index
    %y = func.call @noise(%i2, %1) : (i32, index) -> f32
    tensor.yield %y : f32
  } : !m
  %slopes4 = arith.constant dense<[0.5, 0.25, 0.125, 0.0625]> : tensor<4xf32>
  %slopes = tensor.cast %slopes4 : tensor<4xf32> to tensor<?xf32>
  %bias4 = arith.constant dense<[0.5, -0.25, 3.0, 1.0]> : tensor<4xbf16>
  %bias = tensor.cast %bias4 : tensor<4xbf16> to tensor<?xbf16>
  %ids = tensor.generate %c2, %keys {
  ^bb0(%i: index, %s: index):
    %m = arith.muli %s, %s : index
    %r = arith.remui %m, %c4 : index
    %y = arith.index_cast %r : index to i32
    tensor.yield %y : i32
  } : tensor<?x?xi32>
  %seen = tensor.generate %keys {
  ^bb0(%s: index):
    %y = arith.cmpi ne, %s, %c16 : index
    tensor.yield %y : i1
  } : tensor<?xi1>
  %size = arith.constant 9 : i32

  %o, %lse = call @layer(%x, %k, %v, %w, %slopes, %size)
    : (!x, !kv, !kv, !m, tensor<?xf32>, i32) -> (!x, !l)
  call @show(%o) : (!x) -> ()
  %lse1 = tensor.cast %lse : !l to tensor<*xf32>
  call @printMemrefF32(%lse1) : (tensor<*xf32>) -> ()
  %dx, %dk, %dv, %ds = call @backward(%x, %k, %v, %slopes, %size, %do)
    : (!x, !kv, !kv, tensor<?xf32>, i32, !x) -> (!x, !kv, !kv, tensor<?xf32>)
  call @show(%dx) : (!x) -> ()
  %dk1 = tensor.cast %dk : !kv to tensor<*xf32>
  call @printMemrefF32(%dk1) : (tensor<*xf32>) -> ()
  %dv1 = tensor.cast %dv : !kv to tensor<*xf32>
  call @printMemrefF32(%dv1) : (tensor<*xf32>) -> ()
  %ds1 = tensor.cast %ds : tensor<?xf32> to tensor<*xf32>
  call @printMemrefF32(%ds1) : (tensor<*xf32>) -> ()
  %docs = call @documents_if(%true, %wide, %k, %v, %ids, %seen, %bias)
    : (i1, tensor<?x4x?x32xf32>, !kv, !kv, tensor<?x?xi32>, tensor<?xi1>, tensor<?xbf16>) -> !x
  call @show(%docs) : (!x) -> ()
  return
}
