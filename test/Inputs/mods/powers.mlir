// Keys at a distance that is a power of two, or none: (d & (d - 1)) == 0.

attn.mod @powers
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %d = arith.subi %q, %kv : i32
    %less = arith.subi %d, %one : i32
    %bits = arith.andi %d, %less : i32
    %isPower = arith.cmpi eq, %bits, %zero : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %keep = arith.andi %isPower, %causal : i1
    attn.yield %keep : i1
  }
