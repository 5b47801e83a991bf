// Causal, and of 16384 keys before the query every fourth.

attn.mod @dilated
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %four = arith.constant 4 : i32
    %far = arith.constant 16384 : i32
    %d = arith.subi %q, %kv : i32
    %rest = arith.remsi %d, %four : i32
    %isFourth = arith.cmpi eq, %rest, %zero : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %near = arith.cmpi slt, %d, %far : i32
    %window = arith.andi %causal, %near : i1
    %keep = arith.andi %window, %isFourth : i1
    attn.yield %keep : i1
  }
