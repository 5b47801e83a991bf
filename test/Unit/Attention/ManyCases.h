// Cases of which some suffice where a case is slow: all of them are for a GPU,
// or for a filter of one's own.
#ifndef ATTN_TEST_ATTENTION_MANYCASES_H
#define ATTN_TEST_ATTENTION_MANYCASES_H

/// On a CPU: of lengths, pages and numbers of shares and chunks each kind is
/// left.
#define ATTN_MANY_CASES                                                        \
  "*LengthsOf.Patterns/AroundATile:*LengthsOf.Patterns/AroundTheRoom:"         \
  "*LengthsOf.Patterns/Extreme:*LengthsOf.Patterns/AroundNothing:"             \
  "*LengthsOf.PatternsAtTheEnd/Around*:*LengthsOf.PatternsAtTheEnd/Extreme:"   \
  "*PageRows.*/1:*PageRows.*/2:*PageRows.*/5:*PageRows.*/6:*PageRows.*/7:"     \
  "*Shares.*/0:*Shares.*/1:*Shares.*/4:*Shares.*/5:*Shares.*/6:"               \
  "*Shares.*/8:*Shares.*/9"

/// On the PTX machine besides.
#define ATTN_MANY_CASES_OF_A_GPU                                               \
  ATTN_MANY_CASES                                                              \
  ":*LengthsOf.*:*Shares.*/2:*PageRows.*/0:*MathSweep.*/1:*MathSweep.*/2:"     \
  "*MathSweep.*/4:*MathSweep.*/5:*MathSweep.*/7:*MathSweep.*/8"

#endif // ATTN_TEST_ATTENTION_MANYCASES_H
