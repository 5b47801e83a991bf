// Every kernel that a launch may take, with the condition under which it does.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm90a --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule="target=sm90a aligned=false" | FileCheck %s --check-prefix=UNALIGNED
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule="target=sm90a strided-captures" | FileCheck %s --check-prefix=STRIDED
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm80 | FileCheck %s --check-prefix=PORTABLE
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule | FileCheck %s --check-prefix=CPU
// What is complete stays.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule=target=sm90a --attn-select-schedule="target=sm80 aligned=false strided-captures" | FileCheck %s
// One of them becomes what a kernel is made of.
// RUN: attn-opt %s --attn-mods-pipeline --attn-select-schedule="target=sm90a variant=1" | FileCheck %s --check-prefix=SECOND
// RUN: not attn-opt %s --attn-select-schedule="target=sm90a variant=11" 2>&1 | FileCheck %s --check-prefix=NINTH
// NINTH: error: 'attn.attention' op expects 'variant' to number one of 11, got 11

!narrow = tensor<?x?x?x64xbf16>
!wide = tensor<?x?x?x192xbf16>
!float = tensor<?x?x?x64xf32>

// CHECK-LABEL: func.func @narrow
// CHECK: attn.attention {{.*}}schedule = #attn.schedule<tiling = <q = 192{{[^#]*}}drain>>, {{.*}}variants = #attn.variants<[
// CHECK-SAME: <sm90a and few_tasks(64) and short_rows(512) -> <tiling = <q = 64, {{[^-]*}}>>,
// CHECK-SAME: <sm90a and full_round(64, 75) -> <tiling = <q = 64, {{[^-]*}}>>,
// CHECK-SAME: <sm90a and packed_rows(16) -> <tiling = <q = 16, kv = 256, pack, shares>, roles = <key_warps = 4>, pipeline = <stages = 2, read_once, dependent>>>,
// CHECK-SAME: <aligned and packed_rows(16) -> <tiling = <q = 16, kv = 64, pack, shares>, pipeline = <stages = 2, read_once>>>,
// CHECK-SAME: <aligned and packed_rows(32) -> <tiling = <q = 32, {{[^-]*}}pack, shares>, roles = <warps = 2>, {{[^-]*}}>>,
// CHECK-SAME: <aligned and packed_rows(64) -> <tiling = <q = 64, {{[^-]*}}pack, shares>, roles = <warps = 4>, {{[^-]*}}>>,
// CHECK-SAME: <sm90a and few_tasks(64) -> <tiling = <q = 64, {{[^-]*}}>>,
// CHECK-SAME: <sm90a and few_rounds(128, 192, 125) -> <tiling = <q = 128, {{[^-]*}}>>,
// CHECK-SAME: <sm90a and short_rows(1024) -> <tiling = <q = 192, {{[^-]*}}eager>>>,
// CHECK-SAME: <sm90a -> <tiling = <q = 192, {{[^-]*}}>>,
// CHECK-SAME: <aligned -> <tiling = <q = 128, kv = 112>, roles = <warps = 4>>>,
// CHECK-SAME: <always -> <tiling = <q = 128, kv = 112>, roles = <warps = 4>, pipeline = <unaligned>>>]>}
// UNALIGNED-LABEL: func.func @narrow
// UNALIGNED: {schedule = #attn.schedule<tiling = <q = 128, kv = 112>, roles = <warps = 4>, pipeline = <unaligned>>, variants = #attn.variants<[
// UNALIGNED-SAME: <always -> <tiling = <q = 128, kv = 112>, roles = <warps = 4>, pipeline = <unaligned>>>]>}
// PORTABLE-LABEL: func.func @narrow
// PORTABLE: variants = #attn.variants<[
// PORTABLE-SAME: <aligned and packed_rows(16) -> <{{[^-]*}}pack, shares>, pipeline = <stages = 2, read_once>>>,
// PORTABLE-SAME: <aligned and packed_rows(64) -> <{{[^-]*}}>>, <aligned -> <tiling = <q = 128, {{[^-]*}}>>>,
// PORTABLE-SAME: <packed_rows(16) -> <{{[^-]*}}pack, shares>, pipeline = <stages = 2, unaligned>>>,
// PORTABLE-SAME: <always -> <tiling = <q = 128, {{[^-]*}}unaligned>>>]>}
// CPU-LABEL: func.func @narrow
// CPU: variants = #attn.variants<[<packed_rows(16) -> <tiling = <q = 16, kv = 64, pack, shares>>>,
// CPU-SAME: <packed_rows(32) -> <{{[^-]*}}pack, shares>>>, <packed_rows(64) -> <{{[^-]*}}pack, shares>>>, <always -> <tiling = <q = 64, kv = 64>>>]>}
// SECOND-LABEL: func.func @narrow
// SECOND: {schedule = #attn.schedule<tiling = <q = 64, {{[^#]*}}producers = 4{{[^#]*}}>, variants = #attn.variants<[
func.func @narrow(%q: !narrow) -> !narrow {
  %o = attn.attention %q, %q, %q : (!narrow, !narrow, !narrow) -> !narrow
  return %o : !narrow
}

