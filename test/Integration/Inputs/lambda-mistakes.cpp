// Each line that says `mistake` must not compile, and no other line fails: what
// would not mean in a mod what it says in C++ (lambda-mistakes.test).
#include "attn/API/Lambda.h"

using namespace attn;

void scores(Score s, Index h, Index q, Index kv, Bool keep, Table<Float, 1> bias,
            Table<Float, 2> table, Table<Index, 1> ids, Scalar<Index> n) {
  (void)(s + toFloat(q) * bias(h));
  (void)(s + q);                 // mistake: a position is no score
  (void)(q + 1.5F);              // mistake: nor a fraction a position
  (void)(q + true);              // mistake
  (void)floorDiv(q, 2);
  (void)(q / 2);                 // mistake: floorDiv or ceilDiv
  (void)(q % kv);                // mistake: floorMod
  (void)(s / 2);
  (void)(s % 2);                 // mistake
  (void)fmod(s, 2);
  (void)(s << 1);                // mistake
  (void)bias(q - n);
  (void)bias(s);                 // mistake: an index is no float
  (void)bias(h, q);              // mistake: of one dimension
  (void)table(h);                // mistake: of two
  (void)table(h, ids(kv));
  (void)(ids(q) == bias(h));     // mistake: an Index and a Float
  (void)select(keep, s, bias(h));
  (void)select(keep, s, q);      // mistake: one type
  (void)select(q, s, s);         // mistake: a condition is a Bool
  (void)tanh(q);                 // mistake: toFloat
  (void)max(q, kv);
  (void)max(q, s);               // mistake
  float number = s;              // mistake: it has no value yet
  int64_t position = q;          // mistake
  (void)number, (void)position;
}

void conditions(Score s, Index q, Index kv, Bool keep) {
  (void)((q >= kv) & !keep);
  (void)(keep && q >= kv);       // mistake: &
  (void)(keep || q >= kv);       // mistake: |
  (void)(keep ? s : -s);         // mistake: select
  if (q >= kv)                   // mistake: it has no value yet
    return;
  while (keep)                   // mistake
    return;
  (void)(keep + keep);           // mistake
  (void)(keep & 1);              // mistake: true
  (void)(keep & (kv & 1));       // mistake: == 1
  (void)(q < kv < 3);            // mistake
  bool flag = keep;              // mistake
  Bool none;                     // mistake: there is no value to be
  (void)flag;
}
