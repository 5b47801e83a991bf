/* Softcap in a window, forward and backward, against the definition. */
#include <attn/attn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { S = 64, D = 32, N = S * D }; /* of one head: positions, channels */
enum { Q, K, V, O, GO, GQ, GK, GV };
static float m[8][N], lse[S], zeros[S]; /* operands, and their gradients */

static double product(void) { /* of the output and its gradient */
  double sum = 0;
  for (int i = 0; i < S; ++i) {
    double total = 0, x = 0;
    for (int j = i < 15 ? 0 : i - 15; j <= i; ++j) {
      double s = 0, v = 0;
      for (int d = 0; d < D; ++d) {
        s += m[Q][i * D + d] * m[K][j * D + d] / sqrt(D);
        v += m[V][j * D + d] * m[GO][i * D + d];
      }
      s = exp(20 * tanh(s / 20)), total += s, x += s * v;
    }
    sum += x / total;
  }
  return sum;
}

static void must(attn_status status) {
  if (status) exit((fprintf(stderr, "%s\n", attn_error_text()), 1));
}

int main(int argc, char **argv) {
  attn_mod *mod; attn_kernel *kernel; attn_gradient *gradient;
  attn_spec spec = {.size = sizeof spec, .target = ATTN_CPU, .type = ATTN_F32, .head_dim = D, .lse = 1};
  attn_tensor v[8];
  for (int i = 0; i < 8; ++i) v[i] = (attn_tensor){sizeof *v, m[i], ATTN_F32, {1, 1, S, D}, {N, N, D}};
  attn_arguments run = {.size = sizeof run, .query = v, .key = v + K, .value = v + V, .out = v + O, .lse = lse};
  attn_gradient_arguments back = {.size = sizeof back, .query = v, .key = v + K, .value = v + V, .out = v + O,
    .lse = lse, .grad_out = v + GO, .grad_lse = zeros, .grad_query = v + GQ, .grad_key = v + GK, .grad_value = v + GV};
  for (int i = 0; i < 5 * N; ++i)
    m[i / N][i % N] = (float)(4.0 * rand() / RAND_MAX - 2);
  must(attn_mod_from_file(argc > 1 ? argv[1] : "examples/softcap_window.mlir", &mod));
  must(attn_kernel_compile(mod, &spec, &kernel));
  must(attn_gradient_compile(mod, &spec, NULL, 0, &gradient));
  must(attn_kernel_run(kernel, &run));
  must(attn_gradient_run(gradient, &back));
  attn_mod_release(mod), attn_kernel_release(kernel), attn_gradient_release(gradient);

  double worst = -product();
  for (int i = 0; i < N; ++i) worst += m[O][i] * m[GO][i];
  for (int i = 0; i < 3 * N; i += 97) { /* by central differences */
    float *x = &m[i / N][i % N], was = *x, h = 1 / 64.0f;
    double up = (*x = was + h, product()), down = (*x = was - h, product());
    *x = was;
    worst = fmax(fabs(worst), fabs((up - down) / (2 * h) - m[GQ + i / N][i % N]));
  }
  printf("off by at most %.0e: %s\n", worst, worst < 1e-2 ? "right" : "WRONG");
  return !(worst < 1e-2);
}
