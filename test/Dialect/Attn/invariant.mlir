// What is chosen where results must not depend on the batch: nothing asks for its sizes, and few queries have chunks,
// of 1024 keys for each 16 rows, instead of even shares.
// RUN: attn-opt %s --attn-select-schedule=target=sm90a --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --attn-select-schedule | FileCheck %s --check-prefix=CPU

!t = tensor<?x?x?x64xbf16>

// CHECK-LABEL: func.func @dense
// CHECK: attn.attention {{.*}}{invariant, schedule = #attn.schedule<tiling = <q = 192{{[^#]*}}drain>>, variants = #attn.variants<[
// CHECK-SAME: <sm90a and packed_rows(16) -> <tiling = <q = 16, kv = 256, pack, chunk = 4>, roles = <key_warps = 4>, {{[^-]*}}>>,
// CHECK-SAME: <aligned and packed_rows(16) -> <tiling = <q = 16, kv = 64, pack, chunk = 16>, pipeline = <stages = 2, read_once>>>,
// CHECK-SAME: <aligned and packed_rows(32) -> <tiling = <q = 32, kv = 64, pack, chunk = 32>, {{[^-]*}}>>,
// CHECK-SAME: <aligned and packed_rows(64) -> <tiling = <q = 64, kv = 64, pack, chunk = 64>, {{[^-]*}}>>,
// CHECK-SAME: <sm90a -> <tiling = <q = 192, {{[^-]*}}>>,
// CHECK-SAME: <aligned -> <{{[^-]*}}>>, <always -> <{{[^-]*}}unaligned>>>]>}
// CPU-LABEL: func.func @dense
// CPU: variants = #attn.variants<[<packed_rows(16) -> <tiling = <q = 16, kv = 64, pack, chunk = 16>>>,
// CPU-SAME: <packed_rows(64) -> <tiling = <q = 64, kv = 64, pack, chunk = 64>>>, <always -> <tiling = <q = 64, kv = 64>>>]>}
func.func @dense(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q {invariant} : (!t, !t, !t) -> !t
  return %o : !t
}

// TMA would read the queries of the next sequence.
// CHECK-LABEL: func.func @ragged
// CHECK: attn.attention {{.*}} cu_q(
// CHECK-NOT: sm90a
// CHECK: return
func.func @ragged(%q: !t, %s: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %q, %q cu_q(%s) cu_k(%s) {invariant} : (!t, !t, !t, tensor<?xi32>, tensor<?xi32>) -> !t
  return %o : !t
}

// Of keys alone the rows that it reads too many are masked.
// CHECK-LABEL: func.func @ragged_keys
// CHECK: variants = #attn.variants<[<sm90a -> <
func.func @ragged_keys(%q: !t, %k: tensor<1x?x?x64xbf16>, %s: tensor<?xi32>) -> !t {
  %o = attn.attention %q, %k, %k cu_k(%s) {invariant} : (!t, tensor<1x?x?x64xbf16>, tensor<1x?x?x64xbf16>, tensor<?xi32>) -> !t
  return %o : !t
}
