// The order of turns.
#include "measure/Rounds.h"

#include "measure/Cycle.h"
#include "support/Interrupt.h"

#include <algorithm>
#include <numeric>
#include <random>

using namespace attn;
using namespace attn::bench;

/// The duty for all contestants; 0 if they are not to be paced.
static double commonDuty(std::vector<Contestant> &contestants,
                         const TurnOptions &options) {
  TurnOptions finding = options;
  finding.onlyPace = true;
  std::vector<Pace> paces;
  for (Contestant &contestant : contestants) {
    if (isInterrupted())
      break;
    Result<Turn> turn = contestant.turn(finding);
    if (turn && turn->pace) {
      contestant.timing.pace = turn->pace;
      paces.push_back(*turn->pace);
    } else if (!turn && !isInterrupted()) {
      contestant.error = turn.error();
    }
  }
  return paces.empty() ? 0 : dutyFor(paces, options);
}

void attn::bench::sampleInRounds(std::vector<Contestant> &contestants,
                                 const TimingOptions &options) {
  size_t count = contestants.size();
  std::vector<Sampler> samplers(count, Sampler(options));
  TurnOptions turnOptions;
  turnOptions.hot = options.hot;
  turnOptions.seconds = options.turnSeconds;
  turnOptions.warmupSeconds = options.warmupSeconds;
  double duty = options.paced ? commonDuty(contestants, turnOptions) : 0;
  if (duty > 0)
    turnOptions.duty = duty;
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
  for (size_t i = 0; i < count; ++i) {
    std::optional<Pace> pace = contestants[i].timing.pace;
    contestants[i].timing = samplers[i].result();
    contestants[i].timing.pace = pace;
    contestants[i].timing.duty = duty;
  }
}
