// RUN: attn-opt %s --linalg-to-matrix-units --canonicalize --cse --split-input-file | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#nk = affine_map<(m, n, k) -> (k, n)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Blocks of 32 x 32, and the half of one that is left: the left operand where it lies, the right one packed before the
// loop that multiplies it. Nobody reads either as f32 any more, and sums begin with zero.
// CHECK-LABEL: func.func @product(
// CHECK-DAG:     %[[A:.*]] = memref.alloca() : memref<32x64xbf16>
// CHECK-DAG:     %[[C:.*]] = memref.alloca() : memref<32x48xf32>
// CHECK-DAG:     %[[PAIRS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<32x96xbf16>
// CHECK:         scf.for %[[ROW:.*]] =
// CHECK:           %[[K:.*]] = arith.muli %[[ROW]], %c2
// CHECK:           scf.for %[[N:.*]] = %c0 to %c48 step %c16
// CHECK:             %[[NEXT:.*]] = arith.addi %[[K]], %c1
// CHECK:             %[[LOW:.*]] = vector.load %[[B:.*]][%[[K]], %[[N]]] : memref<64x48xbf16>, vector<16xbf16>
// CHECK:             %[[HIGH:.*]] = vector.load %[[B]][%[[NEXT]], %[[N]]]
// CHECK:             vector.interleave %[[LOW]], %[[HIGH]]
// CHECK:             vector.store %{{.*}}, %[[PAIRS]][%[[ROW]], %{{.*}}] : memref<32x96xbf16>, vector<32xbf16>
// CHECK-NOT:     arith.extf
// CHECK-COUNT-4:   amx.tile_zero : !amx.tile<16x16xf32>
// CHECK-COUNT-2:   amx.tile_load %[[A]][%{{.*}}, %c0] : memref<32x64xbf16> into !amx.tile<16x32xbf16>
// CHECK:           amx.tile_load %[[PAIRS]][%c0, %{{.*}}]
// CHECK-COUNT-2:   amx.tile_mulf
// CHECK:           amx.tile_load %[[PAIRS]][%c0, %{{.*}}]
// CHECK-COUNT-2:   amx.tile_mulf
// CHECK-COUNT-2:   amx.tile_load %[[A]][%{{.*}}, %c32]
// CHECK:           amx.tile_load %[[PAIRS]][%c16, %{{.*}}]
// CHECK-COUNT-2:   amx.tile_mulf
// CHECK:           amx.tile_load %[[PAIRS]][%c16, %{{.*}}]
// CHECK-COUNT-2:   amx.tile_mulf
// CHECK-COUNT-4:   amx.tile_store %[[C]]
// CHECK-NOT:       amx.tile_store
// CHECK-COUNT-2:   amx.tile_zero
// CHECK-COUNT-2:   amx.tile_store %[[C]]
// CHECK-NOT:     amx.tile_
func.func @product(%fill: (memref<32x64xbf16>, memref<64x48xbf16>) -> (), %use: (memref<32x48xf32>) -> ()) {
  %zero = arith.constant 0.0 : f32
  %a = memref.alloca() : memref<32x64xbf16>
  %b = memref.alloca() : memref<64x48xbf16>
  %aw = memref.alloca() : memref<32x64xf32>
  %bw = memref.alloca() : memref<64x48xf32>
  %c = memref.alloca() : memref<32x48xf32>
  func.call_indirect %fill(%a, %b) : (memref<32x64xbf16>, memref<64x48xbf16>) -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<32x64xbf16>) outs(%aw : memref<32x64xf32>) {
  ^bb0(%x: bf16, %o: f32):
    %w = arith.extf %x : bf16 to f32
    linalg.yield %w : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%b : memref<64x48xbf16>) outs(%bw : memref<64x48xf32>) {
  ^bb0(%x: bf16, %o: f32):
    %w = arith.extf %x : bf16 to f32
    linalg.yield %w : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> ()>, #id], iterator_types = ["parallel", "parallel"]}
    ins(%zero : f32) outs(%c : memref<32x48xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%aw, %bw : memref<32x64xf32>, memref<64x48xf32>) outs(%c : memref<32x48xf32>) {
  ^bb0(%x: f32, %y: f32, %acc: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  func.call_indirect %use(%c) : (memref<32x48xf32>) -> ()
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#nk = affine_map<(m, n, k) -> (k, n)>
#km = affine_map<(m, n, k) -> (k, m)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A left operand that is stored the other way round is transposed, in four rounds of exchanges of words. Weights are
// rounded while they are packed; a product that skips zeros still wants both as f32, in its branch.
// CHECK-LABEL: func.func @weighted(
// CHECK:         call_indirect %{{.*}}(%[[W:.*]], %[[V:.*]]) :
// CHECK:         vector.load %[[V]]
// CHECK-COUNT-64: vector.shuffle %{{.*}}, %{{.*}} [{{.*}}] : vector<16xi32>, vector<16xi32>
// CHECK:         vector.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : memref<16x32xbf16>, vector<32xbf16>
// CHECK:         vector.load %[[W]][{{.*}}] : memref<32x16xf32>, vector<16xf32>
// CHECK:         arith.cmpf ord
// CHECK:         arith.shrui
// CHECK:         arith.ori
// CHECK:         scf.if %{{.*}} {
// CHECK:           arith.truncf
// CHECK:           arith.extf
// CHECK:           arith.extf
// CHECK:           {tile.zero_safe}
// CHECK:         } else {
// CHECK:           amx.tile_load %{{.*}} : memref<16x16xf32> into !amx.tile<16x16xf32>
// CHECK:           amx.tile_mulf
// CHECK:           amx.tile_store
// CHECK:         }
func.func @weighted(%fill: (memref<32x16xf32>, memref<32x16xbf16>) -> (), %dirty: i1, %c: memref<16x16xf32>) {
  %w = memref.alloca() : memref<32x16xf32>
  %wb = memref.alloca() : memref<32x16xbf16>
  %ww = memref.alloca() : memref<32x16xf32>
  %v = memref.alloca() : memref<32x16xbf16>
  %vw = memref.alloca() : memref<32x16xf32>
  func.call_indirect %fill(%w, %v) : (memref<32x16xf32>, memref<32x16xbf16>) -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%v : memref<32x16xbf16>) outs(%vw : memref<32x16xf32>) {
  ^bb0(%x: bf16, %o: f32):
    %y = arith.extf %x : bf16 to f32
    linalg.yield %y : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%w : memref<32x16xf32>) outs(%wb : memref<32x16xbf16>) {
  ^bb0(%x: f32, %o: bf16):
    %y = arith.truncf %x : f32 to bf16
    linalg.yield %y : bf16
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%wb : memref<32x16xbf16>) outs(%ww : memref<32x16xf32>) {
  ^bb0(%x: bf16, %o: f32):
    %y = arith.extf %x : bf16 to f32
    linalg.yield %y : f32
  }
  scf.if %dirty {
    linalg.generic {indexing_maps = [#nk, #km, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%ww, %vw : memref<32x16xf32>, memref<32x16xf32>) outs(%c : memref<16x16xf32>) attrs = {tile.zero_safe} {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
    }
  } else {
    linalg.generic {indexing_maps = [#nk, #km, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%ww, %vw : memref<32x16xf32>, memref<32x16xf32>) outs(%c : memref<16x16xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
    }
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#nk = affine_map<(m, n, k) -> (k, n)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// What was bf16 is no longer there when it is multiplied; and f32 that never was.
// CHECK-LABEL: func.func @overwritten(
// CHECK-NOT: amx.tile_
func.func @overwritten(%fill: (memref<32x32xbf16>) -> (), %x: memref<32x32xf32>, %c: memref<32x32xf32>) {
  %a = memref.alloca() : memref<32x32xbf16>
  %aw = memref.alloca() : memref<32x32xf32>
  func.call_indirect %fill(%a) : (memref<32x32xbf16>) -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<32x32xbf16>) outs(%aw : memref<32x32xf32>) {
  ^bb0(%e: bf16, %o: f32):
    %w = arith.extf %e : bf16 to f32
    linalg.yield %w : f32
  }
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%aw, %x : memref<32x32xf32>, memref<32x32xf32>) outs(%c : memref<32x32xf32>) {
  ^bb0(%e: f32, %f: f32, %acc: f32):
    %p = arith.mulf %e, %f : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  func.call_indirect %fill(%a) : (memref<32x32xbf16>) -> ()
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%aw, %aw : memref<32x32xf32>, memref<32x32xf32>) outs(%c : memref<32x32xf32>) {
  ^bb0(%e: f32, %f: f32, %acc: f32):
    %p = arith.mulf %e, %f : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#nk = affine_map<(m, n, k) -> (k, n)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Where k is half of a tile's width there are zeros behind it, in copies.
// CHECK-LABEL: func.func @narrow(
// CHECK-DAG: %[[COPY:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16x32xbf16>
// CHECK-DAG: vector.store %cst{{.*}}, %{{.*}}[%{{.*}}, %c16] : memref<16x32xbf16>, vector<16xbf16>
// CHECK-DAG: vector.bitcast %cst{{.*}} : vector<16xi32> to vector<32xbf16>
// CHECK-COUNT-2: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_mulf
func.func @narrow(%fill: (memref<16x16xbf16>) -> (), %c: memref<16x16xf32>) {
  %a = memref.alloca() : memref<16x16xbf16>
  %aw = memref.alloca() : memref<16x16xf32>
  func.call_indirect %fill(%a) : (memref<16x16xbf16>) -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<16x16xbf16>) outs(%aw : memref<16x16xf32>) {
  ^bb0(%e: bf16, %o: f32):
    %w = arith.extf %e : bf16 to f32
    linalg.yield %w : f32
  }
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%aw, %aw : memref<16x16xf32>, memref<16x16xf32>) outs(%c : memref<16x16xf32>) {
  ^bb0(%e: f32, %f: f32, %acc: f32):
    %p = arith.mulf %e, %f : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#nk = affine_map<(m, n, k) -> (k, n)>
#mk = affine_map<(m, n, k) -> (m, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Sizes that are no multiples of the unit's are left to others.
// CHECK-LABEL: func.func @odd(
// CHECK-NOT: amx.tile_
func.func @odd(%fill: (memref<24x24xbf16>) -> (), %c: memref<24x24xf32>) {
  %a = memref.alloca() : memref<24x24xbf16>
  %aw = memref.alloca() : memref<24x24xf32>
  func.call_indirect %fill(%a) : (memref<24x24xbf16>) -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%a : memref<24x24xbf16>) outs(%aw : memref<24x24xf32>) {
  ^bb0(%e: bf16, %o: f32):
    %w = arith.extf %e : bf16 to f32
    linalg.yield %w : f32
  }
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%aw, %aw : memref<24x24xf32>, memref<24x24xf32>) outs(%c : memref<24x24xf32>) {
  ^bb0(%e: f32, %f: f32, %acc: f32):
    %p = arith.mulf %e, %f : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}
