// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(math-to-ptx))" | FileCheck %s
// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(math-to-ptx{exact=true}))" \
// RUN:   | FileCheck %s --check-prefix=EXACT

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @exp2(
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%{{.*}})
  gpu.func @exp2(%x: f32, %m: memref<f32>) {
    %y = math.exp2 %x : f32
    memref.store %y, %m[] : memref<f32>
    gpu.return
  }

  // exp(x) = exp2(x * log2(e))
  // CHECK-LABEL: gpu.func @exp(
  // CHECK: %[[C:.*]] = arith.constant 1.442695{{[0-9]*}} : f32
  // CHECK: %[[S:.*]] = arith.mulf %{{.*}}, %[[C]] : f32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%[[S]])
  gpu.func @exp(%x: f32, %m: memref<f32>) {
    %y = math.exp %x : f32
    memref.store %y, %m[] : memref<f32>
    gpu.return
  }

  // log(x) = log2(x) * ln(2)
  // CHECK-LABEL: gpu.func @log(
  // CHECK: %[[C:.*]] = arith.constant 0.693147{{[0-9]*}} : f32
  // CHECK: %[[L:.*]] = llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"
  // CHECK: arith.mulf %[[L]], %[[C]] : f32
  gpu.func @log(%x: f32, %m: memref<f32>) {
    %y = math.log %x : f32
    memref.store %y, %m[] : memref<f32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @roots(
  // CHECK-DAG: llvm.call_intrinsic "llvm.sqrt"
  // CHECK-DAG: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.f"
  gpu.func @roots(%x: f32, %m: memref<f32>) {
    %y = math.sqrt %x : f32
    %z = math.rsqrt %y : f32
    memref.store %z, %m[] : memref<f32>
    gpu.return
  }

  // One instruction, or a formula of f32 accuracy.
  // CHECK-LABEL: gpu.func @tanh(
  // CHECK: llvm.inline_asm {{.*}}"tanh.approx.f32 $0, $1;"
  // EXACT-LABEL: gpu.func @tanh(
  // EXACT-NOT: tanh
  // EXACT: "llvm.nvvm.ex2.approx.ftz.f32"
  // EXACT: "llvm.nvvm.rcp.approx.ftz.f"
  // EXACT-COUNT-4: "llvm.fma"
  // EXACT: arith.select
  // EXACT: gpu.return
  gpu.func @tanh(%x: f32, %m: memref<f32>) {
    %y = math.tanh %x : f32
    memref.store %y, %m[] : memref<f32>
    gpu.return
  }

  // A constant divisor is inverted, and `exact` adds what the product lacks; other quotients
  // it keeps.
  // CHECK-LABEL: gpu.func @quotients(
  // CHECK: %[[FIFTH:.*]] = arith.constant 2.000000e-01 : f32
  // CHECK: arith.mulf %{{.*}}, %[[FIFTH]] : f32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.div.full"
  // EXACT-LABEL: gpu.func @quotients(
  // EXACT-NOT: arith.divf
  // EXACT: %[[INVERSE:.*]] = arith.constant 2.000000e-01 : f32
  // EXACT: %[[QUOTIENT:.*]] = arith.mulf %{{.*}}, %[[INVERSE]] : f32
  // EXACT: %[[REST:.*]] = llvm.call_intrinsic "llvm.fma"(%[[QUOTIENT]], %{{.*}}, %{{.*}})
  // EXACT: arith.cmpf ord, %[[REST]], %[[REST]]
  // EXACT: %[[SUM:.*]] = llvm.call_intrinsic "llvm.fma"(%[[REST]], %[[INVERSE]], %[[QUOTIENT]])
  // EXACT: arith.select %{{.*}}, %[[SUM]], %[[QUOTIENT]]
  // EXACT: arith.divf
  gpu.func @quotients(%x: f32, %z: f32, %m: memref<f32>) {
    %five = arith.constant 5.0 : f32
    %y = arith.divf %x, %five : f32
    %w = arith.divf %y, %z : f32
    memref.store %w, %m[] : memref<f32>
    gpu.return
  }

  // Constant factors are one, but not with `exact`.
  // CHECK-LABEL: gpu.func @factors(
  // CHECK: %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
  // CHECK: arith.mulf %{{.*}}, %[[SIX]] : f32
  // CHECK-NOT: arith.mulf
  // CHECK: gpu.return
  // EXACT-LABEL: gpu.func @factors(
  // EXACT-COUNT-2: arith.mulf
  gpu.func @factors(%x: f32, %m: memref<f32>) {
    %two = arith.constant 2.0 : f32
    %three = arith.constant 3.0 : f32
    %y = arith.mulf %x, %two : f32
    %w = arith.mulf %y, %three : f32
    memref.store %w, %m[] : memref<f32>
    gpu.return
  }

  // What decides something is neither approximated nor inverted nor folded.
  // CHECK-LABEL: gpu.func @decisions(
  // CHECK-NOT: approx
  // CHECK: arith.mulf %{{.*}}, %{{.*}} {attn.exact}
  // CHECK: arith.mulf %{{.*}}, %{{.*}} {attn.exact}
  // CHECK: arith.divf %{{.*}}, %{{.*}} {attn.exact}
  // CHECK-NOT: approx
  // CHECK: gpu.return
  gpu.func @decisions(%x: f32, %m: memref<f32>) {
    %five = arith.constant 5.0 : f32
    %a = arith.mulf %x, %five {attn.exact} : f32
    %b = arith.mulf %a, %five {attn.exact} : f32
    %c = arith.divf %b, %five {attn.exact} : f32
    %d = math.log %c {attn.exact} : f32
    %e = math.tanh %d {attn.exact} : f32
    memref.store %e, %m[] : memref<f32>
    gpu.return
  }

  // The remainder is a loop; integers are counted by instructions.
  // CHECK-LABEL: gpu.func @integers(
  // CHECK: scf.while
  // CHECK-DAG: "llvm.ctpop"
  // CHECK-DAG: "llvm.ctlz"
  // CHECK-DAG: "llvm.cttz"
  // CHECK-DAG: "llvm.abs"
  // CHECK-NOT: {{arith.remf|arith.floordivsi|math[.]}}
  // CHECK: gpu.return
  gpu.func @integers(%x: f32, %i: i32, %m: memref<f32>, %n: memref<i32>) {
    %y = arith.remf %x, %x : f32
    memref.store %y, %m[] : memref<f32>
    %a = math.ctpop %i : i32
    %b = math.ctlz %a : i32
    %c = math.cttz %b : i32
    %d = math.absi %c : i32
    %e = arith.floordivsi %d, %i : i32
    %f = math.ipowi %e, %i : i32
    memref.store %f, %n[] : memref<i32>
    gpu.return
  }

  // No call of a library of device functions, whatever a program uses.
  // CHECK-LABEL: gpu.func @others(
  // CHECK: llvm{{(.intr)?}}.maxnum
  // CHECK: llvm{{(.intr)?}}.fabs
  // CHECK: llvm{{(.intr)?}}.minimum
  // CHECK: llvm{{(.intr)?}}.floor
  // CHECK: llvm{{(.intr)?}}.fma
  // CHECK-NOT: math.{{sin|cos|erf|log1p}}
  // CHECK: gpu.return
  gpu.func @others(%x: f32, %z: f32, %m: memref<f32>) {
    %a = arith.maxnumf %x, %z : f32
    %c = math.absf %a : f32
    %b = arith.minimumf %c, %x : f32
    %d = math.floor %b : f32
    %e = math.fma %d, %x, %x : f32
    %f = math.sin %e : f32
    %g = math.erf %f : f32
    %h = math.log1p %g : f32
    memref.store %h, %m[] : memref<f32>
    gpu.return
  }
}
