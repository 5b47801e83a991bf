// The order of turns.
#include "Rounds.h"

#include "Interrupt.h"

using namespace attn;
using namespace attn::bench;

void attn::bench::sampleInRounds(std::vector<Contestant> &contestants,
                                 const TimingOptions &options) {
  size_t count = contestants.size();
  std::vector<Sampler> samplers(count, Sampler(options));
  TurnOptions turnOptions;
  turnOptions.hot = options.hot;
  bool more = true;
  for (size_t round = 0; more && !isInterrupted(); ++round) {
    more = false;
    for (size_t place = 0; place < count && !isInterrupted(); ++place) {
      size_t i = (round + place) % count;
      if (!contestants[i].error.empty() || !samplers[i].needsTurn())
        continue;
      Result<Turn> turn = contestants[i].turn(turnOptions);
      if (turn) {
        samplers[i].add(*turn);
        more |= samplers[i].needsTurn();
      } else if (!isInterrupted()) {
        contestants[i].error = turn.error();
      }
    }
  }
  for (size_t i = 0; i < count; ++i)
    contestants[i].timing = samplers[i].result();
}