// CHECK-LABEL: func.func @wide
// CHECK: <sm90a and few_tasks(64) ->
// CHECK-NOT: few_rounds
// CHECK: <sm90a and short_rows(2048) ->
func.func @wide(%q: !wide) -> !wide {
  %o = attn.attention %q, %q, %q : (!wide, !wide, !wide) -> !wide
  return %o : !wide
}

// Products of f32 have the kernels of every GPU; on Hopper those that merge parts begin early, and several warps deal
// the keys of few rows.
// CHECK-LABEL: func.func @float
// CHECK: variants = #attn.variants<[<sm90a and packed_rows(16) -> <tiling = <q = 16, kv = 32, pack, shares>, roles = <key_warps = 2>, pipeline = <stages = 2, read_once, dependent>>>,
// CHECK-SAME: <aligned and packed_rows(16) -> <tiling = <q = 16, kv = 32, pack, shares>, {{[^-]*}}>>,
// CHECK-SAME: <aligned -> <tiling = <q = 64, kv = 32>, roles = <warps = 4>>>,
// CHECK-SAME: <packed_rows(16) -> <tiling = <q = 16, kv = 32, pack, shares>, pipeline = <stages = 2, unaligned>>>,
// CHECK-SAME: <always -> <tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <unaligned>>>]>}
func.func @float(%q: !float) -> !float {
  %o = attn.attention %q, %q, %q : (!float, !float, !float) -> !float
  return %o : !float
}

// Lists are for the tiles of one kernel. Each is there for captured tensors with an innermost stride of 1, and for any.
attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
// CHECK-LABEL: func.func @lists
// CHECK: variants = #attn.variants<[<sm90a and unit_captures -> <{{[^-]*}}>>,
// CHECK-SAME: <sm90a -> <{{[^-]*}}>, strided_captures = true>,
// CHECK-SAME: <aligned and unit_captures -> <{{[^-]*}}>>,
// CHECK-SAME: <aligned -> <{{[^-]*}}>, strided_captures = true>,
// CHECK-SAME: <unit_captures -> <{{[^-]*}}unaligned>>>,
// CHECK-SAME: <always -> <{{[^-]*}}unaligned>>, strided_captures = true>]>}
// STRIDED-LABEL: func.func @lists
// STRIDED: {schedule = #attn.schedule<{{[^#]*}}>, strided_captures, variants = #attn.variants<[
// STRIDED-SAME: <sm90a -> <{{[^-]*}}>, strided_captures = true>,
// STRIDED-SAME: <aligned -> <{{[^-]*}}>, strided_captures = true>,
// STRIDED-SAME: <always -> <{{[^-]*}}unaligned>>, strided_captures = true>]>}
// CPU-LABEL: func.func @lists
// CPU: variants = #attn.variants<[<unit_captures -> <tiling = <q = 64, kv = 64>>>, <always -> <tiling = <q = 64, kv = 64>>, strided_captures = true>]>}
// SECOND-LABEL: func.func @lists
// SECOND: {schedule = #attn.schedule<{{[^#]*}}producers = 4{{[^#]*}}>, strided_captures, variants
func.func @lists(%q: !narrow, %ids: tensor<?xi32>) -> !narrow {
  %o = attn.attention %q, %q, %q mod @documents(%ids) : (!narrow, !narrow, !narrow, tensor<?xi32>) -> !narrow
  return %o : !narrow
}

