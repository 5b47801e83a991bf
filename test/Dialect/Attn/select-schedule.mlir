// RUN: attn-opt %s --attn-select-schedule --verify-roundtrip | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: attn-opt %s --attn-select-schedule="target=sm80" | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: attn-opt %s --attn-select-schedule="target=sm80 aligned=false" | FileCheck %s --check-prefix=UNALIGNED
// RUN: attn-opt %s --attn-select-schedule="target=sm90a" | FileCheck %s --check-prefix=SM90A
// RUN: attn-opt %s --attn-select-schedule="target=sm90a problem=few-tasks" | FileCheck %s --check-prefix=FEW
// RUN: attn-opt %s --attn-select-schedule="target=sm90a problem=short-rows" | FileCheck %s --check-prefix=SHORT
// RUN: attn-opt %s --attn-select-schedule="target=sm90a problem=few-rounds" | FileCheck %s --check-prefix=ROUNDS
// RUN: not attn-opt %s --attn-select-schedule="target=sm79" 2>&1 | FileCheck %s --check-prefix=TARGET

// TARGET: error: expects 'target' cpu, sm80 or sm90a, got 'sm79'
// TARGET-NOT: attn.attention

!q64 = tensor<1x1x?x64xbf16>
!q256 = tensor<1x1x?x256xbf16>
!f32 = tensor<1x1x?x64xf32>

// Every attention gets one that verifies. Which numbers is a matter of tuning,
// so they are not written down here.
// CHECK-LABEL: func.func @selects
// CPU-COUNT-3: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>>, variants
// SM80-COUNT-3: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>, roles = <warps = {{[0-9]+}}>{{[^#]*}}>, variants
// SM90A-COUNT-2: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}producers = 4{{[^#]*}}persistent, drain>>
// SM90A: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>, roles = <warps = {{[0-9]+}}>>
// UNALIGNED-COUNT-3: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}unaligned>>, variants
// Few tasks are as small as a group of four warps allows.
// FEW-COUNT-2: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = 64, {{[^#]*}}>, roles = <warps = 4, producers = 4>, pipeline = <stages = {{[0-9]+}}>>, variants
// Where rows are short, copies are ahead, if shared memory has a place for two query tiles.
// SHORT: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}task_stages = 2, persistent, drain, eager>>
// SHORT-NEXT: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}kv = 64>, {{[^#]*}}<stages = {{[0-9]+}}, persistent, drain>>
// With few rounds of tasks, two groups instead of three.
// ROUNDS: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = 128, {{[^#]*}}warps = 8, producers = 4, pingpong>
// Tiles of queries are smaller where a mask drops what is outside of them, too.
// SHORT-LABEL: func.func @masked
// SHORT: attn.attention {{.*}}{schedule = #attn.schedule<tiling = <q = 128, {{[^#]*}}pingpong>
func.func @selects(%a: !q64, %b: !q256, %c: !f32) -> (!q64, !q256, !f32) {
  %x = attn.attention %a, %a, %a : (!q64, !q64, !q64) -> !q64
  %y = attn.attention %b, %b, %b : (!q256, !q256, !q256) -> !q256
  %z = attn.attention %c, %c, %c : (!f32, !f32, !f32) -> !f32
  return %x, %y, %z : !q64, !q256, !f32
}

attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }

func.func @masked(%a: !q64) -> !q64 {
  %x = attn.attention %a, %a, %a mod @causal : (!q64, !q64, !q64) -> !q64
  return %x : !q64
}

// Wide heads make room for a second query tile: always where values are wide, too, else in short rows.
// SM90A-LABEL: func.func @wide
// SM90A: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}task_stages = 2, persistent, drain>>
// SM90A: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}pingpong>, pipeline = <stages = {{[0-9]+}}, persistent, drain>>
// SHORT-LABEL: func.func @wide
// SHORT-COUNT-2: attn.attention {{.*}}{schedule = #attn.schedule<{{[^#]*}}pingpong>, pipeline = <stages = {{[0-9]+}}, task_stages = 2, persistent, drain, eager>>
func.func @wide(%a: tensor<1x1x?x192xbf16>, %v: tensor<1x1x?x128xbf16>)
    -> (tensor<1x1x?x192xbf16>, tensor<1x1x?x128xbf16>) {
  %x = attn.attention %a, %a, %a : (tensor<1x1x?x192xbf16>, tensor<1x1x?x192xbf16>, tensor<1x1x?x192xbf16>) -> tensor<1x1x?x192xbf16>
  %y = attn.attention %a, %a, %v : (tensor<1x1x?x192xbf16>, tensor<1x1x?x192xbf16>, tensor<1x1x?x128xbf16>) -> tensor<1x1x?x128xbf16>
  return %x, %y : tensor<1x1x?x192xbf16>, tensor<1x1x?x128xbf16>
}

