// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-defer-row-sums)))" --allow-unregistered-dialect | FileCheck %s

#row = affine_map<(i) -> (i)>

gpu.module @kernels {
  // A sum that decays and grows is carried in parts, and put together behind the loop.
  // CHECK-LABEL: gpu.func @carried
  // CHECK: %[[R:.+]] = scf.for
  // CHECK: linalg.reduce
  // CHECK-SAME: tile.within_thread
  // CHECK: %[[L:.+]] = tile.combine_threads %[[R]]
  // CHECK: "test.use"(%[[L]])
  gpu.func @carried(%p: tensor<64x32xf32>, %decay: tensor<64xf32>, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : tensor<64xf32>
    %empty = tensor.empty() : tensor<64xf32>
    %l = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      %decayed = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
          ins(%old, %decay : tensor<64xf32>, tensor<64xf32>) outs(%empty : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %x = arith.mulf %a, %b : f32
        linalg.yield %x : f32
      } -> tensor<64xf32>
      %new = linalg.reduce { arith.addf } ins(%p : tensor<64x32xf32>) outs(%decayed : tensor<64xf32>) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    "test.use"(%l) : (tensor<64xf32>) -> ()
    gpu.return
  }

  // The same without decay.
  // CHECK-LABEL: gpu.func @grows
  // CHECK: %[[R:.+]] = scf.for
  // CHECK: linalg.reduce
  // CHECK-SAME: tile.within_thread
  // CHECK: tile.combine_threads %[[R]]
  gpu.func @grows(%p: tensor<64x32xf32>, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : tensor<64xf32>
    %l = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      %new = linalg.reduce { arith.addf } ins(%p : tensor<64x32xf32>) outs(%old : tensor<64xf32>) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    "test.use"(%l) : (tensor<64xf32>) -> ()
    gpu.return
  }

  // From elsewhere every thread of a row would add where it starts.
  // CHECK-LABEL: gpu.func @from_elsewhere
  // CHECK-NOT: tile.within_thread
  // CHECK: gpu.return
  gpu.func @from_elsewhere(%p: tensor<64x32xf32>, %start: tensor<64xf32>, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %l = scf.for %j = %c0 to %n step %c1 iter_args(%old = %start) -> tensor<64xf32> {
      %new = linalg.reduce { arith.addf } ins(%p : tensor<64x32xf32>) outs(%old : tensor<64xf32>) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    "test.use"(%l) : (tensor<64xf32>) -> ()
    gpu.return
  }

  // A maximum is not linear.
  // CHECK-LABEL: gpu.func @maximum
  // CHECK-NOT: tile.within_thread
  // CHECK-NOT: tile.combine_threads
  // CHECK: gpu.return
  gpu.func @maximum(%p: tensor<64x32xf32>, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : tensor<64xf32>
    %m = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      %new = linalg.reduce { arith.maxnumf } ins(%p : tensor<64x32xf32>) outs(%old : tensor<64xf32>) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    "test.use"(%m) : (tensor<64xf32>) -> ()
    gpu.return
  }

  // A sum that starts elsewhere, or is looked at inside the loop, must be whole.
  // CHECK-LABEL: gpu.func @observed
  // CHECK-NOT: tile.within_thread
  // CHECK: gpu.return
  gpu.func @observed(%p: tensor<64x32xf32>, %decay: tensor<64xf32>, %n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : tensor<64xf32>
    %empty = tensor.empty() : tensor<64xf32>
    %l = scf.for %j = %c0 to %n step %c1 iter_args(%old = %zero) -> tensor<64xf32> {
      "test.use"(%old) : (tensor<64xf32>) -> ()
      %decayed = linalg.generic {indexing_maps = [#row, #row, #row], iterator_types = ["parallel"]}
          ins(%old, %decay : tensor<64xf32>, tensor<64xf32>) outs(%empty : tensor<64xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %x = arith.mulf %a, %b : f32
        linalg.yield %x : f32
      } -> tensor<64xf32>
      %new = linalg.reduce { arith.addf } ins(%p : tensor<64x32xf32>) outs(%decayed : tensor<64xf32>) dimensions = [1]
      scf.yield %new : tensor<64xf32>
    }
    gpu.return
  }
}
