// RUN: attn-opt %s --check-lowered --split-input-file --verify-diagnostics

// What is left of other dialects is named where it stands.
llvm.func @left(%x: f64) -> f64 {
  // expected-error @+1 {{'math.clampf' op cannot be lowered for this target}}
  %y = math.clampf %x to [%x, %x] : f64
  // expected-error @+1 {{'math.sin' op cannot be lowered for this target}}
  %z = math.sin %y : f64
  llvm.return %z : f64
}

// -----

// Functions of the system's library are the CPU's.
llvm.func @sin(f64) -> f64
llvm.func @library(%x: f64) -> f64 {
  %y = llvm.call @sin(%x) : (f64) -> f64
  llvm.return %y : f64
}

// -----

gpu.module @kernels {
  llvm.func @__nv_abs(i32) -> i32
  llvm.func @own(%x: i32) -> i32 {
    llvm.return %x : i32
  }
  llvm.func @kernel(%x: i32) -> i32 {
    %y = llvm.call @own(%x) : (i32) -> i32
    // expected-error @+1 {{there is no GPU code for '__nv_abs'}}
    %z = llvm.call @__nv_abs(%y) : (i32) -> i32
    llvm.return %z : i32
  }
}

// -----

// A constant that has no place of its own is named where it is used, or else in
// the function that has it.
llvm.func @folded() -> f64 {
  %c = arith.constant 2.0 : f64 loc(unknown)
  // expected-error @+1 {{'arith.constant' op cannot be lowered for this target}}
  llvm.return %c : f64
}

// -----

// expected-error @+1 {{'arith.constant' op cannot be lowered for this target}}
llvm.func @unused() {
  %c = arith.constant 2.0 : f64 loc(unknown)
  llvm.return loc(unknown)
}
