// What the tests of the C interface have in common: mods, tensors, and objects
// that release themselves.
#ifndef ATTN_TEST_UNIT_CAPI_FIXTURES_H
#define ATTN_TEST_UNIT_CAPI_FIXTURES_H

#include "attn/attn.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

/// That a call ends with `status` and a text that has `part` in it.
#define EXPECT_FAILS(status, part, call)                                       \
  do {                                                                         \
    EXPECT_EQ(call, status);                                                   \
    EXPECT_NE(std::string(attn_error_text()).find(part), std::string::npos)    \
        << attn_error_text();                                                  \
  } while (false)
#define EXPECT_OK(call) EXPECT_EQ(call, ATTN_OK) << attn_error_text()
#define ASSERT_OK(call) ASSERT_EQ(call, ATTN_OK) << attn_error_text()

template <typename T> using Owned = std::unique_ptr<T, void (*)(T *)>;

constexpr const char *plainMod = "attn.mod @plain";
constexpr const char *causalMod = R"(attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
)";
/// A tensor and a scalar.
constexpr const char *biasMod = R"(
attn.mod @bias(%table: tensor<?xf32> {attn.shape = ["heads"],
    attn.data = @ones}, %factor: f32 {attn.data = 0.5 : f32})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %table[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %y = arith.mulf %x, %f : f32
    %z = arith.mulf %y, %factor : f32
    %t = arith.addf %s, %z : f32
    attn.yield %t : f32
  }
attn.fill @ones(%h: i32) {
  %one = arith.constant 1.0 : f32
  attn.yield %one : f32
}
)";
/// Whose tiles come from lists.
constexpr const char *documentsMod = R"(
attn.mod @documents(%ids: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %ids[%q] : tensor<?xi32>
    %j = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
)";

inline Owned<attn_mod> modOf(const char *source) {
  attn_mod *mod = nullptr;
  EXPECT_OK(attn_mod_from_source(source, "test.mlir", &mod));
  return {mod, attn_mod_release};
}

constexpr int64_t dim = 16;

inline attn_spec cpuSpec() {
  attn_spec spec{};
  spec.size = sizeof spec;
  spec.target = ATTN_CPU, spec.type = ATTN_F32;
  spec.head_dim = dim;
  return spec;
}

inline attn_sizes sizesOf(int64_t batch, int64_t heads, int64_t length) {
  return {sizeof(attn_sizes), batch, heads, heads, length, length, dim, dim, 0};
}

/// Contiguous f32 of (batch, heads, length, dim), filled with numbers that
/// depend on `seed`, or 0 with seed 0.
struct Tensor {
  Tensor(int64_t batch, int64_t heads, int64_t length, unsigned seed = 0)
      : data(static_cast<size_t>(batch * heads * length * dim)) {
    uint32_t state = seed;
    for (float &x : data) {
      state = state * 1664525 + 1013904223;
      x = seed ? static_cast<float>(state >> 16) / 32768.0f - 1.0f : 0;
    }
    view = {sizeof view,
            data.data(),
            ATTN_F32,
            {batch, heads, length, dim},
            {heads * length * dim, length * dim, dim}};
  }
  std::vector<float> data;
  attn_tensor view;
};

/// The operands and the result of an attention.
struct Operands {
  Operands(int64_t batch, int64_t heads, int64_t length)
      : query(batch, heads, length, 1), key(batch, heads, length, 2),
        value(batch, heads, length, 3), out(batch, heads, length) {
    arguments.size = sizeof arguments;
    arguments.query = &query.view, arguments.key = &key.view;
    arguments.value = &value.view, arguments.out = &out.view;
  }
  Tensor query, key, value, out;
  attn_arguments arguments{};
};

inline attn_capture captureOf(const void *data, attn_type type,
                              const std::vector<int64_t> &sizes = {}) {
  return {
      sizeof(attn_capture), data,   type, static_cast<int32_t>(sizes.size()),
      sizes.data(),         nullptr};
}

/// A forward pass, and what its gradients take.
struct Backward : Operands {
  Backward(const char *mod, int64_t heads, int64_t length,
           std::vector<attn_capture> captures = {})
      : Operands(1, heads, length), gradOut(1, heads, length, 4),
        gradQuery(1, heads, length), gradKey(1, heads, length),
        gradValue(1, heads, length), lse(heads * length),
        views(std::move(captures)) {
    arguments.captures = views.data();
    arguments.capture_count = views.size();
    arguments.lse = lse.data();
    attn_spec spec = cpuSpec();
    spec.lse = 1;
    attn_kernel *kernel = nullptr;
    EXPECT_OK(attn_kernel_compile(modOf(mod).get(), &spec, &kernel));
    EXPECT_OK(attn_kernel_run(kernel, &arguments));
    attn_kernel_release(kernel);
    back.size = sizeof back;
    back.query = arguments.query, back.key = arguments.key;
    back.value = arguments.value, back.out = arguments.out;
    back.lse = lse.data();
    back.captures = views.data(), back.capture_count = views.size();
    back.grad_out = &gradOut.view, back.grad_query = &gradQuery.view;
    back.grad_key = &gradKey.view, back.grad_value = &gradValue.view;
  }
  Tensor gradOut, gradQuery, gradKey, gradValue;
  std::vector<float> lse;
  std::vector<attn_capture> views;
  attn_gradient_arguments back{};
};

#endif // ATTN_TEST_UNIT_CAPI_FIXTURES_H
