!t = tensor<?x?x?x16xf32>
attn.mod @unused mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %keep = arith.cmpi sge, %q, %kv : i32
  attn.yield %keep : i1
}
func.func @other(%x: !t) -> !t {
  return %x : !t
}
attn.mod @softcap score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
  %t = math.tanh %s : f32
  attn.yield %t : f32
}
func.func @layer(%q: !t) -> !t {
  %o = attn.attention %q, %q, %q mod @softcap : (!t, !t, !t) -> !t
  return %o : !t
}
