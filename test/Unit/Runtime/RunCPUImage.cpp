// run-cpu-image IMAGE SIZES TYPE OUTPUT: runs a forward kernel without captures
// on the CPU, as a program does that has the runtime and nothing of the
// compiler. See CPUProblem.h.
#include "CPUProblem.h"

#include "attn/Runtime/LoadedCPUKernel.h"

#include <sstream>

using namespace attn;
using namespace attn::test;

int main(int argc, char **argv) {
  CPUProblem p = CPUProblem::parse(argc, argv);
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  KernelImage image = orFail(KernelImage::load(text.str()));
  auto kernels = orFail(cpu::LoadedKernel::load(image));
  if (kernels.size() != 1)
    fail("expects an image of one kernel");
  Bindings bindings;
  bindings.memory({Role::Query}, p.query.data(), p.sizes(p.queries));
  bindings.memory({Role::Key}, p.key.data(), p.sizes(p.keys));
  bindings.memory({Role::Value}, p.value.data(), p.sizes(p.keys));
  bindings.memory({Role::Out}, p.out.data(), p.sizes(p.queries));
  orFail(kernels[0].run(bindings));
  p.write();
}
