// What the parameters of a kernel are for.
// RUN: attn-opt %s --verify-roundtrip | FileCheck %s --check-prefix=SAME

// SAME: func.func @kernel(%{{.*}}: memref<?x?x?x64xbf16> {attn.role = #attn.role<query>}, %{{.*}}: i8 {attn.role = #attn.role<capture>},
// SAME-SAME: memref<?xi32> {attn.role = #attn.role<capture number 2>}, %{{.*}}: !llvm.ptr {attn.role = #attn.role<tensor_map of <query> rows 128>},
// SAME-SAME: !llvm.ptr {attn.role = #attn.role<tensor_map of <grad_capture number 1> rows 16>}, %{{.*}}: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>})
func.func @kernel(%q: memref<?x?x?x64xbf16> {attn.role = #attn.role<query>},
                  %c: i8 {attn.role = #attn.role<capture number 0>},
                  %d: memref<?xi32> {attn.role = #attn.role<capture number 2>},
                  %m: !llvm.ptr {attn.role = #attn.role<tensor_map of <query> rows 128>},
                  %n: !llvm.ptr {attn.role = #attn.role<tensor_map of <grad_capture number 1> rows 16>},
                  %s: memref<?x?x2x?xf32> {attn.role = #attn.role<statistics>}) {
  return
}

// What the user's function says of captures holds for the kernel that is made of it.
// RUN: attn-opt %s --attn-select-schedule --attn-to-flash --canonicalize | FileCheck %s --check-prefix=FLASH
// FLASH: func.func @layer({{.*}}, %{{.*}}: memref<?xf32> {attn.role = #attn.role<capture number 3>}, %
!t = tensor<?x?x?x64xf32>
attn.mod @bias(%x: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %y = attn.load %x[%h] : tensor<?xf32>
    %r = arith.addf %s, %y : f32
    attn.yield %r : f32
  }
func.func @layer(%q: !t, %x: tensor<?xf32> {attn.role = #attn.role<capture number 3>}) -> !t {
  %o = attn.attention %q, %q, %q mod @bias(%x) : (!t, !t, !t, tensor<?xf32>) -> !t
  return %o : !t
}