// The schedule that is given stays; other memory takes the same, or what is chosen where that needs sm_90a.
// CHECK-LABEL: func.func @given
// CHECK: {schedule = #attn.schedule<tiling = <q = 64, kv = 32>>, {{.*}}variants = #attn.variants<[<aligned -> <tiling = <q = 64, kv = 32>>>, <always -> <tiling = <q = 64, kv = 32>, pipeline = <unaligned>>>]>}
// CHECK: {schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4, producers = 4>>, {{.*}}variants = #attn.variants<[<sm90a -> <tiling = <q = 64, kv = 32>, roles = <warps = 4, producers = 4>>>, <aligned -> <tiling = <q = 128, kv = 112>, {{[^-]*}}>>, <always -> <{{[^-]*}}unaligned>>>]>}
// UNALIGNED-LABEL: func.func @given
// UNALIGNED: {schedule = #attn.schedule<tiling = <q = 64, kv = 32>>, variants = #attn.variants<[<always -> <tiling = <q = 64, kv = 32>, pipeline = <unaligned>>>]>}
func.func @given(%q: !narrow) -> (!narrow, !narrow) {
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 32>>} : (!narrow, !narrow, !narrow) -> !narrow
  %p = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4, producers = 4>>} : (!narrow, !narrow, !narrow) -> !narrow
  return %o, %p : !narrow, !narrow
}

// So are variants, whose guards get what kernels need; the last is what a kernel is made of. What is complete is as it was.
// CHECK-LABEL: func.func @given_variants
// CHECK: {schedule = #attn.schedule<tiling = <q = 64, kv = 16>>, {{.*}}variants = #attn.variants<[
// CHECK-SAME: <aligned and short_rows(7) -> <tiling = <q = 16, kv = 16>>>, <aligned -> <tiling = <q = 64, kv = 16>>>,
// CHECK-SAME: <short_rows(7) -> <tiling = <q = 16, kv = 16>, pipeline = <unaligned>>>, <always -> <tiling = <q = 64, kv = 16>, pipeline = <unaligned>>>]>}
// CHECK: {schedule = #attn.schedule<tiling = <q = 64, kv = 16>, pipeline = <unaligned>>, {{.*}}variants = #attn.variants<[
// CHECK-SAME: <sm90a and short_rows(7) -> <tiling = <q = 64, kv = 16>, roles = <warps = 4, producers = 4>>>,
// CHECK-SAME: <short_rows(7) and aligned -> <tiling = <q = 16, kv = 16>>>,
// CHECK-SAME: <always -> <tiling = <q = 64, kv = 16>, pipeline = <unaligned>>>]>}
func.func @given_variants(%q: !narrow) -> (!narrow, !narrow) {
  %o = attn.attention %q, %q, %q {variants = #attn.variants<[<short_rows(7) -> <tiling = <q = 16, kv = 16>>>, <always -> <tiling = <q = 64, kv = 16>>>]>}
    : (!narrow, !narrow, !narrow) -> !narrow
  %p = attn.attention %q, %q, %q {variants = #attn.variants<[
      <sm90a and short_rows(7) -> <tiling = <q = 64, kv = 16>, roles = <warps = 4, producers = 4>>>,
      <short_rows(7) and aligned -> <tiling = <q = 16, kv = 16>>>, <always -> <tiling = <q = 64, kv = 16>, pipeline = <unaligned>>>]>}
    : (!narrow, !narrow, !narrow) -> !narrow
  return %o, %p : !narrow, !narrow
}

