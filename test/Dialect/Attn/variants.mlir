// Every kernel that a launch may take, with the condition under which it does.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm90a --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm80 | FileCheck %s --check-prefix=PORTABLE
// PORTABLE-LABEL: func.func @narrow
// PORTABLE-NOT: variants
// PORTABLE-LABEL: func.func @given

!narrow = tensor<?x?x?x64xbf16>
!wide = tensor<?x?x?x192xbf16>

// CHECK-LABEL: func.func @narrow
// CHECK: attn.attention {{.*}}schedule = #attn.schedule<tiling = <q = 192{{.*}}drain>>, variants = #attn.variants<[
// CHECK-SAME: <few_tasks(64) -> <tiling = <q = 64, {{[^-]*}}>>,
// CHECK-SAME: <few_rounds(128, 192, 125) -> <tiling = <q = 128, {{[^-]*}}>>,
// CHECK-SAME: <short_rows(1024) -> <tiling = <q = 192, {{[^-]*}}eager>>>,
// CHECK-SAME: <always -> <tiling = <q = 192, {{[^-]*}}>>]>
func.func @narrow(%q: !narrow) -> !narrow {
  %o = attn.attention %q, %q, %q : (!narrow, !narrow, !narrow) -> !narrow
  return %o : !narrow
}

// CHECK-LABEL: func.func @wide
// CHECK: <few_tasks(64) ->
// CHECK-NOT: few_rounds
// CHECK: <short_rows(2048) ->
func.func @wide(%q: !wide) -> !wide {
  %o = attn.attention %q, %q, %q : (!wide, !wide, !wide) -> !wide
  return %o : !wide
}

// Lists are for the tiles of one kernel.
attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
// CHECK-LABEL: func.func @lists
// CHECK: variants = #attn.variants<[<always -> <tiling = <q = {{[^#]*}}>>]>
func.func @lists(%q: !narrow, %ids: tensor<?xi32>) -> !narrow {
  %o = attn.attention %q, %q, %q mod @documents(%ids) : (!narrow, !narrow, !narrow, tensor<?xi32>) -> !narrow
  return %o : !narrow
}

// What is given stays; of variants the last is what a kernel is made of.
// CHECK-LABEL: func.func @given
// CHECK: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = 64, kv = 32>>}
// CHECK: attn.attention {{.*}}schedule = #attn.schedule<tiling = <q = 64, kv = 16>>, variants = #attn.variants<[<short_rows(7) -> <tiling = <q = 16, kv = 16>>>, <always -> <tiling = <q = 64, kv = 16>>>]>
func.func @given(%q: !narrow) -> (!narrow, !narrow) {
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 32>>} : (!narrow, !narrow, !narrow) -> !narrow
  %p = attn.attention %q, %q, %q {variants = #attn.variants<[<short_rows(7) -> <tiling = <q = 16, kv = 16>>>, <always -> <tiling = <q = 64, kv = 16>>>]>}
    : (!narrow, !narrow, !narrow) -> !narrow
  return %o, %p : !narrow, !narrow
}
