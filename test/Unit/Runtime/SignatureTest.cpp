// What a launch fills, and what it says when it cannot.
#include "attn/Runtime/Signature.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace attn;

namespace {

Parameter memory(Role role, int64_t rank, int64_t number = 0) {
  return {Parameter::Kind::Memory, {role, number}, rank, {}, 0};
}
Parameter scalar(Role role, int64_t number = 0) {
  return {Parameter::Kind::Scalar, {role, number}, 0, {}, 0};
}
Parameter mapOf(Role role, int64_t rows) {
  return {Parameter::Kind::TensorMap, {Role::TensorMap}, 0, {role}, rows};
}

uint64_t word(void *address) {
  uint64_t value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

/// Writes the rows into a map's first bytes, and the address behind.
struct FakeMaps final : TensorMapEncoder {
  Result<void> encode(const Binding &memory, int64_t rows,
                      void *bytes) const override {
    if (memory.strides[0] % 8)
      return Error{"strides"};
    uint64_t words[16] = {static_cast<uint64_t>(rows), memory.word};
    std::memcpy(bytes, words, sizeof words);
    return {};
  }
};

TEST(Roles, HaveNamesThatAreRead) {
  EXPECT_STREQ(toString(Role::GradOut), "grad_out");
  EXPECT_EQ(roleNamed("tensor_map"), Role::TensorMap);
  EXPECT_EQ(roleNamed("nothing"), std::nullopt);
  EXPECT_EQ(toString(RoleName{Role::Capture, 2}), "capture 2");
  EXPECT_EQ(toString(RoleName{Role::Key, 0}), "key");
}

TEST(BoundParameters, AreInTheOrderOfTheSignature) {
  Bindings bindings;
  int8_t small = -3;
  bindings.scalar({Role::Capture, 1}, &small, sizeof small);
  bindings.memory({Role::Query}, reinterpret_cast<void *>(4096), {2, 3},
                  {70, 7});
  Signature signature{scalar(Role::Capture, 1), memory(Role::Query, 2)};
  EXPECT_EQ(flatCount(signature), 8u);
  auto bound = BoundParameters::bind(signature, bindings);
  ASSERT_TRUE(bound) << bound.error();
  std::vector<void *> flat = bound->flat();
  ASSERT_EQ(flat.size(), 8u);
  EXPECT_EQ(word(flat[0]), 0xfdu);
  uint64_t expected[] = {4096, 4096, 0, 2, 3, 70, 7};
  for (size_t i = 0; i < 7; ++i)
    EXPECT_EQ(word(flat[1 + i]), expected[i]) << i;
  // Packed calls get a memory's descriptor as a whole.
  std::vector<void *> packed = bound->packed();
  ASSERT_EQ(packed.size(), 2u);
  EXPECT_EQ(std::memcmp(packed[1], expected, sizeof expected), 0);
}

TEST(BoundParameters, StayInPlaceWhenMoved) {
  Bindings bindings;
  bindings.memory({Role::Out}, nullptr, std::vector<int64_t>(9, 1));
  auto bound = BoundParameters::bind({memory(Role::Out, 9)}, bindings);
  ASSERT_TRUE(bound) << bound.error();
  std::vector<void *> before = bound->flat();
  BoundParameters moved = std::move(*bound);
  EXPECT_EQ(moved.flat(), before);
  ASSERT_EQ(before.size(), 21u);
  // More words than one block of them has: a descriptor is contiguous.
  for (size_t i = 1; i < before.size(); ++i)
    EXPECT_EQ(static_cast<char *>(before[i]) - static_cast<char *>(before[0]),
              static_cast<ptrdiff_t>(8 * i));
}

TEST(BoundParameters, OfTensorMaps) {
  Bindings bindings;
  bindings.memory({Role::Key}, reinterpret_cast<void *>(512), {1, 1, 5, 64});
  Signature signature{mapOf(Role::Key, 128), mapOf(Role::Key, 16)};
  FakeMaps maps;
  auto bound = BoundParameters::bind(signature, bindings, &maps);
  ASSERT_TRUE(bound) << bound.error();
  std::vector<void *> flat = bound->flat();
  ASSERT_EQ(flat.size(), 2u);
  EXPECT_EQ(word(flat[0]), 128u);
  EXPECT_EQ(word(flat[1]), 16u);
  EXPECT_EQ(word(static_cast<char *>(flat[1]) + 8), 512u);
  for (void *address : flat) // What TMA wants is 64.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(address) % 64, 0u);

  EXPECT_EQ(BoundParameters::bind(signature, bindings).error(),
            "this target has no tensor maps");
  bindings.memory({Role::Key}, nullptr, {1, 1, 5, 64}, {4, 4, 4, 1});
  EXPECT_EQ(BoundParameters::bind(signature, bindings, &maps).error(),
            "strides");
}

TEST(BoundParameters, SayWhatIsMissing) {
  Bindings bindings;
  EXPECT_EQ(
      BoundParameters::bind({memory(Role::Capture, 1, 3)}, bindings).error(),
      "nothing is bound to the kernel's parameter 'capture 3'");
  bindings.memory({Role::Lse}, nullptr, {4});
  EXPECT_EQ(BoundParameters::bind({memory(Role::Lse, 3)}, bindings).error(),
            "expects memory of rank 3 for the kernel's parameter 'lse', got "
            "rank 1");
}

TEST(Bindings, OfContiguousMemory) {
  EXPECT_EQ(contiguousStrides({2, 3, 4}), (std::vector<int64_t>{12, 4, 1}));
  EXPECT_EQ(contiguousStrides({2, 0, 4}), (std::vector<int64_t>{4, 4, 1}));
  EXPECT_TRUE(contiguousStrides({}).empty());
}

} // namespace
