// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#a = affine_map<(i, j, d) -> (i, d)>
#rows = affine_map<(i, j, d) -> (j, d)>
#columns = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
#schedule = #attn.schedule<tiling = <q = 128, kv = 32>, roles = <warps = 8, producers = 4, pingpong>>
!t = tensor<128x96xbf16>
!ts = tensor<128x96xbf16, #tile.slot>
!q = !tile.ring<1 x tensor<128x96xbf16>>
!r = !tile.ring<2 x tensor<32x96xbf16>>
!k = tensor<32x96xbf16>
!ks = tensor<32x96xbf16, #tile.slot>
!s = tensor<128x32xf32>
!memory = memref<?x?x32xf32, strided<[?, ?, 1], offset: ?>>

gpu.module @kernels {
  // One thread makes the barriers: one arrival says that a tile is there, eight that
  // it has been read.
  // CHECK-LABEL: gpu.func @rings(
  // CHECK: scf.if
  // CHECK-COUNT-2: nvvm.mbarrier.init %{{.*}}, %c1_i32
  // CHECK-COUNT-2: nvvm.mbarrier.init %{{.*}}, %c8_i32
  // The producer waits for the other parity than the readers, and copies 96 columns in
  // two chunks of 64.
  // CHECK: %[[ROUND:.*]] = arith.divui %{{.*}}, %c2_i32
  // CHECK: %[[PARITY:.*]] = arith.andi %[[ROUND]], %c1_i32
  // CHECK: %[[OTHER:.*]] = arith.xori %[[PARITY]], %c1_i32
  // CHECK: nvvm.mbarrier.try_wait.parity %{{.*}}, %[[OTHER]],
  // CHECK: nvvm.mbarrier.arrive.expect_tx %{{.*}}, %c8192_i32
  // CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}} box[%c0_i32,
  // CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}} box[%c64_i32,
  // CHECK-NOT: nvvm.cp.async.bulk
  // CHECK: nvvm.mbarrier.try_wait.parity %{{.*}}, %[[PARITY]],
  // CHECK: scf.if
  // CHECK: nvvm.mbarrier.arrive %
  gpu.func @rings(%map: !llvm.ptr, %n: i32, %i: index) kernel attributes {attn.schedule = #schedule} {
    %r = tile.ring offset 1024 barriers 0 readers 8 : !r
    tile.fill %r at %n from %map[%i, %i, %i] : !r
    %t = tile.read %r at %n : !r -> !ks
    tile.release %r at %n : !r
    gpu.return
  }

  // A product is one piece of assembly. Scores start from zero; a step of 16 in depth
  // is 32 bytes further in a chunk, the fifth begins the next chunk.
  // CHECK-LABEL: gpu.func @scores(
  // CHECK: llvm.inline_asm {{[^;]*;[^;]*;}}\0Awgmma.fence.sync.aligned;
  // CHECK-SAME: setp.ne.b32 p, 0, 0;
  // CHECK-SAME: add.s64 b, $17, 0;
  // CHECK-SAME: add.s64 a, $16, 0;
  // CHECK-SAME: wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {$0, {{[^;]*}}, $15}, a, b, p, 1, 1, 0, 0;
  // CHECK-SAME: setp.ne.b32 p, 1, 0;
  // CHECK-SAME: add.s64 b, $17, 2;
  // CHECK-SAME: add.s64 a, $16, 2;
  // CHECK-SAME: add.s64 b, $17, 256;
  // CHECK-SAME: add.s64 a, $16, 1024;
  // CHECK-SAME: wgmma.commit_group.sync.aligned
  // CHECK: llvm.inline_asm {{.*}}wgmma.wait_group.sync.aligned 1;
  gpu.func @scores(%n: i32, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !s
    %q = tile.ring offset 1024 barriers 0 readers 8 : !q
    %k = tile.ring offset 25600 barriers 16 readers 8 : !r
    %qt = tile.read %q at %n : !q -> !ts
    %kt = tile.read %k at %n : !r -> !ks
    %s = tile.start %qt, %kt, %zero {rhs_transposed} : !ts, !ks, !s
    %w = tile.await %s pending 1 : !tile.started<!s>
    tile.store %w, %o[%i, %i] : !s, !memory
    gpu.return
  }

  // A tile that had arrived when it was asked for is not waited for.
  // CHECK-LABEL: gpu.func @peek(
  // CHECK: %[[ARRIVED:.*]] = nvvm.mbarrier.test.wait %{{.*}}, %[[PARITY:.*]] : !llvm.ptr<3>, i32 -> i1
  // CHECK: %[[LATE:.*]] = arith.xori %[[ARRIVED]], %true
  // CHECK: scf.if %[[LATE]] {
  // CHECK-NEXT: nvvm.mbarrier.try_wait.parity
  // CHECK-NOT: nvvm.mbarrier.try_wait.parity
  // CHECK: gpu.return
  gpu.func @peek(%n: i32, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !s
    %q = tile.ring offset 1024 barriers 0 readers 8 : !q
    %arrived = tile.peek %q at %n : !q
    %qt = tile.read %q at %n unless %arrived : !q -> !ts
    tile.release %q at %n : !q
    gpu.return
  }

  // The wait stands behind a store that never happens, whose condition needs the sums.
  // CHECK-LABEL: gpu.func @after(
  // CHECK: llvm.inline_asm {{.*}}setp.eq.f32 p, $32, 0f7F000000;{{.*}}@p st.volatile.shared.f32 [$33], $32;{{.*}}wgmma.wait_group.sync.aligned 0;
  gpu.func @after(%n: i32, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !s
    %q = tile.ring offset 1024 barriers 0 readers 8 : !q
    %k = tile.ring offset 25600 barriers 16 readers 8 : !r
    %qt = tile.read %q at %n : !q -> !ts
    %kt = tile.read %k at %n : !r -> !ks
    %s = tile.start %qt, %kt, %zero {rhs_transposed} : !ts, !ks, !s
    %sums = arith.constant dense<1.0> : tensor<128xf32>
    %w = tile.await %s pending 0 after %sums : tensor<128xf32> : !tile.started<!s>
    tile.store %w, %o[%i, %i] : !s, !memory
    gpu.return
  }

  // Of each row the bits of its scores, in two chains of maxima, against those of its bound,
  // or the least integer where that is below zero; one answer for the warp.
  // CHECK-LABEL: gpu.func @any_above(
  // CHECK-COUNT-12: arith.maxsi
  // CHECK-NOT: arith.maxsi
  // CHECK: %[[NEGATIVE:.*]] = arith.cmpi slt, %[[BOUND:.*]], %c0_i32 : i32
  // CHECK: arith.select %[[NEGATIVE]], %c-2147483648_i32, %[[BOUND]] : i32
  // CHECK-COUNT-4: arith.cmpi sgt
  // CHECK: nvvm.vote.sync any
  gpu.func @any_above(%o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %empty = tensor.empty() : !s
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        outs(%empty : !s) {
    ^bb0(%y: f32):
      %row = linalg.index 0 : index
      %column = linalg.index 1 : index
      %product = arith.muli %row, %column : index
      %number = arith.index_cast %product : index to i32
      %f = arith.sitofp %number : i32 to f32
      linalg.yield %f : f32
    } -> !s
    %none = tensor.empty() : tensor<128xf32>
    %bounds = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        outs(%none : tensor<128xf32>) {
    ^bb0(%y: f32):
      %row = linalg.index 0 : index
      %number = arith.index_cast %row : index to i32
      %f = arith.sitofp %number : i32 to f32
      linalg.yield %f : f32
    } -> tensor<128xf32>
    %any = tile.any_above %s, %bounds : !s, tensor<128xf32>
    scf.if %any {
      tile.store %s, %o[%i, %i] : !s, !memory
    }
    gpu.return
  }

  // Twice the bits of each row's number, against twice the bound's and infinity's; one
  // answer for the warp, and yes if it was yes before.
  // CHECK-LABEL: gpu.func @any_beyond(
  // CHECK-SAME: %[[BEFORE:[^:]*]]: i1)
  // CHECK-COUNT-2: arith.cmpi ult, %{{.*}}, %c30610124_i32 : i32
  // CHECK: %[[NOW:.*]] = nvvm.vote.sync any
  // CHECK: arith.ori %[[BEFORE]], %[[NOW]]
  gpu.func @any_beyond(%index: memref<?xindex>, %i: index, %before: i1) kernel attributes {attn.schedule = #schedule} {
    %none = tensor.empty() : tensor<128xf32>
    %rows = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        outs(%none : tensor<128xf32>) {
    ^bb0(%y: f32):
      %row = linalg.index 0 : index
      %number = arith.index_cast %row : index to i32
      %f = arith.sitofp %number : i32 to f32
      linalg.yield %f : f32
    } -> tensor<128xf32>
    %far = tile.any_beyond %rows or %before {bound = 1.0e+38 : f32} : tensor<128xf32>
    scf.if %far {
      memref.store %i, %index[%i] : memref<?xindex>
    }
    gpu.return
  }

  // The output: weights are registers, sums go on, values are transposed on the way; what
  // is not asynchronous is awaited at once.
  // CHECK-LABEL: gpu.func @output(
  // CHECK: llvm.inline_asm {{[^;]*;[^;]*;}}\0Awgmma.fence.sync.aligned;
  // CHECK-SAME: setp.ne.b32 p, 1, 0;
  // CHECK-SAME: add.s64 b, ${{[0-9]+}}, 0;
  // CHECK-SAME: wgmma.mma_async.sync.aligned.m64n96k16.f32.bf16.bf16 {{[^;]*}}, b, p, 1, 1, 1;
  // CHECK-SAME: add.s64 b, ${{[0-9]+}}, 128;
  // CHECK: llvm.inline_asm {{.*}}wgmma.wait_group.sync.aligned 0;
  gpu.func @output(%n: i32, %o: memref<?x?x96xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %ones = arith.constant dense<1.0> : tensor<128x96xf32>
    %p = arith.constant dense<1.0> : tensor<128x32xbf16>
    %v = tile.ring offset 1024 barriers 0 readers 8 : !r
    %vt = tile.read %v at %n : !r -> !ks
    %s = linalg.contract indexing_maps = [#a, #columns, #c] ins(%p, %vt : tensor<128x32xbf16>, !ks)
      outs(%ones : tensor<128x96xf32>) -> tensor<128x96xf32>
    tile.store %s, %o[%i, %i] : tensor<128x96xf32>, memref<?x?x96xf32>
    gpu.return
  }

  // Each warp looks at the whole tile; clearing it needs all that compute, and is seen by wgmma.
  // CHECK-LABEL: gpu.func @nonfinite(
  // 32 rows of two chunks are four times 2048 bytes, whatever they mean.
  // CHECK: scf.for %{{.*}} = %c0_i32{{.*}} to %c8192_i32{{.*}} step %c2048_i32
  // CHECK-COUNT-16: llvm.inline_asm "fma.rn.bf16x2 $0, $1, $2, $3;"
  // CHECK-NOT: fma.rn
  // CHECK: nvvm.vote.sync any
  // CHECK: nvvm.barrier id = %c1_i32 number_of_threads = %c256_i32
  // CHECK: llvm.store
  // CHECK: nvvm.fence.proxy
  // CHECK: nvvm.barrier id = %c1_i32 number_of_threads = %c256_i32
  gpu.func @nonfinite(%n: i32) kernel attributes {attn.schedule = #schedule} {
    %v = tile.ring offset 1024 barriers 0 readers 8 : !r
    %vt = tile.read %v at %n : !r -> !ks
    %dirty = tile.has_nonfinite %vt : !ks
    scf.if %dirty {
      tile.clear_nonfinite %vt : !ks
    }
    gpu.return
  }

  // Group g waits at barrier 2 + g and passes to 2 + (1 - g).
  // CHECK-LABEL: gpu.func @turns(
  // CHECK: %[[SHIFTED:.*]] = arith.shrui %{{.*}}, %c7_i32
  // CHECK: %[[GROUP:.*]] = nvvm.redux.sync or %[[SHIFTED]],
  // CHECK: %[[OTHER:.*]] = arith.xori %[[GROUP]], %c1_i32
  // CHECK: %[[THEIRS:.*]] = arith.addi %[[OTHER]], %c2_i32
  // CHECK: scf.if
  // CHECK: nvvm.barrier.arrive id = %[[THEIRS]] number_of_threads = %c256_i32
  // CHECK: %[[OURS:.*]] = arith.addi %[[GROUP]], %c2_i32
  // CHECK: nvvm.barrier id = %[[OURS]] number_of_threads = %c256_i32
  // CHECK: nvvm.barrier.arrive id = %[[THEIRS]] number_of_threads = %c256_i32
  gpu.func @turns() kernel attributes {attn.schedule = #schedule} {
    tile.pass_turn first
    tile.take_turn
    tile.pass_turn
    gpu.return
  }

  // A task is drawn in memory, and handed on like a tile with what follows from it: a word each, which every
  // lane reads before the warp's first one releases them.
  // CHECK-LABEL: gpu.func @tasks(
  // CHECK: %[[LAST:.*]] = arith.subi %[[COUNT:.*]], %c1_i32
  // CHECK: %[[DRAWN:.*]] = llvm.atomicrmw uinc_wrap %{{.*}}, %[[LAST]] syncscope("device") monotonic
  // CHECK: %[[BLOCKS:.*]] = arith.index_cast %{{.*}} : index to i32
  // CHECK: %[[TASK:.*]] = arith.addi %[[DRAWN]], %[[BLOCKS]]
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: llvm.store %[[TASK]], %{{.*}} : i32, !llvm.ptr<3>
  // CHECK: %[[WORD:.*]] = arith.index_cast %[[I:.*]] : index to i64
  // CHECK: %[[SECOND:.*]] = llvm.getelementptr %{{.*}}[8]
  // CHECK: llvm.store %[[WORD]], %[[SECOND]] : i64, !llvm.ptr<3>
  // CHECK: %[[THIRD:.*]] = llvm.getelementptr %{{.*}}[16]
  // CHECK: llvm.store %{{.*}}, %[[THIRD]] : f32, !llvm.ptr<3>
  // CHECK: nvvm.mbarrier.arrive %
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: %[[READ:.*]] = llvm.load %{{.*}} : !llvm.ptr<3> -> i32
  // CHECK: %[[ALL:.*]] = nvvm.redux.sync or %[[READ]]
  // CHECK: %[[READ_WORD:.*]] = llvm.load volatile %{{.*}} : !llvm.ptr<3> -> i64
  // CHECK: %[[READ_I:.*]] = arith.index_cast %[[READ_WORD]] : i64 to index
  // CHECK: %[[READ_X:.*]] = llvm.load volatile %{{.*}} : !llvm.ptr<3> -> f32
  // CHECK: nvvm.bar.warp.sync
  // CHECK-NEXT: arith.cmpi
  // CHECK-NEXT: scf.if
  // CHECK: nvvm.mbarrier.arrive %
  // CHECK: memref.store %[[ALL]], %{{.*}}[%[[READ_I]]]
  // CHECK: memref.store %[[READ_X]]
  gpu.func @tasks(%count: i32, %counter: !llvm.ptr<1>, %n: i32, %i: index, %x: f32, %o: memref<?xi32>, %p: memref<f32>)
      kernel attributes {attn.schedule = #schedule} {
    %r = tile.ring offset 592 barriers 0 readers 8 : !tile.ring<2 x tensor<3xi64>>
    %next = tile.draw_task %count from %counter : !llvm.ptr<1>
    tile.send %next, %i, %x : i32, index, f32 into %r at %n : !tile.ring<2 x tensor<3xi64>>
    %task = tile.receive [0] of %r at %n : !tile.ring<2 x tensor<3xi64>> -> i32
    %j, %y = tile.receive [1, 2] of %r at %n again : !tile.ring<2 x tensor<3xi64>> -> index, f32
    tile.release %r at %n : !tile.ring<2 x tensor<3xi64>>
    memref.store %task, %o[%j] : memref<?xi32>
    memref.store %y, %p[] : memref<f32>
    gpu.return
  }

  // One warp looks, where it is asked to, at 2048 bytes at a time; its first lane answers for it. Others
  // wait for the answer, and keep nobody waiting.
  // CHECK-LABEL: gpu.func @inspect(
  // CHECK-SAME: %{{.*}}: i32, %[[ASKED:.*]]: i1, %{{.*}}: memref<i1>)
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: %[[FOUND:.*]] = scf.if %[[ASKED]] -> (i1) {
  // CHECK:   scf.for %{{.*}} = %c0_i32{{.*}} to %c16384_i32{{.*}} step %c2048_i32
  // CHECK-COUNT-16: fma.rn.bf16x2
  // CHECK-NOT: fma.rn.bf16x2
  // CHECK:   %[[ANY:.*]] = nvvm.vote.sync any
  // CHECK:   scf.yield %[[ANY]] : i1
  // CHECK: } else {
  // CHECK:   scf.yield %false
  // CHECK: %[[ANSWER:.*]] = arith.extui %[[FOUND]]
  // CHECK: scf.if
  // CHECK:   llvm.store %[[ANSWER]], %{{.*}} : i32, !llvm.ptr<3>
  // CHECK:   nvvm.mbarrier.arrive %
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: %[[READ:.*]] = llvm.load %{{.*}} : !llvm.ptr<3> -> i32
  // CHECK-NOT: nvvm.mbarrier.arrive
  // CHECK: %[[DIRTY:.*]] = arith.cmpi ne, %[[READ]], %c0_i32
  // CHECK: memref.store %[[DIRTY]]
  gpu.func @inspect(%n: i32, %asked: i1, %o: memref<i1>) kernel attributes {attn.schedule = #schedule} {
    %r = tile.ring offset 1024 barriers 0 readers 9 : !tile.ring<2 x tensor<128x64xbf16>>
    %a = tile.ring offset 512 barriers 32 readers 8 : !tile.ring<2 x tensor<1xi64>>
    %t = tile.read %r at %n : !tile.ring<2 x tensor<128x64xbf16>> -> tensor<128x64xbf16, #tile.slot>
    %found = scf.if %asked -> i1 {
      %any = tile.has_nonfinite %t : tensor<128x64xbf16, #tile.slot>
      scf.yield %any : i1
    } else {
      %false = arith.constant false
      scf.yield %false : i1
    }
    tile.send %found : i1 about %t : tensor<128x64xbf16, #tile.slot> into %a at %n : !tile.ring<2 x tensor<1xi64>>
    %dirty = tile.receive [0] of %a at %n about %t : tensor<128x64xbf16, #tile.slot> : !tile.ring<2 x tensor<1xi64>> -> i1
    memref.store %dirty, %o[] : memref<i1>
    gpu.return
  }

  // 96 columns are six stores of 16 by 16, four of them in the first chunk; the copies start when the whole
  // warp has written, and one lane awaits them for it.
  // CHECK-LABEL: gpu.func @drain(
  // CHECK-COUNT-6: nvvm.stmatrix
  // CHECK-NOT: nvvm.stmatrix
  // CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
  // CHECK-NEXT: nvvm.bar.warp.sync
  // CHECK: scf.if
  // CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %{{.*}}, %{{.*}}, box[%c0_i32,
  // CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %{{.*}}, %{{.*}}, box[%c64_i32,
  // CHECK-NOT: nvvm.cp.async.bulk.tensor
  // CHECK: nvvm.cp.async.bulk.commit.group
  // CHECK: scf.if
  // CHECK-NEXT: nvvm.cp.async.bulk.wait_group 0 {read}
  // CHECK: nvvm.bar.warp.sync
  // CHECK: gpu.return
  gpu.func @drain(%n: i32, %map: !llvm.ptr, %i: index) kernel attributes {attn.schedule = #schedule} {
    %t = arith.constant dense<1.0> : !t
    %q = tile.ring offset 1024 barriers 0 readers 8 : !q
    tile.drain %t through %q at %n to %map[%i, %i, %i] : !t, !q
    tile.await_drain
    gpu.return
  }
}
