// Sums that leave for memory as threads hold them, and what threads share on the way to them.
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#ki = affine_map<(i, j, k) -> (k, i)>
#ik = affine_map<(i, j, k) -> (i, k)>
#jk = affine_map<(i, j, k) -> (j, k)>
#kj = affine_map<(i, j, k) -> (k, j)>
#ij = affine_map<(i, j, k) -> (i, j)>
#s = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys, once>, roles = <warps = 8, producers = 4>>
#all = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>
!k = tensor<128x128xbf16>
!ks = tensor<128x128xbf16, #tile.slot>
!ds = tensor<128x64xbf16>
!dss = tensor<128x64xbf16, #tile.slot>
!dq = tensor<64x128xf32, #tile.column_groups>
!rk = !tile.ring<1 x tensor<128x128xbf16>>
!rds = !tile.ring<2 x tensor<128x64xbf16>>
!rdq = !tile.ring<1 x tensor<64x128xf32>>
!sums = memref<?x?x?x16x128x4xf32>

gpu.module @kernels {
  // Each warp writes its 16 rows, four matrices of 8 by 8 at a time, and all that compute meet. Then the left operand's
  // columns are rows: both operands go on by 16 rows of 128 bytes for each 16 of the depth, and a group multiplies its
  // own 64 columns of the right one.
  // CHECK-LABEL: gpu.func @share(
  // CHECK-COUNT-4: nvvm.stmatrix
  // CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>
  // CHECK: nvvm.barrier id = %c1_i32{{.*}} number_of_threads = %c256_i32
  // CHECK: %[[OWN:.*]] = arith.muli %{{.*}}, %c16384_i32
  // CHECK: llvm.inline_asm has_side_effects "{{.*}}add.s64 b, $33, 128;\0Aadd.s64 a, $32, 128;\0Awgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{{[^}]*}}}, a, b, p, 1, 1, 1, 1;
  // CHECK-NOT: m64n128k16
  gpu.func @share(%n: i32) kernel attributes {attn.schedule = #s} {
    %kr = tile.ring offset 1024 barriers 0 readers 8 : !rk
    %dsr = tile.ring offset 33792 : !rds
    %k = tile.read %kr at %n : !rk -> !ks
    %ds = arith.constant dense<1.0> : !ds
    %shared = tile.share %ds into %dsr at %n : !ds, !rds
    %zero = arith.constant dense<0.0> : !dq
    %dq = linalg.contract indexing_maps = [#ki, #kj, #ij] ins(%shared, %k : !dss, !ks) outs(%zero : !dq) -> !dq
    gpu.return
  }

  // What a product starts with has the accumulator's registers before any product runs.
  // CHECK-LABEL: gpu.func @start(
  // CHECK: %[[HELD:.*]] = llvm.inline_asm has_side_effects "", "=f,{{.*}},0,1,{{.*}},31,~{memory}" %{{.*}} -> !llvm.struct
  // CHECK: %[[FIRST:.*]] = llvm.extractvalue %[[HELD]][0]
  // CHECK: llvm.inline_asm has_side_effects "{{.*}}setp.ne.b32 p, 1, 0;{{.*}}wgmma.mma_async{{.*}}" %[[FIRST]],
  gpu.func @start(%n: i32, %x: index, %o: memref<?x?x64xf32>) kernel attributes {attn.schedule = #s} {
    %kr = tile.ring offset 1024 barriers 0 readers 8 : !rk
    %qr = tile.ring offset 33792 barriers 16 readers 8 : !tile.ring<1 x tensor<64x128xbf16>>
    %rr = tile.ring offset 50176 barriers 32 readers 8 : !tile.ring<1 x tensor<64xf32>>
    %k = tile.read %kr at %n : !rk -> !ks
    %q = tile.read %qr at %n : !tile.ring<1 x tensor<64x128xbf16>> -> tensor<64x128xbf16, #tile.slot>
    %r = tile.read %rr at %n : !tile.ring<1 x tensor<64xf32>> -> tensor<64xf32, #tile.slot>
    %e = tensor.empty() : tensor<128x64xf32>
    %less = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]} ins(%r : tensor<64xf32, #tile.slot>) outs(%e : tensor<128x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %minus = arith.negf %in : f32
      linalg.yield %minus : f32
    } -> tensor<128x64xf32>
    %s = tile.start %k, %q, %less {rhs_transposed} : !ks, tensor<64x128xbf16, #tile.slot>, tensor<128x64xf32>
    %done = tile.await %s pending 0 : !tile.started<tensor<128x64xf32>>
    tile.store %done, %o[%x, %x] : tensor<128x64xf32>, memref<?x?x64xf32>
    gpu.return
  }

  // A tile has arrived when eight warps have put their shares: 16 bytes of a thread for each 8 of its 64 columns, 2048
  // bytes apart. It is released by the one who adds it to memory, all 32 KiB at once.
  // CHECK-LABEL: gpu.func @put(
  // CHECK: nvvm.mbarrier.init %{{.*}}, %c8_i32
  // CHECK: nvvm.mbarrier.init %{{.*}}, %c1_i32
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>
  // CHECK: llvm.getelementptr %[[FIRST:.*]][2048]
  // CHECK-COUNT-7: llvm.store {{.*}} : vector<4xf32>
  // CHECK-NOT: llvm.store
  // CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>
  // CHECK-NEXT: nvvm.bar.warp.sync
  // CHECK: nvvm.mbarrier.arrive %
  // CHECK: nvvm.mbarrier.try_wait.parity
  // CHECK: llvm.inline_asm {{.*}}cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], [$1], $2;{{.*}} %c32768_i32
  // CHECK-NEXT: nvvm.cp.async.bulk.commit.group
  // CHECK-NEXT: nvvm.cp.async.bulk.wait_group 0 {read}
  // CHECK-NEXT: nvvm.mbarrier.arrive %
  gpu.func @put(%n: i32, %m: !sums, %i: index) kernel attributes {attn.schedule = #s} {
    %r = tile.ring offset 1024 barriers 0 readers 1 : !rdq
    %dq = arith.constant dense<1.0> : !dq
    tile.put %dq into %r at %n : !dq, !rdq
    tile.hand_on %r at %n : !rdq
    tile.add_to_memory %r at %n, %m[%i, %i, %i] : !rdq, !sums
    gpu.return
  }

  // Without roles threads read and write such memory for themselves.
  // CHECK-LABEL: gpu.func @held(
  // CHECK-COUNT-16: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  // CHECK-COUNT-16: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  gpu.func @held(%m: !sums, %i: index, %j: index) kernel attributes {attn.schedule = #all} {
    %t = tile.load %m[%i, %i, %i] held : !sums -> tensor<64x128xf32>
    tile.store %t, %m[%i, %i, %j] held : tensor<64x128xf32>, !sums
    gpu.return
  }

  // A thread looks at its two rows, 32 words each, and asks the others of the quad. What is not finite becomes zero
  // where the warp has found some.
  // CHECK-LABEL: gpu.func @isolate(
  // CHECK-COUNT-16: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
  // CHECK-COUNT-2: nvvm.shfl.sync bfly
  // CHECK-COUNT-16: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
  // CHECK-COUNT-2: nvvm.shfl.sync bfly
  // CHECK: %[[ANY:.*]] = nvvm.vote.sync any
  // CHECK: scf.if %[[ANY]]
  // CHECK-COUNT-32: llvm.store %{{.*}} : i32, !llvm.ptr<3>
  // CHECK-NEXT: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>
  gpu.func @isolate(%n: i32, %m: memref<?xf32>, %i: index) kernel attributes {attn.schedule = #s} {
    %kr = tile.ring offset 1024 barriers 0 readers 8 : !rk
    %k = tile.read %kr at %n : !rk -> !ks
    %rows, %any = tile.isolate_nonfinite %k : !ks -> tensor<128xf32>
    tile.store %rows, %m[%i] : tensor<128xf32>, memref<?xf32>
    gpu.return
  }
}
