// The example that README.md follows from level to level: attention in which a
// query sees itself and the 99 keys before it.
attn.mod @near mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %width = arith.constant 100 : i32
  %distance = arith.subi %q, %kv : i32
  %past = arith.cmpi sge, %q, %kv : i32
  %close = arith.cmpi slt, %distance, %width : i32
  %keep = arith.andi %past, %close : i1
  attn.yield %keep : i1
}

func.func @layer(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x8x?x64xbf16>,
                 %v: tensor<?x8x?x64xbf16>) -> tensor<?x8x?x64xbf16> {
  %o = attn.attention %q, %k, %v mod @near
      : (tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>)
        -> tensor<?x8x?x64xbf16>
  return %o : tensor<?x8x?x64xbf16>
}
