// No operation of arith and math is forgotten: those that MLIR registers are
// the ones that test/Unit/Attention/MathTests.cpp runs on every target, or are
// refused (test/Dialect/Attn/invalid.mlir).
#include "../Attention/MathCases.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace mlir;

TEST(Operations, OfArithAndMathAreRunOrRefused) {
  MLIRContext context;
  context.loadDialect<arith::ArithDialect, math::MathDialect>();
  std::set<std::string> registered;
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (name.getDialectNamespace() == "arith" ||
        name.getDialectNamespace() == "math")
      registered.insert(name.getStringRef().str());
  std::set<std::string> known{"arith.scaling_extf", "arith.scaling_truncf"};
  for (const ::attn::test::MathCase &c : ::attn::test::mathCases())
    known.insert(c.op);
  EXPECT_EQ(registered, known);
}
