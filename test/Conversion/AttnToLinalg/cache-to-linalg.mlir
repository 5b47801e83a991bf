// The oracle of attn.merge and attn.append, against results worked out by hand.
// RUN: attn-opt %s --attn-to-linalg %linalg_to_llvm | %run_main | FileCheck %s
// RUN: attn-opt %s --attn-to-linalg="precision=f32" %linalg_to_llvm | %run_main | FileCheck %s

func.func private @printMemrefF32(%t: tensor<*xf32>)

// Rows: weights 1 to 3; a part without keys, whose out is NaN; one with 1e9; nobody has keys.
func.func @test_merge() {
  %a = arith.constant dense<[[[[1.0, 2.0], [0x7FC00000, 0x7FC00000], [1.0, 1.0], [5.0, 5.0]]]]> : tensor<1x1x4x2xf32>
  %b = arith.constant dense<[[[[5.0, 6.0], [3.0, 4.0], [3.0, 3.0], [0x7FC00000, 0.0]]]]> : tensor<1x1x4x2xf32>
  %x = arith.constant dense<[[[0.0, 0xFF800000, 1.0e9, 0xFF800000]]]> : tensor<1x1x4xf32>
  %y = arith.constant dense<[[[1.0986123, 7.0, 1.0e9, 0xFF800000]]]> : tensor<1x1x4xf32>
  %o, %l = attn.merge(%a, %b) lses(%x, %y)
    : (tensor<1x1x4x2xf32>, tensor<1x1x4x2xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>)
      -> (tensor<1x1x4x2xf32>, tensor<1x1x4xf32>)
  %p = tensor.cast %o : tensor<1x1x4x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  %m = tensor.cast %l : tensor<1x1x4xf32> to tensor<*xf32>
  call @printMemrefF32(%m) : (tensor<*xf32>) -> ()
  return
}
// CHECK:      sizes = [1, 1, 4, 2]
// CHECK-NEXT: {{\[+}}4, 5],
// CHECK-NEXT:    [3, 4],
// CHECK-NEXT:    [2, 2],
// CHECK-NEXT:    [0, 0]]]]
// CHECK:      {{\[+}}1.38629, 7, 1e+09, -inf]]]

// Of two parts the first, and a sink that weighs as much for the first head, and nothing for the second.
func.func @test_sink() {
  %a = arith.constant dense<[[[[2.0]], [[2.0]]]]> : tensor<1x2x1x1xf32>
  %b = arith.constant dense<[[[[9.0]], [[9.0]]]]> : tensor<1x2x1x1xf32>
  %x = arith.constant dense<[[[1.0], [1.0]]]> : tensor<1x2x1xf32>
  %s = arith.constant dense<[1.0, 0xFF800000]> : tensor<2xf32>
  %n = arith.constant 1 : i32
  %o, %l = attn.merge(%a, %b) lses(%x, %x) count(%n) sink(%s)
    : (tensor<1x2x1x1xf32>, tensor<1x2x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, i32, tensor<2xf32>)
      -> (tensor<1x2x1x1xf32>, tensor<?x?x?xf32>)
  %p = tensor.cast %o : tensor<1x2x1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  %m = tensor.cast %l : tensor<?x?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%m) : (tensor<*xf32>) -> ()
  return
}
// CHECK:      sizes = [1, 2, 1, 1]
// CHECK-NEXT: {{\[+}}1]],
// CHECK-NEXT:   {{\[+}}2]]]]
// CHECK:      sizes = [1, 2, 1]
// CHECK-NEXT: {{\[+}}1.69315],
// CHECK-NEXT:   [1]]]

// Behind two keys, behind none (a negative length), and what there is no room for.
func.func @test_append() {
  %new = arith.constant dense<[[[[1.0], [2.0]]], [[[3.0], [4.0]]], [[[5.0], [6.0]]]]> : tensor<3x1x2x1xf32>
  %cache = arith.constant dense<0.0> : tensor<3x1x4x1xf32>
  %n = arith.constant dense<[2, -7, 3]> : tensor<3xi32>
  %a:2 = attn.append %new, %new to %cache, %cache lengths(%n)
    : (tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x4x1xf32>, tensor<3x1x4x1xf32>, tensor<3xi32>)
      -> (tensor<3x1x4x1xf32>, tensor<3x1x4x1xf32>)
  %p = tensor.collapse_shape %a#1 [[0], [1, 2, 3]] : tensor<3x1x4x1xf32> into tensor<3x4xf32>
  %q = tensor.cast %p : tensor<3x4xf32> to tensor<*xf32>
  call @printMemrefF32(%q) : (tensor<*xf32>) -> ()
  return
}
// CHECK:      sizes = [3, 4]
// CHECK-NEXT: {{\[+}}0,   0,   1,   2],
// CHECK-NEXT:  [3,   4,   0,   0],
// CHECK-NEXT:  [0,   0,   0,   5]]

// Three sequences one behind another, of 1, 0 and 3 rows, in pages of two rows. The last one's second page is none.
func.func @test_pages() {
  %new = arith.constant dense<[[[[1.0], [2.0], [3.0], [4.0], [9.0]]]]> : tensor<1x1x5x1xf32>
  %heap = arith.constant dense<0.0> : tensor<4x1x2x1xf32>
  %n = arith.constant dense<[1, 0, 0]> : tensor<3xi32>
  %starts = arith.constant dense<[0, 1, 1, 4]> : tensor<4xi32>
  %table = arith.constant dense<[[3, 7], [0, 0], [1, 4]]> : tensor<3x2xi32>
  %a:2 = attn.append %new, %new to %heap, %heap lengths(%n) starts(%starts) pages(%table)
    : (tensor<1x1x5x1xf32>, tensor<1x1x5x1xf32>, tensor<4x1x2x1xf32>, tensor<4x1x2x1xf32>, tensor<3xi32>,
       tensor<4xi32>, tensor<3x2xi32>) -> (tensor<4x1x2x1xf32>, tensor<4x1x2x1xf32>)
  %p = tensor.collapse_shape %a#0 [[0], [1, 2, 3]] : tensor<4x1x2x1xf32> into tensor<4x2xf32>
  %q = tensor.cast %p : tensor<4x2xf32> to tensor<*xf32>
  call @printMemrefF32(%q) : (tensor<*xf32>) -> ()
  return
}
// CHECK:      sizes = [4, 2]
// CHECK-NEXT: {{\[+}}0,   0],
// CHECK-NEXT:  [2,   3],
// CHECK-NEXT:  [0,   0],
// CHECK-NEXT:  [0,   1]]

func.func @main() {
  call @test_merge() : () -> ()
  call @test_sink() : () -> ()
  call @test_append() : () -> ()
  call @test_pages() : () -> ()
  return
}
