// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-stage-loads)))" \
// RUN:   --verify-roundtrip | FileCheck %s

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!f = tensor<64x64xf32>
!h = tensor<64x64xbf16>

gpu.module @kernels {
  // Three buffers of 64 rows, each row padded by 16 bytes.
  // CHECK-LABEL: gpu.func @ring(
  // CHECK-SAME: %[[Q:.*]]: memref<?x64xbf16, {{.*}}>, %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[V:.*]]: memref<?x64xbf16, {{.*}}>, %[[N:.*]]: index)
  // CHECK: %[[BQ:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // CHECK: %[[BK:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // CHECK: %[[BV:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // Before the loop: the query tile and the first key tile.
  // CHECK: tile.copy %[[Q]][%{{.*}}] to %[[BQ]] {async}
  // CHECK: %[[FIRST:.*]] = arith.muli %{{.*}}, %c64
  // CHECK: tile.copy %[[K]][%[[FIRST]]] to %[[BK]] {async}
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: nvvm.cp.async.wait.group 0
  // CHECK: gpu.barrier
  // CHECK: %[[QT:.*]] = tile.view %[[BQ]]
  // CHECK: scf.for %[[J:.*]] = %{{.*}} to %[[N]] step %c1
  // While the first product is computed, the values are on their way.
  // CHECK:   nvvm.cp.async.wait.group 0
  // CHECK:   gpu.barrier
  // CHECK:   %[[AT:.*]] = arith.muli %[[J]], %c64
  // CHECK:   tile.copy %[[V]][%[[AT]]] to %[[BV]] {async}
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   %[[KT:.*]] = tile.view %[[BK]]
  // CHECK:   %[[S:.*]] = linalg.contract {{.*}} ins(%[[QT]], %[[KT]]
  // While the second is, the next keys are, if there are any.
  // CHECK:   nvvm.cp.async.wait.group 0
  // CHECK:   gpu.barrier
  // CHECK:   %[[NEXT:.*]] = arith.addi %[[J]], %c1
  // CHECK:   %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]]
  // CHECK:   scf.if %[[MORE]] {
  // CHECK:     %[[THERE:.*]] = arith.muli %[[NEXT]], %c64
  // CHECK:     tile.copy %[[K]][%[[THERE]]] to %[[BK]] {async}
  // CHECK:   }
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   %[[VT:.*]] = tile.view %[[BV]]
  // CHECK:   linalg.contract {{.*}} ins(%{{.*}}, %[[VT]]
  // CHECK-NOT: tile.load
  gpu.func @ring(%q: !memory, %k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !f
    %qt = tile.load %q[%c0] : !memory -> !h
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %at = arith.muli %j, %c64 : index
      %kt = tile.load %k[%at] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%qt, %kt : !h, !h) outs(%zero : !f) -> !f
      %vt = tile.load %v[%at] : !memory -> !h
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // Rows at any address are copied element by element, not asynchronously.
  // CHECK-LABEL: gpu.func @unaligned(
  // CHECK: tile.copy
  // CHECK-NOT: {async}
  gpu.func @unaligned(%k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <unaligned>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
      %vt = tile.load %v[%j] : !memory -> !h
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // Tiles that are not read one after the other are copied together: with two stages, those of the next iteration to
  // the other half of their buffers. What is owned is there before it is first read.
  // CHECK-LABEL: gpu.func @together(
  // CHECK-SAME: %[[Q:.*]]: memref<?x64xbf16, {{.*}}>, %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[V:.*]]: memref<?x64xbf16, {{.*}}>, %[[N:.*]]: index)
  // CHECK: %[[BQ:.*]] = memref.alloc() : memref<64x72xbf16, #gpu.address_space<workgroup>>
  // CHECK: %[[BK:.*]] = memref.alloc() : memref<18432xi8, #gpu.address_space<workgroup>>
  // CHECK: %[[BV:.*]] = memref.alloc() : memref<18432xi8, #gpu.address_space<workgroup>>
  // CHECK: tile.copy %[[Q]][%{{.*}}] to %[[BQ]] {async}
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: nvvm.cp.async.wait.group 0
  // CHECK: gpu.barrier
  // CHECK: %[[QT:.*]] = tile.view %[[BQ]] : {{.*}} -> tensor<64x64xbf16, #tile.left_operand>
  // CHECK: %[[QM:.*]] = tile.view %[[BQ]] : {{.*}} -> tensor<64x64xbf16, #tile.padded<72>>
  // CHECK: linalg.generic {{.*}} ins(%[[QM]]
  // CHECK-NOT: gpu.barrier
  // CHECK: %[[FIRSTK:.*]] = memref.view %[[BK]]
  // CHECK: tile.copy %[[K]][%{{.*}}] to %[[FIRSTK]] {async}
  // CHECK: %[[FIRSTV:.*]] = memref.view %[[BV]]
  // CHECK: tile.copy %[[V]][%{{.*}}] to %[[FIRSTV]] {async}
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: scf.for %[[J:.*]] = %c0 to %[[N]] step %c1
  // CHECK:   nvvm.cp.async.wait.group 0
  // CHECK:   gpu.barrier
  // CHECK:   %[[NEXT:.*]] = arith.addi %[[J]], %c1
  // CHECK:   %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[N]]
  // CHECK:   scf.if %[[MORE]] {
  // CHECK:     %[[COUNT:.*]] = arith.subi %[[NEXT]], %c0
  // CHECK:     %[[ODD:.*]] = arith.andi %[[COUNT]], %{{.*}}
  // CHECK:     %[[OFFSET:.*]] = arith.muli %[[ODD]], %c9216
  // CHECK:     %[[NEXTK:.*]] = memref.view %[[BK]][%[[OFFSET]]][]
  // CHECK:     tile.copy %[[K]][%{{.*}}] to %[[NEXTK]] {async}
  // CHECK:     tile.copy %[[V]]
  // CHECK:     nvvm.cp.async.commit.group
  // CHECK:   }
  // CHECK:   %[[NOWCOUNT:.*]] = arith.subi %[[J]], %c0
  // CHECK:   %[[NOWODD:.*]] = arith.andi %[[NOWCOUNT]], %{{.*}}
  // CHECK:   %[[NOW:.*]] = arith.muli %[[NOWODD]], %c9216
  // CHECK:   %[[NOWK:.*]] = memref.view %[[BK]][%[[NOW]]][]
  // CHECK:   %[[KT:.*]] = tile.view %[[NOWK]]
  // CHECK:   %[[VT:.*]] = tile.view
  // CHECK:   linalg.contract {{.*}} ins(%[[QT]], %[[KT]]
  // CHECK:   linalg.contract {{.*}} ins(%[[QT]], %[[VT]]
  // CHECK-NOT: gpu.barrier
  // CHECK: gpu.return
  gpu.func @together(%q: !memory, %k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : !f
    %qt = tile.load %q[%c0] : !memory -> !h
    %empty = tensor.empty() : !f
    %wide = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%qt : !h) outs(%empty : !f) {
    ^bb0(%x: bf16, %unused: f32):
      %y = arith.extf %x : bf16 to f32
      linalg.yield %y : f32
    } -> !f
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %wide) -> !f {
      %at = arith.muli %j, %c64 : index
      %kt = tile.load %k[%at] : !memory -> !h
      %vt = tile.load %v[%at] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%qt, %kt : !h, !h) outs(%zero : !f) -> !f
      %p = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%qt, %vt : !h, !h) outs(%s : !f) -> !f
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%p, %kt : !f, !h) outs(%acc : !f) -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // With one stage they come at the begin of their iteration, when all have read what is there. A loop that is run
  // again and again needs nothing else.
  // CHECK-LABEL: gpu.func @one_stage(
  // CHECK-SAME: %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[V:[^:]*]]: memref<?x64xbf16,
  // CHECK-COUNT-2: memref.alloc() : memref<9216xi8, #gpu.address_space<workgroup>>
  // CHECK-NOT: tile.copy
  // CHECK: scf.for
  // CHECK-NEXT: scf.for
  // CHECK-NEXT: gpu.barrier
  // CHECK: tile.copy %[[K]]
  // CHECK: tile.copy %[[V]]
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK-NEXT: nvvm.cp.async.wait.group 0
  // CHECK-NEXT: gpu.barrier
  // CHECK-NOT: {{gpu.barrier|tile.copy|scf.if}}
  // CHECK: gpu.return
  gpu.func @one_stage(%k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %g = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> !f {
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %sum) -> !f {
        %kt = tile.load %k[%j] : !memory -> !h
        %vt = tile.load %v[%j] : !memory -> !h
        %o = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%kt, %vt : !h, !h) outs(%acc : !f) -> !f
        scf.yield %o : !f
      }
      scf.yield %r : !f
    }
    gpu.return
  }

  // A loop inside of another one begins where others may still read what it left: behind a barrier. Its tiles are
  // copied together though they are read one after the other.
  // CHECK-LABEL: gpu.func @nested(
  // CHECK: scf.for %[[I:[^ ]*]] =
  // CHECK-NEXT: gpu.barrier
  // CHECK: tile.copy %{{.*}}[%[[I]], %{{.*}}] to %{{.*}} {async}
  // CHECK: tile.copy %{{.*}}[%[[I]], %{{.*}}] to %{{.*}} {async}
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK-NEXT: scf.for
  // CHECK-NEXT: nvvm.cp.async.wait.group 0
  gpu.func @nested(%k: memref<?x?x64xbf16>, %v: memref<?x?x64xbf16>, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %g = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %zero) -> !f {
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %sum) -> !f {
        %kt = tile.load %k[%i, %j] : memref<?x?x64xbf16> -> !h
        %s = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
        %vt = tile.load %v[%i, %j] : memref<?x?x64xbf16> -> !h
        %o = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
        scf.yield %o : !f
      }
      scf.yield %r : !f
    }
    gpu.return
  }

  // The same where a loop over tasks has no count. The first tiles of a visit are on their way while those of the task
  // are awaited.
  // CHECK-LABEL: gpu.func @tasks_while(
  // CHECK-SAME: %[[Q:[^:]*]]: memref
  // CHECK: } do {
  // CHECK-NEXT: ^bb0(%[[I:[^:]*]]: index):
  // CHECK: gpu.barrier
  // CHECK-NEXT: tile.copy %[[Q]][%[[I]], %{{.*}}]
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK: scf.if
  // CHECK: tile.copy
  // CHECK: tile.copy {{.*}} to memref<
  // CHECK-NEXT: }
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK-NEXT: nvvm.cp.async.wait.group 1
  // CHECK-NEXT: gpu.barrier
  // CHECK-NEXT: tile.view
  // CHECK-NEXT: scf.for
  // CHECK-NEXT: nvvm.cp.async.wait.group 0
  gpu.func @tasks_while(%q: memref<?x?x64xbf16>, %k: !memory, %v: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    %last = scf.while (%task = %c0) : (index) -> index {
      %more = arith.cmpi slt, %task, %n : index
      scf.condition(%more) %task : index
    } do {
    ^bb0(%task: index):
      %qt = tile.load %q[%task, %c0] : memref<?x?x64xbf16> -> !h
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
        %kt = tile.load %k[%j] : !memory -> !h
        %s = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%qt, %kt : !h, !h) outs(%zero : !f) -> !f
        %vt = tile.load %v[%j] : !memory -> !h
        %o = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
        scf.yield %o : !f
      }
      %next = arith.addi %task, %c1 : index
      scf.yield %next : index
    }
    gpu.return
  }

  // Tiles that a task goes to one after the other, and what each visits: once all have read those of the one before.
  // CHECK-LABEL: gpu.func @tasks_in_a_loop(
  // CHECK-SAME: %[[Q:[^:]*]]: memref
  // CHECK: scf.for %[[I:[^ ]*]] =
  // CHECK: gpu.barrier
  // CHECK-NEXT: tile.copy %[[Q]][%{{.*}}, %[[I]]]
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK: scf.if
  // CHECK: tile.copy
  // CHECK: tile.copy {{.*}} to memref<
  // CHECK-NEXT: }
  // CHECK-NEXT: nvvm.cp.async.commit.group
  // CHECK-NEXT: nvvm.cp.async.wait.group 1
  // CHECK-NEXT: gpu.barrier
  // CHECK-NEXT: tile.view
  // CHECK-NEXT: scf.for
  // CHECK-NEXT: nvvm.cp.async.wait.group 0
  gpu.func @tasks_in_a_loop(%q: memref<?x?x64xbf16>, %k: memref<?x?x64xbf16>, %v: memref<?x?x64xbf16>, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    scf.for %i = %c0 to %n step %c1 {
      %qt = tile.load %q[%c0, %i] : memref<?x?x64xbf16> -> !h
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
        %kt = tile.load %k[%c0, %j] : memref<?x?x64xbf16> -> !h
        %s = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%qt, %kt : !h, !h) outs(%zero : !f) -> !f
        %vt = tile.load %v[%c0, %j] : memref<?x?x64xbf16> -> !h
        %o = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%s, %vt : !f, !h) outs(%acc : !f) -> !f
        scf.yield %o : !f
      }
    }
    gpu.return
  }

  // Without tiles there is nothing to do.
  // CHECK-LABEL: gpu.func @numbers(
  // CHECK-NEXT: gpu.return
  gpu.func @numbers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    gpu.return
  }

  // Vectors, and what no product reads, are left to the threads, wherever they are.
  // CHECK-LABEL: gpu.func @for_threads(
  // CHECK-SAME: %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[O:.*]]: memref<?x64xbf16, {{.*}}>, %[[L:.*]]: memref<?xf32>,
  // CHECK: tile.load %[[O]]
  // CHECK: scf.for
  // CHECK: tile.load %[[L]]
  // CHECK-NOT: tile.load
  gpu.func @for_threads(%k: !memory, %out: !memory, %lse: memref<?xf32>, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %empty = tensor.empty() : !f
    %ot = tile.load %out[%c0] : !memory -> !h
    %wide = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%ot : !h) outs(%empty : !f) {
    ^bb0(%x: bf16, %unused: f32):
      %y = arith.extf %x : bf16 to f32
      linalg.yield %y : f32
    } -> !f
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %wide) -> !f {
      %kt = tile.load %k[%j] : !memory -> !h
      %vt = tile.load %k[%j] : !memory -> !h
      %l = tile.load %lse[%j] : memref<?xf32> -> tensor<64xf32, #tile.columns>
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %vt : !h, !h) outs(%acc : !f) -> !f
      %o = linalg.generic {indexing_maps = [#ij, affine_map<(i, j) -> (j)>, #ij], iterator_types = ["parallel", "parallel"]}
          ins(%s, %l : !f, tensor<64xf32, #tile.columns>) outs(%empty : !f) {
      ^bb0(%x: f32, %y: f32, %unused: f32):
        %z = arith.subf %x, %y : f32
        linalg.yield %z : f32
      } -> !f
      scf.yield %o : !f
    }
    gpu.return
  }

  // What is not a kernel is left alone.
  // CHECK-LABEL: gpu.func @helper(
  // CHECK: tile.load
  gpu.func @helper(%k: !memory) {
    %c0 = arith.constant 0 : index
    %kt = tile.load %k[%c0] : !memory -> !h
    gpu.return
  }

  // A warp that is alone waits for nobody: the next step's copies are on their way before it awaits those of its own,
  // one tensor after the other. They go through the L2 cache, which need not keep them; the queries are read by others.
  // CHECK-LABEL: gpu.func @warp(
  // CHECK-SAME: %[[Q:.*]]: memref<?x64xbf16, {{.*}}>, %[[K:.*]]: memref<?x64xbf16, {{.*}}>, %[[V:.*]]: memref<?x64xbf16, {{.*}}>, %[[N:.*]]: index)
  // CHECK: tile.copy %[[Q]][%{{.*}}] to %{{.*}} {async} :
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: tile.copy %[[K]][%{{.*}}] to %{{.*}} {async, read_once} :
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: tile.copy %[[V]][%{{.*}}] to %{{.*}} {async, read_once} :
  // CHECK: nvvm.cp.async.commit.group
  // CHECK: nvvm.cp.async.wait.group 2
  // CHECK: scf.for
  // CHECK-NEXT: %[[ALL:.*]] = arith.constant -1 : i32
  // CHECK-NEXT: nvvm.bar.warp.sync %[[ALL]]
  // CHECK:   tile.copy %[[K]]
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   tile.copy %[[V]]
  // CHECK:   nvvm.cp.async.commit.group
  // CHECK:   nvvm.cp.async.wait.group 3
  // CHECK:   nvvm.bar.warp.sync
  // CHECK:   linalg.contract
  // CHECK:   nvvm.cp.async.wait.group 2
  // CHECK:   nvvm.bar.warp.sync
  // CHECK:   linalg.contract
  // CHECK-NOT: gpu.barrier
  // CHECK: gpu.return
  gpu.func @warp(%q: !memory, %k: !memory, %v: !memory, %n: index) kernel attributes {attn.schedule =
      #attn.schedule<tiling = <q = 16, kv = 128, shares>, roles = <key_warps = 2>, pipeline = <stages = 2, read_once>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant dense<0.0> : tensor<16x64xf32>
    scf.for %task = %c0 to %n step %c1 {
      %qt = tile.load %q[%task] : !memory -> tensor<16x64xbf16>
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> tensor<16x64xf32> {
        %at = arith.muli %j, %c64 : index
        %kt = tile.load %k[%at] : !memory -> !h
        %s = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%qt, %kt : tensor<16x64xbf16>, !h) outs(%zero : tensor<16x64xf32>) -> tensor<16x64xf32>
        %vt = tile.load %v[%at] : !memory -> !h
        %o = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%s, %vt : tensor<16x64xf32>, !h) outs(%acc : tensor<16x64xf32>) -> tensor<16x64xf32>
        scf.yield %o : tensor<16x64xf32>
      }
    }
    gpu.return
  }
}
