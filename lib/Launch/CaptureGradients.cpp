// See CaptureGradients.h.
#include "CaptureGradients.h"

#include <algorithm>
#include <functional>
#include <numeric>

using namespace attn;

int64_t attn::elementsOf(const CaptureView &view) {
  int64_t count = 1;
  for (int64_t size : view.sizes)
    count *= size;
  return count;
}

static int64_t productOf(const std::vector<int64_t> &sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                         std::multiplies<int64_t>());
}

int64_t CaptureWorkspace::Block::rowFloats() const {
  return rows.empty() ? 0 : productOf(rows);
}

int64_t CaptureWorkspace::Block::slotFloats() const {
  return slots.empty() || isDirect ? 0 : productOf(slots);
}

/// Slots are what the tasks of one sum can be spread over. More than that many
/// tasks add nothing but memory; small tables that all pairs add to want them.
static constexpr int64_t mostTasks = 512,
                         mostSlotBytes = int64_t(128) << 20; ///< of all slots

static int64_t lengthOf(const CaptureSumPlan &plan, const ProblemSizes &sizes) {
  return plan.ownsKeys ? sizes.keys : sizes.queries;
}

namespace {
/// How many tiles, heads and batches add to the same elements, and how many to
/// others.
struct Tasks {
  int64_t units = 1, owned = 1;

  Tasks(const CaptureSumPlan &plan, const ProblemSizes &sizes) {
    int64_t length = lengthOf(plan, sizes);
    const std::pair<bool, int64_t> positions[] = {
        {plan.ownsBatch, sizes.batch},
        {plan.ownsHead, sizes.heads},
        {plan.ownsRows, (length + plan.ownTile - 1) / plan.ownTile}};
    for (auto [isOwned, size] : positions)
      (isOwned ? owned : units) *= size;
    owned = std::max<int64_t>(1, owned);
  }
};
} // namespace

/// That so many units are spread over, as far as memory allows; at least one.
static int64_t slotsFor(int64_t units, int64_t owned, int64_t mostSlots) {
  return std::max<int64_t>(
      1, std::min({units, (mostTasks + owned - 1) / owned, mostSlots}));
}

/// The bits of a result depend on this, so it knows sizes only.
CaptureWorkspace::Block CaptureWorkspace::blockOf(const CaptureSumPlan &plan,
                                                  const ProblemSizes &sizes,
                                                  int64_t elements) {
  Block block;
  block.capture = plan.capture, block.elements = elements;
  if (plan.isCarried)
    block.rows = {sizes.batch, sizes.heads, lengthOf(plan, sizes)};
  if (!plan.hasSlots())
    return block;
  Tasks tasks(plan, sizes);
  int64_t bytes =
      std::max<int64_t>(elements, 1) * plan.copies * int64_t(sizeof(float));
  int64_t slots = slotsFor(tasks.units, tasks.owned, mostSlotBytes / bytes);
  block.slots = {slots * plan.copies, elements};
  block.isDirect = block.slots[0] == 1;
  block.tasks = slots * tasks.owned;
  return block;
}

/// Slots grow with units and shrink with what is owned, and their memory is
/// that of one, or of many within what they may have.
int64_t CaptureWorkspace::mostFloats(const std::vector<CaptureSumPlan> &plans,
                                     const SizeRange &range,
                                     const std::vector<CaptureView> &captures) {
  int64_t total = 0;
  for (const CaptureSumPlan &plan : plans) {
    if (plan.isCarried)
      total += range.largest.batch * range.largest.heads *
               lengthOf(plan, range.largest);
    if (!plan.hasSlots())
      continue;
    int64_t one = elementsOf(captures[plan.capture]) * plan.copies;
    int64_t slots = slotsFor(Tasks(plan, range.largest).units,
                             Tasks(plan, range.smallest).owned, mostTasks);
    if (slots * plan.copies != 1)
      total += std::max(
          one, std::min(slots * one, mostSlotBytes / int64_t(sizeof(float))));
  }
  return total;
}

CaptureWorkspace::CaptureWorkspace(const std::vector<CaptureSumPlan> &plans,
                                   const ProblemSizes &sizes,
                                   const std::vector<CaptureView> &captures) {
  for (const CaptureSumPlan &plan : plans) {
    blocks.push_back(blockOf(plan, sizes, elementsOf(captures[plan.capture])));
    total += blocks.back().rowFloats() + blocks.back().slotFloats();
  }
}

void CaptureWorkspace::bind(Bindings &bindings, float *memory,
                            const std::vector<float *> &gradients) const {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block &block = blocks[i];
    auto number = static_cast<int64_t>(i);
    if (!block.rows.empty())
      bindings.memory({Role::RowSums, number}, memory, block.rows);
    memory += block.rowFloats();
    if (!block.slots.empty())
      bindings.memory({Role::Workspace, number},
                      block.isDirect ? gradients[block.capture] : memory,
                      block.slots);
    memory += block.slotFloats();
  }
}

std::vector<CaptureWorkspace::Floats>
CaptureWorkspace::slots(float *memory) const {
  std::vector<Floats> result;
  for (const Block &block : blocks) {
    memory += block.rowFloats();
    if (block.slotFloats() != 0)
      result.push_back({memory, block.slotFloats()});
    memory += block.slotFloats();
  }
  return result;
}
