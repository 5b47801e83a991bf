// A boolean that alternates from one turn of a loop to the next is kept in a register of 32 bits: ptxas
// unrolls the loop by four, and gets three of four turns wrong where it is a predicate.
//
// RUN: attn-translate --attn-to-ptx %s | FileCheck %s

// What LLVM makes of `(q + kv) % 2 == 0` in a loop over queries when pairs are counted.
// CHECK-LABEL: .visible .entry parity(
// CHECK-NOT: mov.pred
// CHECK: xor.b32
// CHECK-NOT: mov.pred
// CHECK-LABEL: .visible .entry other(
gpu.module @kernels [#nvvm.target<chip = "sm_80">] {
  llvm.func @parity(%out: !llvm.ptr<1>, %n: i32, %by: i32, %a: i1) attributes {gpu.kernel, nvvm.kernel} {
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %true = llvm.mlir.constant(true) : i1
    llvm.br ^head(%zero, %zero, %a : i32, i32, i1)
  ^head(%q: i32, %sum: i32, %drop: i1):
    %not = llvm.xor %drop, %true : i1
    %add = llvm.select %drop, %zero, %by : i1, i32
    %next = llvm.add %sum, %add : i32
    %i = llvm.add %q, %one : i32
    %more = llvm.icmp "slt" %i, %n : i32
    llvm.cond_br %more, ^head(%i, %next, %not : i32, i32, i1), ^end
  ^end:
    llvm.store %next, %out : i32, !llvm.ptr<1>
    llvm.return
  }

  // By way of another boolean, which is the same two turns later.
  // CHECK-NOT: mov.pred
  // CHECK: ret;
  llvm.func @other(%out: !llvm.ptr<1>, %n: i32, %by: i32, %a: i1, %b: i1) attributes {gpu.kernel, nvvm.kernel} {
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %true = llvm.mlir.constant(true) : i1
    llvm.br ^head(%zero, %zero, %a, %b : i32, i32, i1, i1)
  ^head(%q: i32, %sum: i32, %now: i1, %later: i1):
    %not = llvm.xor %now, %true : i1
    %add = llvm.select %now, %by, %zero : i1, i32
    %next = llvm.add %sum, %add : i32
    %i = llvm.add %q, %one : i32
    %more = llvm.icmp "slt" %i, %n : i32
    llvm.cond_br %more, ^head(%i, %next, %later, %not : i32, i32, i1, i1), ^end
  ^end:
    llvm.store %next, %out : i32, !llvm.ptr<1>
    llvm.return
  }

  // What a loop carries without negating it stays a predicate.
  // CHECK-LABEL: .visible .entry any(
  // CHECK: or.pred
  // CHECK: ret;
  llvm.func @any(%out: !llvm.ptr<1>, %in: !llvm.ptr<1>, %n: i32) attributes {gpu.kernel, nvvm.kernel} {
    %zero = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %false = llvm.mlir.constant(false) : i1
    llvm.br ^head(%zero, %false : i32, i1)
  ^head(%q: i32, %seen: i1):
    %at = llvm.getelementptr %in[%q] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %x = llvm.load %at : !llvm.ptr<1> -> i32
    %some = llvm.icmp "ne" %x, %zero : i32
    %next = llvm.or %seen, %some : i1
    %i = llvm.add %q, %one : i32
    %more = llvm.icmp "slt" %i, %n : i32
    llvm.cond_br %more, ^head(%i, %next : i32, i1), ^end
  ^end:
    %wide = llvm.zext %next : i1 to i32
    llvm.store %wide, %out : i32, !llvm.ptr<1>
    llvm.return
  }
}
