// See CaptureGradients.h.
#include "CaptureGradients.h"

#include <algorithm>

using namespace attn;

static bool isFloat(ElementType type) {
  return type == ElementType::F32 || type == ElementType::F16 ||
         type == ElementType::BF16;
}

Result<std::vector<int64_t>>
attn::findCaptures(const Mod &mod, const std::vector<std::string> &names) {
  std::vector<int64_t> numbers;
  const std::vector<CaptureInfo> &captures = mod.captures();
  for (const std::string &name : names) {
    auto found = std::find_if(
        captures.begin(), captures.end(),
        [&](const CaptureInfo &capture) { return capture.name == name; });
    if (found == captures.end())
      return Error{"expects 'wrt' to name captures of '@" + mod.name() +
                   "', got '" + name + "'"};
    if (!isFloat(found->type))
      return Error{"expects 'wrt' to name captures of floats, got '" + name +
                   "' of " + toString(found->type)};
    int64_t number = found - captures.begin();
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end())
      return Error{"expects 'wrt' to name a capture once, got '" + name +
                   "' twice"};
    numbers.push_back(number);
  }
  return numbers;
}

int64_t attn::elementsOf(const CaptureView &view) {
  int64_t count = 1;
  for (int64_t size : view.sizes)
    count *= size;
  return count;
}

int64_t CaptureWorkspace::Block::floats() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return isDirect ? 0 : count;
}

/// Slots are what the tasks of one sum can be spread over: more than that many
/// add nothing but memory, and small tables that all pairs add to want them.
static constexpr int64_t maxSlots = 64,
                         maxSlotBytes = int64_t(128) << 20; ///< of all slots

/// The bits of a result depend on this, so it knows sizes only.
static int64_t slotsOf(const CaptureSumPlan &plan, const ProblemSizes &sizes,
                       int64_t queryTile, int64_t elements) {
  int64_t units = 1;
  if (!plan.ownsBatch)
    units *= sizes.batch;
  if (!plan.ownsHead)
    units *= sizes.heads;
  if (!plan.ownsQuery)
    units *= (sizes.queries + queryTile - 1) / queryTile;
  int64_t bytes = std::max<int64_t>(elements, 1) * int64_t(sizeof(float));
  return std::max<int64_t>(1,
                           std::min({units, maxSlots, maxSlotBytes / bytes}));
}

CaptureWorkspace::CaptureWorkspace(const std::vector<CaptureSumPlan> &plans,
                                   const ProblemSizes &sizes, int64_t queryTile,
                                   const std::vector<CaptureView> &captures) {
  for (const CaptureSumPlan &plan : plans) {
    Block block;
    block.capture = plan.capture;
    if (plan.of == CaptureSumPlan::Of::Pairs) {
      int64_t elements = elementsOf(captures[plan.capture]);
      block.isSlots = true;
      block.shape = {slotsOf(plan, sizes, queryTile, elements), elements};
      block.isDirect = block.shape[0] == 1;
    } else {
      block.shape = {sizes.batch, sizes.heads,
                     plan.of == CaptureSumPlan::Of::Keys ? sizes.keys
                                                         : sizes.queries};
    }
    total += block.floats();
    blocks.push_back(block);
  }
}

void CaptureWorkspace::bind(Bindings &bindings, float *memory,
                            const std::vector<float *> &gradients) const {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block &block = blocks[i];
    int64_t floats = block.floats();
    if (block.isSlots)
      std::fill(memory, memory + floats, 0.0f);
    bindings.memory({Role::Workspace, static_cast<int64_t>(i)},
                    block.isDirect ? gradients[block.capture] : memory,
                    block.shape);
    memory += floats;
  }
}
