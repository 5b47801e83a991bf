// Scores bent into (-20, 20) by tanh; a query sees itself and the 15 before it.
attn.mod @softcap_window
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %cap = arith.constant 20.0 : f32
    %x = arith.divf %s, %cap : f32
    %y = math.tanh %x : f32
    %t = arith.mulf %y, %cap : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %window = arith.constant 16 : i32
    %distance = arith.subi %q, %kv : i32
    %causal = arith.cmpi sge, %q, %kv : i32
    %near = arith.cmpi slt, %distance, %window : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }
