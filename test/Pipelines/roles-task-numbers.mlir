// RUN: attn-opt %s --allow-unregistered-dialect --split-input-file --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-task-numbers,tile-make-rings,tile-inspect-apart,tile-drain-output,tile-give-roles,tile-hand-on-tasks,tile-receive-again,tile-roles-to-warps,tile-place-shared,canonicalize)))" \
// RUN:   | FileCheck %s

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// What follows from a task's number, the producer computes and hands on, what is read from memory
// as well; nobody else does. A cast is not worth a place, nor is what only follows from the kernel's
// arguments, nor what only another such number uses. Behind the loop they are read again.
// CHECK-LABEL: gpu.func @kernel(
// CHECK: %[[TR:.*]] = tile.ring offset 592 {{.*}} : <2 x tensor<4xi64>>
// CHECK: nvvm.setmaxregister increase
// CHECK: scf.while
// CHECK:   tile.receive [0] of %[[TR]]
// CHECK: ^bb0(%[[N:.*]]: i32, %{{.*}}: i32):
// CHECK: %[[NUMBERS:.*]]:3 = tile.receive [1, 2, 3] of %[[TR]] at %[[N]] again : {{.*}} -> index, f32, i32
// CHECK-NOT: arith.divui
// CHECK-NOT: memref.load
// CHECK:   %[[STEPS:.*]] = arith.index_cast %[[NUMBERS]]#2 : i32 to index
// CHECK-NOT: arith.divui
// CHECK-NOT: memref.load
// CHECK:   memref.store %[[NUMBERS]]#1, %{{.*}}[%[[NUMBERS]]#0]
// CHECK:   scf.for %{{.*}} = %c0 to %[[STEPS]]
// CHECK:   %[[AGAIN:.*]] = tile.receive [1] of %[[TR]] at %[[N]] again : {{.*}} -> index
// CHECK:   memref.store %{{.*}}, %{{.*}}[%[[AGAIN]]]
// CHECK:   tile.release %[[TR]] at %[[N]]
// CHECK: nvvm.setmaxregister decrease
// CHECK: ^bb0(%[[TASK:.*]]: i32, %[[N:.*]]: i32, %{{.*}}: i32):
// CHECK:   %[[ROW:.*]] = arith.muli
// CHECK:   %[[HEAD:.*]] = arith.divui %[[TASK]]
// CHECK:   %[[SLOPE:.*]] = memref.load
// CHECK:   %[[HIGH:.*]] = memref.load
// CHECK:   tile.send %[[TASK]], %[[ROW]], %[[SLOPE]], %[[HIGH]] : i32, index, f32, i32 into %[[TR]] at %[[N]]
// CHECK:   tile.fill
gpu.module @kernels {
  gpu.func @kernel(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %lengths: memref<?xi32>, %slopes: memref<?xf32>, %out: memref<?xf32>,
                   %count: i32, %heads: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %number = arith.index_cast %task : i32 to index
      %row = arith.muli %number, %c128 : index
      %head = arith.divui %task, %heads : i32
      %h = arith.index_cast %head : i32 to index
      %high32 = memref.load %lengths[%h] : memref<?xi32>
      %high = arith.index_cast %high32 : i32 to index
      %slope = memref.load %slopes[%h] : memref<?xf32>
      %all = arith.index_cast %heads : i32 to index
      %qt = tile.load %q[%row] : !m -> tensor<128x64xbf16>
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      memref.store %slope, %out[%row] : memref<?xf32>
      memref.store %slope, %out[%all] : memref<?xf32>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
      }
      memref.store %zero, %out[%row] : memref<?xf32>
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// The producer of three groups has 32 registers: everybody computes for themselves.
// CHECK-LABEL: gpu.func @three(
// CHECK: tile.ring offset 592 {{.*}} : <2 x tensor<1xi64>>
// CHECK: nvvm.setmaxregister increase
// CHECK: arith.divui
// CHECK: nvvm.setmaxregister decrease
// CHECK: tile.send %{{[^ ]*}} : i32 into
// CHECK: arith.divui
gpu.module @kernels {
  gpu.func @three(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %count: i32, %heads: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 192, kv = 64>, roles = <warps = 12, producers = 4>, pipeline = <persistent>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %head = arith.divui %task, %heads : i32
      %h = arith.index_cast %head : i32 to index
      %qt = tile.load %q[%h] : !m -> tensor<192x64xbf16>
      "test.use"(%qt) : (tensor<192x64xbf16>) -> ()
      scf.for %j = %c0 to %h step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
      }
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!t = tensor<64x64xbf16>

// There is room for 25 numbers; whoever needs the others computes them.
// CHECK-LABEL: gpu.func @many(
// CHECK: tile.ring offset 592 {{.*}} : <2 x tensor<26xi64>>
// CHECK: ^bb0(
// CHECK-COUNT-2: arith.muli
// CHECK-NOT: arith.muli
// CHECK: nvvm.setmaxregister decrease
// CHECK-COUNT-25: arith.muli
// CHECK-NOT: arith.muli
// CHECK: tile.send
gpu.module @kernels {
  gpu.func @many(%q: !m {attn.role = #attn.role<query>}, %k: !m {attn.role = #attn.role<key>}, %numbers: memref<?xi32>, %count: i32, %counter: !llvm.ptr<1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %by0 = arith.constant 3 : i32
    %by1 = arith.constant 4 : i32
    %by2 = arith.constant 5 : i32
    %by3 = arith.constant 6 : i32
    %by4 = arith.constant 7 : i32
    %by5 = arith.constant 8 : i32
    %by6 = arith.constant 9 : i32
    %by7 = arith.constant 10 : i32
    %by8 = arith.constant 11 : i32
    %by9 = arith.constant 12 : i32
    %by10 = arith.constant 13 : i32
    %by11 = arith.constant 14 : i32
    %by12 = arith.constant 15 : i32
    %by13 = arith.constant 16 : i32
    %by14 = arith.constant 17 : i32
    %by15 = arith.constant 18 : i32
    %by16 = arith.constant 19 : i32
    %by17 = arith.constant 20 : i32
    %by18 = arith.constant 21 : i32
    %by19 = arith.constant 22 : i32
    %by20 = arith.constant 23 : i32
    %by21 = arith.constant 24 : i32
    %by22 = arith.constant 25 : i32
    %by23 = arith.constant 26 : i32
    %by24 = arith.constant 27 : i32
    %by25 = arith.constant 28 : i32
    %by26 = arith.constant 29 : i32
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %high = arith.index_cast %task : i32 to index
      %qt = tile.load %q[%high] : !m -> tensor<128x64xbf16>
      "test.use"(%qt) : (tensor<128x64xbf16>) -> ()
      %n0 = arith.muli %task, %by0 : i32
      memref.store %n0, %numbers[%c0] : memref<?xi32>
      %n1 = arith.muli %task, %by1 : i32
      memref.store %n1, %numbers[%c0] : memref<?xi32>
      %n2 = arith.muli %task, %by2 : i32
      memref.store %n2, %numbers[%c0] : memref<?xi32>
      %n3 = arith.muli %task, %by3 : i32
      memref.store %n3, %numbers[%c0] : memref<?xi32>
      %n4 = arith.muli %task, %by4 : i32
      memref.store %n4, %numbers[%c0] : memref<?xi32>
      %n5 = arith.muli %task, %by5 : i32
      memref.store %n5, %numbers[%c0] : memref<?xi32>
      %n6 = arith.muli %task, %by6 : i32
      memref.store %n6, %numbers[%c0] : memref<?xi32>
      %n7 = arith.muli %task, %by7 : i32
      memref.store %n7, %numbers[%c0] : memref<?xi32>
      %n8 = arith.muli %task, %by8 : i32
      memref.store %n8, %numbers[%c0] : memref<?xi32>
      %n9 = arith.muli %task, %by9 : i32
      memref.store %n9, %numbers[%c0] : memref<?xi32>
      %n10 = arith.muli %task, %by10 : i32
      memref.store %n10, %numbers[%c0] : memref<?xi32>
      %n11 = arith.muli %task, %by11 : i32
      memref.store %n11, %numbers[%c0] : memref<?xi32>
      %n12 = arith.muli %task, %by12 : i32
      memref.store %n12, %numbers[%c0] : memref<?xi32>
      %n13 = arith.muli %task, %by13 : i32
      memref.store %n13, %numbers[%c0] : memref<?xi32>
      %n14 = arith.muli %task, %by14 : i32
      memref.store %n14, %numbers[%c0] : memref<?xi32>
      %n15 = arith.muli %task, %by15 : i32
      memref.store %n15, %numbers[%c0] : memref<?xi32>
      %n16 = arith.muli %task, %by16 : i32
      memref.store %n16, %numbers[%c0] : memref<?xi32>
      %n17 = arith.muli %task, %by17 : i32
      memref.store %n17, %numbers[%c0] : memref<?xi32>
      %n18 = arith.muli %task, %by18 : i32
      memref.store %n18, %numbers[%c0] : memref<?xi32>
      %n19 = arith.muli %task, %by19 : i32
      memref.store %n19, %numbers[%c0] : memref<?xi32>
      %n20 = arith.muli %task, %by20 : i32
      memref.store %n20, %numbers[%c0] : memref<?xi32>
      %n21 = arith.muli %task, %by21 : i32
      memref.store %n21, %numbers[%c0] : memref<?xi32>
      %n22 = arith.muli %task, %by22 : i32
      memref.store %n22, %numbers[%c0] : memref<?xi32>
      %n23 = arith.muli %task, %by23 : i32
      memref.store %n23, %numbers[%c0] : memref<?xi32>
      %n24 = arith.muli %task, %by24 : i32
      memref.store %n24, %numbers[%c0] : memref<?xi32>
      %n25 = arith.muli %task, %by25 : i32
      memref.store %n25, %numbers[%c0] : memref<?xi32>
      %n26 = arith.muli %task, %by26 : i32
      memref.store %n26, %numbers[%c0] : memref<?xi32>
      scf.for %j = %c0 to %high step %c1 {
        %kt = tile.load %k[%j] : !m -> !t
        "test.use"(%kt) : (!t) -> ()
      }
    } : !llvm.ptr<1>
    gpu.return
  }
}
