// RUN: attn-opt %s --allow-unregistered-dialect --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-retry-nonfinite,canonicalize)))" \
// RUN:   --verify-roundtrip | FileCheck %s

!memory = memref<?x16xbf16, strided<[?, 1], offset: ?>>
!shared = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
!row = tensor<16xf32>

gpu.module @kernels {
  // The first attempt asks nothing in its loop; the copy of the loop's first tile is
  // part of it, that of the queries is not. The output decides whether there is a
  // second one, which asks.
  // CHECK-LABEL: gpu.func @retry(
  // CHECK-DAG: %[[FALSE:.*]] = arith.constant false
  // CHECK-DAG: %[[TRUE:.*]] = arith.constant true
  // CHECK: tile.copy {{.*}} to %[[Q:[^ ]*]] {async}
  // CHECK: %[[R:.*]]:2 = scf.while (%[[CAREFUL:.*]] = %[[FALSE]]) : (i1) -> (tensor<16xf32>, tensor<16x16xf32>) {
  // CHECK:   tile.copy {{.*}} to %[[V:[^ ]*]] {async}
  // CHECK:   tile.view %[[Q]]
  // CHECK:   %[[LOOP:.*]]:2 = scf.for
  // CHECK:     %[[TILE:.*]] = tile.view %[[V]]
  // CHECK:     %[[DIRTY:.*]] = scf.if %[[CAREFUL]] -> (i1) {
  // CHECK:       %[[ASKED:.*]] = tile.has_nonfinite %[[TILE]]
  // CHECK:       scf.yield %[[ASKED]]
  // CHECK:     } else {
  // CHECK:       scf.yield %[[FALSE]]
  // CHECK:     }
  // CHECK:     scf.if %[[DIRTY]]
  // CHECK:     tile.copy {{.*}} to %[[V]]
  // CHECK:   %[[CAREFREE:.*]] = arith.xori %[[CAREFUL]], %[[TRUE]]
  // CHECK:   %[[HARM:.*]] = tile.has_nonfinite %[[LOOP]]#1
  // CHECK:   %[[AGAIN:.*]] = arith.andi %[[CAREFREE]], %[[HARM]]
  // CHECK:   scf.condition(%[[AGAIN]]) %[[LOOP]]#0, %[[LOOP]]#1
  // CHECK: } do {
  // CHECK:   scf.yield %[[TRUE]]
  // CHECK: }
  // CHECK: "use"(%[[R]]#0, %[[R]]#1)
  gpu.func @retry(%m: !memory, %q: !shared, %v: !shared, %n: index, %l0: !row, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.copy %m[%c0] to %q {async} : !memory to !shared
    tile.copy %m[%c0] to %v {async} : !memory to !shared
    nvvm.cp.async.commit.group
    %qt = tile.view %q : !shared -> !hp
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%l = %l0, %o = %o0) -> (!row, !f) {
      %vt = tile.view %v : !shared -> !hp
      %dirty = tile.has_nonfinite %vt : !hp
      %weights = "weights"(%qt) : (!hp) -> !h
      %init = scf.if %dirty -> !f {
        %x = tile.add_nonfinite %weights, %vt, %o : !h, !hp, !f
        scf.yield %x : !f
      } else {
        scf.yield %o : !f
      }
      tile.copy %m[%j] to %v {async} : !memory to !shared
      %next = "some"(%l) : (!row) -> !row
      scf.yield %next, %init : !row, !f
    }
    "use"(%r#0, %r#1) : (!row, !f) -> ()
    gpu.return
  }

  // The first tile may be copied in a branch, where a loop may have no iteration: an attempt copies it again as well.
  // CHECK-LABEL: gpu.func @branch(
  // CHECK: tile.copy {{.*}} to %[[Q:[^ ]*]] {async}
  // CHECK: scf.while
  // CHECK:   scf.if
  // CHECK:     tile.copy {{.*}} to %[[V:[^ ]*]] {async}
  // CHECK:   scf.for
  // CHECK:     tile.copy {{.*}} to %[[V]]
  // CHECK:   scf.condition
  gpu.func @branch(%m: !memory, %q: !shared, %v: !shared, %n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.copy %m[%c0] to %q {async} : !memory to !shared
    %any = arith.cmpi slt, %c0, %n : index
    scf.if %any {
      tile.copy %m[%c0] to %v {async} : !memory to !shared
    }
    %qt = tile.view %q : !shared -> !hp
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0) -> !f {
      %vt = tile.view %v : !shared -> !hp
      %dirty = tile.has_nonfinite %vt : !hp
      %weights = "weights"(%qt) : (!hp) -> !h
      %init = scf.if %dirty -> !f {
        %x = tile.add_nonfinite %weights, %vt, %o : !h, !hp, !f
        scf.yield %x : !f
      } else {
        scf.yield %o : !f
      }
      tile.copy %m[%j] to %v {async} : !memory to !shared
      scf.yield %init : !f
    }
    "use"(%r) : (!f) -> ()
    gpu.return
  }

  // All buffers are parts of one memory: what is copied into another buffer than the loop's is not part of an attempt.
  // CHECK-LABEL: gpu.func @placed(
  // CHECK: tile.copy
  // CHECK: scf.while
  // CHECK:   tile.copy
  // CHECK:   scf.for
  // CHECK:     tile.copy
  // CHECK-NOT: tile.copy
  // CHECK: gpu.return
  gpu.func @placed(%m: !memory, %n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c768 = arith.constant 768 : index
    %all = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %q = memref.view %all[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to !shared
    %ring = memref.view %all[%c768][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<1536xi8, #gpu.address_space<workgroup>>
    tile.copy %m[%c0] to %q {async} : !memory to !shared
    %first = memref.view %ring[%c0][] : memref<1536xi8, #gpu.address_space<workgroup>> to !shared
    tile.copy %m[%c0] to %first {async} : !memory to !shared
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0) -> !f {
      %vt = tile.view %first : !shared -> !hp
      %dirty = tile.has_nonfinite %vt : !hp
      %weights = "weights"(%vt) : (!hp) -> !h
      %init = scf.if %dirty -> !f {
        %x = tile.add_nonfinite %weights, %vt, %o : !h, !hp, !f
        scf.yield %x : !f
      } else {
        scf.yield %o : !f
      }
      %second = memref.view %ring[%c768][] : memref<1536xi8, #gpu.address_space<workgroup>> to !shared
      tile.copy %m[%j] to %second {async} : !memory to !shared
      scf.yield %init : !f
    }
    "use"(%r) : (!f) -> ()
    gpu.return
  }

  // In a loop over tasks each task has its attempts.
  // CHECK-LABEL: gpu.func @tasks(
  // CHECK: scf.while
  // CHECK:   scf.condition
  // CHECK: } do {
  // CHECK:   scf.while (%[[CAREFUL:.*]] = %{{.*}}) : (i1) -> tensor<16x16xf32> {
  // CHECK:     tile.copy
  // CHECK:     scf.for
  // CHECK:       scf.if %[[CAREFUL]]
  // CHECK:     scf.condition
  // CHECK:   "use"
  gpu.func @tasks(%m: !memory, %v: !shared, %n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %last = scf.while (%task = %c0) : (index) -> index {
      %more = arith.cmpi slt, %task, %n : index
      scf.condition(%more) %task : index
    } do {
    ^bb0(%task: index):
      tile.copy %m[%task] to %v {async} : !memory to !shared
      %r = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0) -> !f {
        %vt = tile.view %v : !shared -> !hp
        %dirty = tile.has_nonfinite %vt : !hp
        %weights = "weights"(%vt) : (!hp) -> !h
        %init = scf.if %dirty -> !f {
          %x = tile.add_nonfinite %weights, %vt, %o : !h, !hp, !f
          scf.yield %x : !f
        } else {
          scf.yield %o : !f
        }
        tile.copy %m[%j] to %v {async} : !memory to !shared
        scf.yield %init : !f
      }
      "use"(%r) : (!f) -> ()
      %next = arith.addi %task, %c1 : index
      scf.yield %next : index
    }
    gpu.return
  }

  // Of several matrices any one decides. Stages are parts of a buffer: the loop copies into the one that the copy
  // before it begins with. Tensors without elements stay where they are, for what is behind the attempts.
  // CHECK-LABEL: gpu.func @several(
  // CHECK: tensor.empty
  // CHECK: %[[R:.*]]:2 = scf.while
  // CHECK:   tile.copy
  // CHECK:   %[[LOOP:.*]]:2 = scf.for
  // CHECK:   %[[CAREFREE:.*]] = arith.xori
  // CHECK:   %[[FIRST:.*]] = tile.has_nonfinite %[[LOOP]]#0
  // CHECK:   %[[SECOND:.*]] = tile.has_nonfinite %[[LOOP]]#1
  // CHECK:   %[[HARM:.*]] = arith.ori %[[FIRST]], %[[SECOND]]
  // CHECK:   %[[AGAIN:.*]] = arith.andi %[[CAREFREE]], %[[HARM]]
  // CHECK:   scf.condition(%[[AGAIN]]) %[[LOOP]]#0, %[[LOOP]]#1
  gpu.func @several(%m: !memory, %ring: memref<1536xi8, #gpu.address_space<workgroup>>, %n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c768 = arith.constant 768 : index
    %first = memref.view %ring[%c0][] : memref<1536xi8, #gpu.address_space<workgroup>> to !shared
    tile.copy %m[%c0] to %first {async} : !memory to !shared
    %empty = tensor.empty() : !f
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0, %p = %o0) -> (!f, !f) {
      %vt = tile.view %first : !shared -> !hp
      %dirty = tile.has_nonfinite %vt : !hp
      %weights = "weights"(%vt) : (!hp) -> !h
      %init = scf.if %dirty -> !f {
        %x = tile.add_nonfinite %weights, %vt, %o : !h, !hp, !f
        scf.yield %x : !f
      } else {
        scf.yield %o : !f
      }
      %second = memref.view %ring[%c768][] : memref<1536xi8, #gpu.address_space<workgroup>> to !shared
      tile.copy %m[%j] to %second {async} : !memory to !shared
      %next = "some"(%p) : (!f) -> !f
      scf.yield %init, %next : !f, !f
    }
    "use"(%r#0, %r#1, %empty) : (!f, !f, !f) -> ()
    gpu.return
  }

  // CHECK-LABEL: gpu.func @nobody_asks(
  // CHECK-NOT: scf.while
  gpu.func @nobody_asks(%n: index, %o0: !f) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%o = %o0) -> !f {
      %x = "some"(%o) : (!f) -> !f
      scf.yield %x : !f
    }
    "use"(%r) : (!f) -> ()
    gpu.return
  }
}
