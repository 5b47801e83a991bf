// Softcap in a window, forward and backward, against the definition.
#include <attn/attn.hpp>
#include <cmath>
#include <cstdio>
#include <random>

constexpr int S = 64, D = 32; // of one head: positions, channels
using Matrix = std::vector<float>;
static attn::TensorView view(Matrix &m) { return {m.data(), attn::ElementType::F32, {1, 1, S, D}, {S * D, S * D, D}}; }
template <typename T> static T must(attn::Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().c_str()), std::exit(1);
  if constexpr (!std::is_void_v<T>) return *result;
}

int main(int argc, char **argv) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Matrix q(S * D), k(q), v(q), out(q), gradOut(q), gq(q), gk(q), gv(q);
  for (Matrix *m : {&q, &k, &v, &gradOut})
    for (float &x : *m) x = normal(random);
  Matrix lse(S), gradLse(S);
  auto product = [&] { // of the output and its gradient
    double sum = 0;
    for (int i = 0; i < S; ++i) {
      double total = 0, weighted = 0;
      for (int j = std::max(0, i - 15); j <= i; ++j) {
        double s = 0, x = 0;
        for (int d = 0; d < D; ++d)
          s += q[i * D + d] * k[j * D + d] / std::sqrt(D), x += v[j * D + d] * gradOut[i * D + d];
        s = std::exp(20 * std::tanh(s / 20)), total += s, weighted += s * x;
      }
      sum += weighted / total;
    }
    return sum;
  };
  attn::KernelSpec spec;
  spec.headDim = spec.valueDim = D, spec.lse = true;
  auto mod = must(attn::Mod::fromFile(argc > 1 ? argv[1] : "examples/softcap_window.mlir"));
  auto kernel = must(attn::AttentionKernel::compile(mod, spec));
  auto gradient = must(attn::GradientKernel::compile(mod, spec));
  must(kernel.run(view(q), view(k), view(v), {}, view(out), lse.data()));
  attn::GradientArguments back;
  back.query = view(q), back.key = view(k), back.value = view(v), back.out = view(out), back.lse = lse.data();
  back.gradOut = view(gradOut), back.gradLse = gradLse.data();
  back.gradQuery = view(gq), back.gradKey = view(gk), back.gradValue = view(gv);
  must(gradient.run(back));

  double worst = -product();
  for (int i = 0; i < S * D; ++i) worst += out[i] * gradOut[i];
  for (auto [m, g] : {std::pair(&q, &gq), std::pair(&k, &gk), std::pair(&v, &gv)})
    for (int i = 0; i < S * D; i += 97) { // by central differences
      float &x = (*m)[i], was = x, h = 1 / 64.0f;
      double up = (x = was + h, product()), down = (x = was - h, product());
      x = was, worst = std::fmax(std::fabs(worst), std::fabs((up - down) / (2 * h) - (*g)[i]));
    }
  std::printf("off by at most %.0e: %s\n", worst, worst < 1e-2 ? "right" : "WRONG");
  return !(worst < 1e-2);
}
