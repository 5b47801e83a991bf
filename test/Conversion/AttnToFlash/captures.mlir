// How a kernel takes captured values: tensors as memory with strides of run time, the innermost of
// which is 1 unless the operation says otherwise; an i1 as a byte that is true if it is not zero; floats of
// 16 bits as their bits.
// RUN: attn-opt %s --attn-select-schedule --attn-to-flash | FileCheck %s --check-prefixes=CHECK,UNIT
// RUN: attn-opt %s --attn-select-schedule=strided-captures --attn-to-flash | FileCheck %s --check-prefixes=CHECK,ANY

// UNIT: func.func @layer(%{{.*}}, %arg3: memref<?xi8> {attn.role = #attn.role<capture>}, %arg4: memref<?x?xi16, strided<[?, 1]>> {attn.role = #attn.role<capture number 1>}, %arg5: memref<?xi64> {{{.*}}}, %arg6: memref<i16> {{{.*}}}, %arg7: i8 {{{.*}}}, %arg8: i8 {{{.*}}}, %arg9: i64 {{{.*}}}, %arg10: i16 {attn.role = #attn.role<capture number 7>}, %arg11: memref
// ANY:  func.func @layer(%{{.*}}, %arg3: memref<?xi8, strided<[?]>> {{{.*}}}, %arg4: memref<?x?xi16, strided<[?, ?]>> {{{.*}}}, %arg5: memref<?xi64, strided<[?]>> {{{.*}}}, %arg6: memref<i16> {{{.*}}}, %arg7: i8 {{{.*}}}, %arg8: i8 {{{.*}}}, %arg9: i64 {{{.*}}}, %arg10: i16 {{{.*}}}, %arg11: memref
// The scalar is a condition once, for the whole kernel.
// CHECK: %[[BIT:.*]] = arith.cmpi ne, %arg7, %c0_i8
// CHECK: %[[HALF:.*]] = arith.bitcast %arg10 : i16 to bf16
// CHECK: scf.forall
// CHECK:   %[[BITS:.*]] = memref.load %arg4[%{{.*}}, %{{.*}}] : memref<?x?xi16
// CHECK:   %[[F16:.*]] = arith.bitcast %[[BITS]] : i16 to f16
// CHECK:   arith.extf %[[F16]] : f16 to f32
// CHECK:   arith.extf %[[HALF]] : bf16 to f32
// CHECK:   %[[BYTE:.*]] = memref.load %arg3[%{{.*}}] : memref<?xi8
// CHECK:   %[[READ:.*]] = arith.cmpi ne, %[[BYTE]], %c0_i8
// CHECK:   arith.andi %[[READ]], %[[BIT]] : i1
attn.mod @mod(%bits: tensor<?xi1>, %table: tensor<?x4xf16>, %ids: tensor<?xi64>, %one: tensor<i16>,
              %bit: i1, %byte: i8, %long: i64, %half: bf16)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%h, %q] : tensor<?x4xf16>
    %y = arith.extf %x : f16 to f32
    %z = arith.extf %half : bf16 to f32
    %t = arith.addf %y, %z : f32
    %u = arith.addf %s, %t : f32
    attn.yield %u : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bits[%kv] : tensor<?xi1>
    %y = arith.andi %x, %bit : i1
    %i = attn.load %ids[%q] : tensor<?xi64>
    %j = arith.cmpi sle, %i, %long : i64
    %one16 = attn.load %one[] : tensor<i16>
    %byte16 = arith.extui %byte : i8 to i16
    %k = arith.cmpi slt, %one16, %byte16 : i16
    %l = arith.ori %j, %k : i1
    %keep = arith.ori %y, %l : i1
    attn.yield %keep : i1
  }

func.func @layer(%q: tensor<?x?x?x64xf32>, %bits: tensor<?xi1>, %table: tensor<8x4xf16>,
                 %ids: tensor<?xi64>, %one: tensor<i16>, %bit: i1, %byte: i8, %long: i64,
                 %half: bf16) -> tensor<?x?x?x64xf32> {
  %o = attn.attention %q, %q, %q mod @mod(%bits, %table, %ids, %one, %bit, %byte, %long, %half)
    : (tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?xi1>,
       tensor<8x4xf16>, tensor<?xi64>, tensor<i16>, i1, i8, i64, bf16) -> tensor<?x?x?x64xf32>
  return %o : tensor<?x?x?x64xf32>
}
