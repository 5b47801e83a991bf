// The order of turns.
#include "Rounds.h"

#include "Interrupt.h"

#include <algorithm>
#include <numeric>
#include <random>

using namespace attn;
using namespace attn::bench;

void attn::bench::sampleInRounds(std::vector<Contestant> &contestants,
                                 const TimingOptions &options) {
  size_t count = contestants.size();
  std::vector<Sampler> samplers(count, Sampler(options));
  TurnOptions turnOptions;
  turnOptions.hot = options.hot;
  turnOptions.warmupSeconds = options.warmupSeconds;
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  for (bool more = true; more && !isInterrupted();) {
    more = false;
    std::shuffle(order.begin(), order.end(), random);
    for (size_t i : order) {
      if (isInterrupted())
        break;
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
