// Packages as generated objects hold them, and arguments as their callers make
// them.
#ifndef ATTN_TEST_AOT_OBJECT_H
#define ATTN_TEST_AOT_OBJECT_H

#include "attn/AOT/Runtime.h"
#include "attn/API/KernelPackage.h"

#include <algorithm>
#include <string>
#include <vector>

namespace attn::test {

/// As a generated object holds it.
struct Object {
  explicit Object(const std::vector<KernelPackage> &packages) {
    for (const KernelPackage &package : packages)
      bytes.push_back(package.save());
    for (const std::string &each : bytes)
      table.push_back({each.data(), each.size()});
    kernels = {ATTN_AOT_ABI, table.size(), table.data(), nullptr};
  }
  ~Object() { attn_aot_unload(&kernels); }
  Object(const Object &) = delete;

  std::vector<std::string> bytes;
  std::vector<attn_aot_package> table;
  attn_aot_kernels kernels;
};

inline attn_aot_tensor tensorOf(const TensorView &view) {
  attn_aot_tensor tensor;
  tensor.data = view.data;
  std::copy(view.sizes.begin(), view.sizes.end(), tensor.sizes);
  std::copy(view.strides.begin(), view.strides.end(), tensor.strides);
  return tensor;
}

inline attn_aot_args argsOf(const AttentionArguments &from) {
  attn_aot_args args = {};
  args.size = sizeof args, args.device = -1;
  args.query = tensorOf(from.query), args.key = tensorOf(from.key);
  args.value = tensorOf(from.value), args.out = tensorOf(from.out);
  args.lse = from.lse;
  return args;
}

inline attn_aot_backward_args argsOf(const GradientArguments &from) {
  attn_aot_backward_args args = {};
  args.size = sizeof args, args.device = -1;
  args.query = tensorOf(from.query), args.key = tensorOf(from.key);
  args.value = tensorOf(from.value), args.out = tensorOf(from.out);
  args.lse = from.lse, args.grad_lse = from.gradLse;
  args.grad_out = tensorOf(from.gradOut);
  args.grad_query = tensorOf(from.gradQuery);
  args.grad_key = tensorOf(from.gradKey);
  args.grad_value = tensorOf(from.gradValue);
  return args;
}

inline std::string why() { return attn_aot_error_detail(); }

} // namespace attn::test

#endif // ATTN_TEST_AOT_OBJECT_H
