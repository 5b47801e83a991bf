// RUN: attn-opt %s --attn-to-flash --canonicalize --cse --verify-roundtrip | FileCheck %s
// RUN: attn-opt %s --attn-to-flash="round-probabilities=false" --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=EXACT

// Without a mod, every key counts: the kernel's arguments, and one online softmax
// over whole tiles. The mask is there for the end of the keys only.
// CHECK-LABEL: func.func @plain(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<query>},
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<key>},
// CHECK-SAME: %[[V:[a-z0-9]+]]: memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<value>},
// CHECK-SAME: %[[O:[a-z0-9]+]]: memref<?x?x?x80xbf16, strided<[?, ?, ?, 1], offset: ?>> {attn.role = #attn.role<out>},
// CHECK-SAME: %[[LSE:[a-z0-9]+]]: memref<?x?x?xf32> {attn.role = #attn.role<lse>}
// CHECK-SAME: attributes {attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
// CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %{{.*}}) in
// CHECK:   %[[QT:.*]] = tile.load %[[Q]][%[[B]], %[[H]], %[[Q0:.*]]] : {{.*}} -> tensor<32x64xbf16>
// CHECK:   scf.for %[[J:.*]] = %c0 to %{{.*}} step %c1
// CHECK:     %[[KV0:.*]] = arith.muli %[[J]], %c16 : index
// CHECK:     %[[KT:.*]] = tile.load %[[K]][%[[B]], %{{.*}}, %[[KV0]]] : {{.*}} -> tensor<16x64xbf16>
// CHECK:     %[[S:.*]] = linalg.contract {{.*}} ins(%[[QT]], %[[KT]] : {{.*}}) {{.*}} -> tensor<32x16xf32>
// CHECK:     %[[T:.*]] = arith.index_cast %[[J]] : index to i32
// CHECK:     arith.cmpi sge, %[[T]]
// CHECK:     math.exp2
// CHECK:     %[[VT:.*]] = tile.load %[[V]][%[[B]], %{{.*}}, %[[KV0]]] : {{.*}} -> tensor<16x80xbf16>
// CHECK:     arith.truncf %{{.*}} : f32 to bf16
// CHECK:     tile.has_nonfinite %[[VT]]
// CHECK:     linalg.contract {{.*}} {tile.zero_safe} ins(%[[P:.*]], %[[VT]] : tensor<32x16xbf16>, tensor<16x80xbf16>)
// CHECK:     linalg.contract {{.*}} ins(%[[P]], %[[VT]] : tensor<32x16xbf16>, tensor<16x80xbf16>)
// CHECK:   tile.store %{{.*}}, %[[O]][%[[B]], %[[H]], %[[Q0]]] : tensor<32x80xbf16>
// CHECK:   math.log2
// CHECK:   tile.store %{{.*}}, %[[LSE]][%[[B]], %[[H]], %[[Q0]]] : tensor<32xf32>, memref<?x?x?xf32>
// CHECK-NOT: attn.attention
// EXACT-LABEL: func.func @plain(
// EXACT: linalg.contract {{.*}} {tile.zero_safe} ins(%[[P:.*]], %[[VT:.*]] : tensor<32x16xf32>, tensor<16x80xbf16>)
func.func @plain(%q: tensor<?x?x?x64xbf16>, %k: tensor<?x?x?x64xbf16>, %v: tensor<?x?x?x80xbf16>)
    -> (tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention %q, %k, %v {schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x80xbf16>)
    -> (tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>)
  return %o, %lse : tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>
}

!t = tensor<?x?x?x64xf32>

// A score program is run on scaled scores, and never reads a table past its end: where the tile sticks out
// over the keys, the index is clamped, and where it does not, neighbours are read from one address. A captured
// tensor is a parameter of its own.
// CHECK-LABEL: func.func @score(
// CHECK-SAME: %[[T:[a-z0-9]+]]: memref<?xf32> {attn.role = #attn.role<capture>}, %{{[a-z0-9]+}}: memref<?x?x?x64xf32, {{.*}}> {attn.role = #attn.role<out>})
// CHECK: %[[LAST:.*]] = arith.subi %{{.*}}, %c1 : index
// CHECK: scf.for
// CHECK:   %[[WHOLE:.*]] = arith.cmpi sle, %{{.*}}, %{{.*}} : index
// CHECK:   scf.if %[[WHOLE]]
// CHECK-NOT: arith.minsi
// CHECK:     memref.load %[[T]]
// CHECK:   } else {
// CHECK:     arith.minsi
// CHECK:     memref.load %[[T]]
// CHECK-NOT: attn.mod
attn.mod @bias(%table: tensor<?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%kv] : tensor<?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }
func.func @score(%q: !t, %k: !t, %v: !t, %table: tensor<?xf32>) -> !t {
  %o = attn.attention %q, %k, %v mod @bias(%table) {schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (!t, !t, !t, tensor<?xf32>) -> !t
  return %o : !t
}

// The scale goes into the exponent with log2(e): 0.5 * 1.4427 = 0.72135.
// CHECK-LABEL: func.func @scale(
// CHECK: %[[C:.*]] = arith.constant 0.72134{{[0-9]*}} : f32
// CHECK: math.fma %{{.*}}, %[[C]], %{{.*}} : f32
func.func @scale(%q: !t, %k: !t, %v: !t) -> !t {
  %o = attn.attention %q, %k, %v {scale = 0.5 : f32, schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (!t, !t, !t) -> !t
  return %o : !t
}

// Channels are padded to a multiple of 16.
// CHECK-LABEL: func.func @odd(
// CHECK: tile.load %{{.*}} : memref<?x?x?x33xf32, {{.*}}> -> tensor<32x48xf32>
// CHECK: tile.store %{{.*}} : tensor<32x48xf32>, memref<?x?x?x33xf32, {{.*}}>
func.func @odd(%q: tensor<?x?x?x33xf32>) -> tensor<?x?x?x33xf32> {
  %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 32, kv = 16>>}
    : (tensor<?x?x?x33xf32>, tensor<?x?x?x33xf32>, tensor<?x?x?x33xf32>) -> tensor<?x?x?x33xf32>
  return %o : tensor<?x?x?x33xf32>
}