// Gradients get a schedule for the kernel that owns queries and one for that which owns keys. For a GPU, wide heads get
// a third: a thread has no registers for two accumulators. On sm_90a, 64 and 128 channels are gone through once, unless
// results must be the same on every run.
// CHECK-LABEL: func.func @gradients
// CHECK: attn.attention_backward
// CPU-SAME: {key_schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}, owns_keys>>, schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>>, variants
// SM80-SAME: {key_schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}, owns_keys>, roles = <warps = {{[0-9]+}}>{{[^#]*}}>, schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>, roles = <warps = {{[0-9]+}}>{{[^#]*}}>, variants
// CHECK: attn.attention_backward
// CPU-NOT: value_schedule = #attn
// SM80-SAME: owns_keys>{{[^#]*}}, schedule = #attn.schedule<{{[^#]*}}>, value_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys>{{[^#]*}}>, variants
// UNALIGNED-LABEL: func.func @gradients
// UNALIGNED-COUNT-2: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<{{[^#]*}}unaligned>>, schedule = #attn.schedule<{{[^#]*}}unaligned>>
// SM90A-LABEL: func.func @gradients
// SM90A: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys, once>, {{[^#]*}}producers = 4{{[^#]*}}>, schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>, variants
// SM90A: attn.attention_backward {{.*}}, value_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys>, {{[^#]*}}producers = 4
func.func @gradients(%a: !q64, %b: !q256, %l: tensor<1x1x?xf32>) -> (!q64, !q64, !q64, !q256, !q256, !q256) {
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64) -> (!q64, !q64, !q64)
  %y:3 = attn.attention_backward %b, %b, %b, %b, %l, %b : (!q256, !q256, !q256, !q256, tensor<1x1x?xf32>, !q256) -> (!q256, !q256, !q256)
  return %x#0, %x#1, %x#2, %y#0, %y#1, %y#2 : !q64, !q64, !q64, !q256, !q256, !q256
}

// On a GPU what is summed for captures has kernels of its own, those of every GPU; not where nothing is asked for.
// CHECK-LABEL: func.func @captures
// CPU-NOT: capture_schedule = #attn
// SM80: attn.attention_backward {{.*}}{capture_schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <stages = 2>>, key_schedule
// SM80-NOT: capture_schedule = #attn
// UNALIGNED-LABEL: func.func @captures
// UNALIGNED: capture_schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <stages = 2, unaligned>>
// SM90A-LABEL: func.func @captures
// SM90A: attn.attention_backward {{.*}}{capture_schedule = #attn.schedule<tiling = <q = 64, kv = 32>, roles = <warps = 4>, pipeline = <stages = 2>>, key_schedule = #attn.schedule<{{[^#]*}}producers = 4
func.func @captures(%a: !q64, %l: tensor<1x1x?xf32>, %c: f32) -> (!q64, f32) {
  %x:4 = attn.attention_backward %a, %a, %a, %a, %l, %a mod @scaled(%c) {wrt = array<i64: 0>}
    : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64, f32) -> (!q64, !q64, !q64, f32)
  %y:3 = attn.attention_backward %a, %a, %a, %a, %l, %a mod @scaled(%c)
    : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64, f32) -> (!q64, !q64, !q64)
  return %y#0, %x#3 : !q64, f32
}
attn.mod @scaled(%c: f32) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = arith.mulf %s, %c : f32
  attn.yield %t : f32
}

// SM90A-LABEL: func.func @deterministic
// SM90A: attn.attention_backward {{.*}}{deterministic, key_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys>, {{[^#]*}}producers = 4{{[^#]*}}, schedule = #attn.schedule<{{[^#]*}}producers = 4
func.func @deterministic(%a: !q64, %l: tensor<1x1x?xf32>) -> (!q64, !q64, !q64) {
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a {deterministic} : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64) -> (!q64, !q64, !q64)
  return %x#0, %x#1, %x#2 : !q64, !q64, !q64
}

