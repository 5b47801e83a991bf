// Keys in the same block of 64, and in those whose block number differs in one bit.

attn.mod @butterfly
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %size = arith.constant 64 : i32
    %i = arith.divui %q, %size : i32
    %j = arith.divui %kv, %size : i32
    %d = arith.xori %i, %j : i32
    %less = arith.subi %d, %one : i32
    %bits = arith.andi %d, %less : i32
    %keep = arith.cmpi eq, %bits, %zero : i32
    attn.yield %keep : i1
  }
