// RUN: attn-opt %s --split-input-file --attn-call-kernels --verify-diagnostics | FileCheck %s

// Arguments and results by role, whatever their order; captures as kernels hold them.
!t = tensor<2x?x?x16xbf16>
!m = memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>
// CHECK-LABEL: func.func private @attention(
// CHECK-SAME:    %[[N:[^:]*]]: f16, %[[Q:[^:]*]]: tensor<2x?x?x16xbf16>, %[[FLAGS:[^:]*]]: tensor<?xi1>)
// CHECK-SAME:    -> (tensor<2x?x?x16xbf16>, tensor<2x?x?xf32>) {
// CHECK-DAG:     %[[OUT:.*]] = memref.alloc(%{{.*}}, %{{.*}}) : memref<2x?x?x16xbf16>
// CHECK-DAG:     %[[LSE:.*]] = memref.alloc(%{{.*}}, %{{.*}}) : memref<2x?x?xf32>
// CHECK-DAG:     %[[QB:.*]] = bufferization.to_buffer %[[Q]] read_only
// CHECK-DAG:     %[[QM:.*]] = memref.cast %[[QB]] : memref<2x?x?x16xbf16, {{.*}}> to memref<?x?x?x16xbf16, {{.*}}>
// CHECK-DAG:     %[[NS:.*]] = arith.bitcast %[[N]] : f16 to i16
// CHECK-DAG:     %[[BYTES:.*]] = arith.extui %[[FLAGS]] : tensor<?xi1> to tensor<?xi8>
// CHECK-DAG:     %[[FM:.*]] = bufferization.to_buffer %[[BYTES]] read_only : tensor<?xi8> to memref<?xi8>
// CHECK:         call @attention_forward(%[[QM]], %[[FM]], %[[NS]], %{{.*}}, %{{.*}})
// CHECK:         %[[O:.*]] = bufferization.to_tensor %[[OUT]] restrict writable
// CHECK:         %[[L:.*]] = bufferization.to_tensor %[[LSE]] restrict writable
// CHECK:         return %[[O]], %[[L]]
func.func @attention_forward(%q: !m {attn.role = #attn.role<query>},
    %flags: memref<?xi8> {attn.role = #attn.role<capture>},
    %n: i16 {attn.role = #attn.role<capture number 1>},
    %lse: memref<?x?x?xf32> {attn.role = #attn.role<lse>},
    %o: !m {attn.role = #attn.role<out>}) attributes {attn.kernel} {
  return
}
func.func private @attention(f16 {attn.role = #attn.role<capture number 1>}, !t {attn.role = #attn.role<query>},
    tensor<?xi1> {attn.role = #attn.role<capture>})
  -> (!t {attn.role = #attn.role<out>}, tensor<2x?x?xf32> {attn.role = #attn.role<lse>})
  attributes {attn.kernels = [@attention_forward]}

// -----

// What kernels hand on to each other: statistics of whole tiles of all of them (here
// 32 and 48, so of 96 queries), and sums in one slot, that begin with zero.
!t = tensor<?x?x?x16xf32>
!m = memref<?x?x?x16xf32, strided<[?, ?, ?, 1], offset: ?>>
// CHECK-LABEL: func.func private @gradients(
// CHECK-DAG:     %[[DT:.*]] = memref.alloc(%{{.*}}) : memref<2x?xf32>
// CHECK-DAG:     linalg.fill ins(%{{.*}} : f32) outs(%[[DT]] : memref<2x?xf32>)
// CHECK-DAG:     %[[C96:.*]] = arith.constant 96 : index
// CHECK-DAG:     %[[TILES:.*]] = arith.ceildivui %{{.*}}, %[[C96]]
// CHECK-DAG:     %[[WHOLE:.*]] = arith.muli %[[TILES]], %
// CHECK:         %[[STATISTICS:.*]] = memref.alloc(%{{.*}}, %{{.*}}, %[[WHOLE]]) : memref<?x?x2x?xf32>
// CHECK:         call @gradients_grad_query({{.*}}, %[[STATISTICS]])
// CHECK:         %[[SLOTS:.*]] = memref.alloc(%{{.*}}) : memref<1x?xf32>
// CHECK:         linalg.fill ins(%{{.*}} : f32) outs(%[[SLOTS]] : memref<1x?xf32>)
// CHECK:         call @gradients_grad_pairs_0(
// CHECK:         %[[LINE:.*]] = memref.collapse_shape %[[DT]] {{.*}} : memref<2x?xf32> into memref<?xf32>
// CHECK:         call @gradients_grad_sum_0(%{{.*}}, %[[LINE]])
func.func @gradients_grad_query(%q: !m {attn.role = #attn.role<query>},
    %dq: !m {attn.role = #attn.role<grad_query>},
    %s: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>>} {
  return
}
func.func @gradients_grad_pairs_0(%s: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>},
    %w: memref<?x?xf32> {attn.role = #attn.role<workspace>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 48, kv = 16>>} {
  return
}
func.func @gradients_grad_sum_0(%w: memref<?x?xf32> {attn.role = #attn.role<workspace>},
    %dt: memref<?xf32> {attn.role = #attn.role<grad_capture>}) attributes {attn.kernel} {
  return
}
func.func private @gradients(!t {attn.role = #attn.role<query>}, tensor<2x?xf32> {attn.role = #attn.role<capture>})
  -> (!t {attn.role = #attn.role<grad_query>}, tensor<2x?xf32> {attn.role = #attn.role<grad_capture>})
  attributes {attn.kernels = [@gradients_grad_query, @gradients_grad_pairs_0, @gradients_grad_sum_0]}

// -----

// Sums of rows of the first kernel that takes them, of keys, which nothing must be in before.
!t = tensor<?x?x?x16xf32>
!m = memref<?x?x?x16xf32, strided<[?, ?, ?, 1], offset: ?>>
// CHECK-LABEL: func.func private @carried(
// CHECK:         memref.alloc(%{{.*}}) : memref<?xf32>
// CHECK:         linalg.fill
// CHECK:         %[[KEYS:.*]] = tensor.dim %arg1, %
// CHECK:         %[[ROWS:.*]] = memref.alloc(%{{.*}}, %{{.*}}, %[[KEYS]]) : memref<?x?x?xf32>
// CHECK-NOT:     linalg.fill
// CHECK:         call @carried_grad_key({{.*}}, %[[ROWS]])
// CHECK:         call @carried_grad_sum_0(%[[ROWS]], %{{.*}})
func.func @carried_grad_key(%k: !m {attn.role = #attn.role<key>}, %dk: !m {attn.role = #attn.role<grad_key>},
    %r: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32, owns_keys>>} {
  return
}
func.func @carried_grad_sum_0(%r: memref<?x?x?xf32> {attn.role = #attn.role<row_sums>},
    %dt: memref<?xf32> {attn.role = #attn.role<grad_capture>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32>>} {
  return
}
func.func private @carried(!t {attn.role = #attn.role<query>}, !t {attn.role = #attn.role<key>},
    tensor<?xf32> {attn.role = #attn.role<capture>})
  -> (!t {attn.role = #attn.role<grad_key>}, tensor<?xf32> {attn.role = #attn.role<grad_capture>})
  attributes {attn.kernels = [@carried_grad_key, @carried_grad_sum_0]}

// -----

func.func @rows(%r: memref<?x?xf32> {attn.role = #attn.role<row_sums>})
    attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 16, kv = 32, owns_keys>>} {
  return
}
// expected-error @+1 {{expects kernels that host code can call, but '@rows' takes #attn.role<row_sums> of type 'memref<?x?xf32>'}}
func.func private @flat(tensor<?x?x?x4xf32> {attn.role = #attn.role<query>}, tensor<?x?x?x4xf32> {attn.role = #attn.role<key>})
  attributes {attn.kernels = [@rows]}

// -----

func.func @forward(%order: memref<?x?x?xi32> {attn.role = #attn.role<list_order>}) attributes {attn.kernel} {
  return
}
// expected-error @+1 {{expects kernels that host code can call, but '@forward' takes #attn.role<list_order> of type 'memref<?x?x?xi32>'}}
func.func private @lists(tensor<?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@forward]}

// -----

// Whose gradient it sums no kernel says.
func.func @pairs(%w: memref<?x?xf32> {attn.role = #attn.role<workspace>}) attributes {attn.kernel} {
  return
}
// expected-error @+1 {{expects kernels that host code can call, but '@pairs' takes #attn.role<workspace> of type 'memref<?x?xf32>'}}
func.func private @sums(tensor<?x?x?x4xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@pairs]}

// -----

func.func @forward(%q: memref<?x?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernel} {
  return
}
// expected-error @+1 {{expects kernels that host code can call, but '@forward' takes #attn.role<query> of type 'memref<?x?xf32>'}}
func.func private @other_rank(tensor<?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@forward]}

// -----

// How many slots chunks take depends on sizes; those of shares do not.
func.func @forward(%parts: memref<?x16x64xf32> {attn.role = #attn.role<partial_out>}) attributes {attn.kernel,
    attn.schedule = #attn.schedule<tiling = <q = 16, kv = 64, pack, chunk = 16>>} {
  return
}
// expected-error @+1 {{expects kernels that host code can call, but '@forward' takes #attn.role<partial_out> of type 'memref<?x16x64xf32>'}}
func.func private @chunks(tensor<?x?x?x64xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@forward]}

// -----

// expected-error @+1 {{expects an argument #attn.role<key> of the sizes of its result #attn.role<grad_key>}}
func.func private @no_key(tensor<?xf32> {attn.role = #attn.role<query>})
  -> (tensor<?xf32> {attn.role = #attn.role<grad_key>}) attributes {attn.kernels = []}

// -----

// expected-error @+1 {{expects a role for result 0}}
func.func private @no_result_role(tensor<?xf32> {attn.role = #attn.role<query>}) -> tensor<?xf32>
  attributes {attn.kernels = []}

// -----

// expected-error @+1 {{expects a role for argument 0}}
func.func @forward(%order: memref<?xi32>) attributes {attn.kernel} {
  return
}
func.func private @no_role(tensor<?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@forward]}

// -----

// expected-error @+1 {{expects a kernel @missing}}
func.func private @no_kernel(tensor<?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@missing]}

// -----

// expected-error @+1 {{expects a kernel @itself}}
func.func private @itself(tensor<?xf32> {attn.role = #attn.role<query>}) attributes {attn.kernels = [@itself]}

// -----

// expected-error @+1 {{expects 'attn.kernels' to be the names of the kernels that a call of a function runs}}
func.func private @no_names(tensor<?xf32>) attributes {attn.kernels = @forward}