// Of a kernel that goes through all once, the two around it are chosen.
// SM90A-LABEL: func.func @given_once
// SM90A: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys, once>, {{[^#]*}}, schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>, variants
func.func @given_once(%a: !q64, %l: tensor<1x1x?xf32>) -> (!q64, !q64, !q64) {
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a {key_schedule = #attn.schedule<tiling = <q = 128, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>} : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64) -> (!q64, !q64, !q64)
  return %x#0, %x#1, %x#2 : !q64, !q64, !q64
}

// What is given is kept, each for itself.
// CHECK-LABEL: func.func @keeps_some
// CHECK: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<tiling = <{{[^>]*}}owns_keys>{{[^#]*}}, schedule = #attn.schedule<tiling = <q = 16, kv = 32>>
// CHECK: attn.attention_backward {{.*}}{key_schedule = #attn.schedule<tiling = <q = 16, kv = 16, owns_keys>>, schedule = #attn.schedule<
// CHECK-NOT: value_schedule =
func.func @keeps_some(%a: !q64, %b: !q256, %l: tensor<1x1x?xf32>) -> (!q64, !q64, !q64, !q256, !q256, !q256) {
  %x:3 = attn.attention_backward %a, %a, %a, %a, %l, %a {schedule = #attn.schedule<tiling = <q = 16, kv = 32>>} : (!q64, !q64, !q64, !q64, tensor<1x1x?xf32>, !q64) -> (!q64, !q64, !q64)
  %y:3 = attn.attention_backward %b, %b, %b, %b, %l, %b {key_schedule = #attn.schedule<tiling = <q = 16, kv = 16, owns_keys>>} : (!q256, !q256, !q256, !q256, tensor<1x1x?xf32>, !q256) -> (!q256, !q256, !q256)
  return %x#0, %x#1, %x#2, %y#0, %y#1, %y#2 : !q64, !q64, !q64, !q256, !q256, !q256
}

// TMA would write behind the end of a sequence; and there are no lists, so that
// kernels for few tasks suit every mask.
// SM90A-LABEL: func.func @sequences
// SM90A: attn.attention {{.*}}variants = #attn.variants<[<sm90a and few_tasks(64)
// SM90A-NOT: drain
// SM90A: return
func.func @sequences(%a: !q64, %starts: tensor<?xi32>) -> !q64 {
  %x = attn.attention %a, %a, %a cu_q(%starts) cu_k(%starts) : (!q64, !q64, !q64, tensor<?xi32>, tensor<?xi32>) -> !q64
  return %x : !q64
}

// A schedule written by hand is kept.
// CHECK-LABEL: func.func @keeps
// CHECK: schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>
func.func @keeps(%a: !q64) -> !q64 {
  %x = attn.attention %a, %a, %a {schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>}
    : (!q64, !q64, !q64) -> !q64
  return %x : !q64
}

// Rows in pages do not lie as TMA takes them: the kernel is that of every GPU.
// SM90A-LABEL: func.func @pages
// SM90A-NOT: producers
// SM90A: attn.attention {{.*}} pages(%{{.*}}) {schedule = #attn.schedule<tiling = <q = {{[0-9]+}}, kv = {{[0-9]+}}>, roles = <warps = {{[0-9]+}}>>
// SM90A-NOT: producers
func.func @pages(%q: !q64, %k: tensor<?x1x16x64xbf16>, %l: tensor<1xi32>, %p: tensor<1x?xi32>) -> !q64 {
  %x = attn.attention %q, %k, %k lengths(%l) pages(%p)
    : (!q64, tensor<?x1x16x64xbf16>, tensor<?x1x16x64xbf16>, tensor<1xi32>, tensor<1x?xi32>) -> !q64
  return %x : !q64
}

// What is read of pairs takes a tile of registers, so that fewer keys are visited at a time.
// SM90A-LABEL: func.func @pair_bias
// SM90A: <sm90a -> <tiling = <q = 192, kv = 64>
// SM90A: <sm90a -> <tiling = <q = 128, kv = 64>
// FEW-LABEL: func.func @pair_bias
// FEW: schedule = #attn.schedule<tiling = <q = 64, kv = 96>
// FEW: schedule = #attn.schedule<tiling = <q = 64, kv = 64>
attn.mod @biased(%table: tensor<?x?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%q, %kv] : tensor<?x?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @pair_bias(%a: !q64, %b: !q256, %table: tensor<?x?xf32>) -> (!q64, !q256) {
  %x = attn.attention %a, %a, %a mod @biased(%table) : (!q64, !q64, !q64, tensor<?x?xf32>) -> !q64
  %y = attn.attention %b, %b, %b mod @biased(%table) : (!q256, !q256, !q256, tensor<?x?xf32>) -> !q256
  return %x, %y : !q64, !q256
}

// From 65 to 96 channels three groups with fewer keys are faster without a mask, unless two have done first; with one,
// two groups with copies ahead, which are those for short rows, too, and need no variant for them. A table read by position has no registers in three.
// SM90A-LABEL: func.func @medium_rows
// SM90A: attn.attention {{.*}}few_rounds(128, 192, 107){{.*}} -> <tiling = <q = 128, kv = 128>{{.*}}<sm90a -> <tiling = <q = 192, kv = 96>, roles = <warps = 12, producers = 4>, pipeline = <stages = 2, task_stages = 2, persistent, drain, eager>>
// SM90A-NOT: {{few_rounds|short_rows[(]1024}}
// SM90A: attn.attention {{.*}}<sm90a -> <tiling = <q = 128, kv = 128>, {{[^#]*}}pingpong>, pipeline = <stages = 2, task_stages = 2, persistent, drain, eager>>
// SM90A-NOT: few_rounds
// SM90A: attn.attention {{.*}}<sm90a -> <tiling = <q = 128, kv = 96>
!q96 = tensor<1x1x?x96xbf16>
attn.mod @after
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
func.func @medium_rows(%a: !q96, %table: tensor<?x?xf32>) -> (!q96, !q96, !q96) {
  %x = attn.attention %a, %a, %a : (!q96, !q96, !q96) -> !q96
  %y = attn.attention %a, %a, %a mod @after : (!q96, !q96, !q96) -> !q96
  %z = attn.attention %a, %a, %a mod @biased(%table) : (!q96, !q96, !q96, tensor<?x?xf32>) -> !q96
  return %x, %y, %z : !q96, !q96, !q96
}
