// RUN: attn-opt %s --attn-record-signatures --verify-roundtrip | FileCheck %s

// CHECK: func.func @kernel(%{{.*}}: memref<?x?x?x64xbf16>, %{{.*}}: i8, %{{.*}}: memref<?xi32>, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// CHECK-SAME: attn.signature = #attn.signature<[<query>, <capture>, <capture number 2>, <tensor_map of <query> rows 128>, <tensor_map of <grad_capture number 1> rows 16>],
// CHECK-SAME: [memref<?x?x?x64xbf16>, i8, memref<?xi32>, !llvm.ptr, !llvm.ptr]>
func.func @kernel(%q: memref<?x?x?x64xbf16> {attn.role = #attn.role<query>},
                  %c: i8 {attn.role = #attn.role<capture number 0>},
                  %d: memref<?xi32> {attn.role = #attn.role<capture number 2>},
                  %m: !llvm.ptr {attn.role = #attn.role<tensor_map of <query> rows 128>},
                  %n: !llvm.ptr {attn.role = #attn.role<tensor_map of <grad_capture number 1> rows 16>}) {
  return
}

// Kernels of any function.
gpu.module @kernels {
  // CHECK: gpu.func @gpu(%{{.*}}: index) kernel attributes {attn.signature = #attn.signature<[<task>], [index]>}
  gpu.func @gpu(%t: index {attn.role = #attn.role<task>}) kernel {
    gpu.return
  }
}

// Of a function whose arguments have roles only in part, nothing is known of a launch; nor of one without.
// CHECK: func.func @part(%{{.*}}: index {attn.role = #attn.role<task>}, %{{.*}}: index) {
func.func @part(%t: index {attn.role = #attn.role<task>}, %n: index) {
  return
}
// CHECK: func.func @none(%{{.*}}: index) {
func.func @none(%n: index) {
  return
}

// The roles of a declaration are for who calls it, and it has no other place for them.
// CHECK: func.func private @called(tensor<?xf32> {attn.role = #attn.role<query>})
// CHECK-NOT: attn.signature
func.func private @called(tensor<?xf32> {attn.role = #attn.role<query>})
