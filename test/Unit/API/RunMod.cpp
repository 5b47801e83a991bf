// run-mod MOD.mlir SIZES TYPE OUTPUT: compiles a mod without captures for the
// CPU and runs it. See CPUProblem.h.
#include "../Runtime/CPUProblem.h"

#include "attn/API/Attention.h"

using namespace attn;
using namespace attn::test;

int main(int argc, char **argv) {
  CPUProblem p = CPUProblem::parse(argc, argv);
  KernelSpec spec;
  spec.type = p.isF32 ? ElementType::F32 : ElementType::BF16;
  spec.headDim = spec.valueDim = p.dim;
  auto kernel =
      orFail(AttentionKernel::compile(orFail(Mod::fromFile(argv[1])), spec));
  auto view = [&](std::vector<char> &memory, int64_t rows) {
    TensorView view;
    view.data = memory.data();
    view.type = spec.type;
    view.sizes = {p.batch, p.heads, rows, p.dim};
    view.strides = {p.heads * rows * p.dim, rows * p.dim, p.dim};
    return view;
  };
  orFail(kernel.run(view(p.query, p.queries), view(p.key, p.keys),
                    view(p.value, p.keys), {}, view(p.out, p.queries)));
  p.write();
}
