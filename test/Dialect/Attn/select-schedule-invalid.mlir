// RUN: attn-opt %s --attn-select-schedule=target=sm90a --verify-diagnostics

!q = tensor<?x?x?x64xf32>
!l = tensor<?x?x?xf32>

func.func @gradients(%q: !q, %l: !l) -> (!q, !q, !q) {
  // expected-error @+1 {{expects the target cpu, the only one yet with kernels of gradients, got sm90a}}
  %r:3 = attn.attention_backward %q, %q, %q, %q, %l, %q : (!q, !q, !q, !q, !l, !q) -> (!q, !q, !q)
  return %r#0, %r#1, %r#2 : !q, !q, !q
}