// A variant of gradients has the schedules of all of their kernels.
attn.mod @slopes(%slopes: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %t = arith.addf %s, %m : f32
    attn.yield %t : f32
  }
// CHECK-LABEL: func.func @gradients
// CHECK: attn.attention_backward {{.*}}variants = #attn.variants<[
// CHECK-SAME: <sm90a and unit_captures -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>, key_schedule = <tiling = <{{[^>]*}}owns_keys, once>{{[^-]*}}>, capture_schedule = <tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <stages = 2>>>,
// CHECK-SAME: <sm90a -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>>, key_schedule = <tiling = <{{[^>]*}}once>{{[^-]*}}>, capture_schedule = <{{[^-]*}}>, strided_captures = true>,
// CHECK-SAME: <aligned and unit_captures -> <tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>, key_schedule = <tiling = <{{[^>]*}}owns_keys>{{[^-]*}}stages = 2>>, capture_schedule = <{{[^-]*}}>>,
// CHECK-SAME: <aligned -> <{{[^-]*}}>, key_schedule = <{{[^-]*}}>, capture_schedule = <{{[^-]*}}>, strided_captures = true>,
// CHECK-SAME: <unit_captures -> <{{[^-]*}}unaligned>>, key_schedule = <tiling = <{{[^>]*}}owns_keys>{{[^-]*}}unaligned>>, capture_schedule = <{{[^-]*}}unaligned>>>,
// CHECK-SAME: <always -> <{{[^-]*}}unaligned>>, key_schedule = <tiling = <{{[^>]*}}owns_keys>{{[^-]*}}unaligned>>, capture_schedule = <{{[^-]*}}unaligned>>, strided_captures = true>]>
// SECOND-LABEL: func.func @gradients
// SECOND: attn.attention_backward {{.*}}{capture_schedule = {{.*}}once>{{[^#]*}}, schedule = #attn.schedule<{{[^#]*}}>, strided_captures, variants
// CHECK: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<tiling = <q = 16, kv = 16, owns_keys>>, schedule = #attn.schedule<tiling = <q = 16, kv = 32>>, {{.*}}variants = #attn.variants<[
// CHECK-SAME: <aligned -> <tiling = <q = 16, kv = 32>>, key_schedule = <tiling = <q = 16, kv = 16, owns_keys>>>,
// CHECK-SAME: <always -> <tiling = <q = 16, kv = 32>, pipeline = <unaligned>>, key_schedule = <tiling = <q = 16, kv = 16, owns_keys>, pipeline = <unaligned>>>]>}
func.func @gradients(%a: !narrow, %l: tensor<?x?x?xf32>, %c: tensor<?xf32>) -> (!narrow, tensor<?xf32>, !narrow) {
  %x:4 = attn.attention_backward %a, %a, %a, %a, %l, %a mod @slopes(%c) {wrt = array<i64: 0>}
    : (!narrow, !narrow, !narrow, !narrow, tensor<?x?x?xf32>, !narrow, tensor<?xf32>) -> (!narrow, !narrow, !narrow, tensor<?xf32>)
  %y:3 = attn.attention_backward %a, %a, %a, %a, %l, %a
    {variants = #attn.variants<[<always -> <tiling = <q = 16, kv = 32>>, key_schedule = <tiling = <q = 16, kv = 16, owns_keys>>>]>}
    : (!narrow, !narrow, !narrow, !narrow, tensor<?x?x?xf32>, !narrow) -> (!narrow, !narrow, !narrow)
  return %x#0, %x#3, %y#0 : !narrow, tensor<?xf32>, !narrow
}
