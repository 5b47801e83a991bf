// attn-to-flash: a function that returns one attention of its arguments becomes
// a kernel on strided memory. This file turns the function over; FlashForward
// fills it.
#include "AppendRows.h"
#include "CaptureSumKernels.h"
#include "FlashBackward.h"
#include "FlashForward.h"
#include "GradientRows.h"
#include "KernelBuilder.h"
#include "MergeOutputs.h"
#include "MergeParts.h"
#include "ThreadKernel.h"

#include "attn/Conversion/CaptureSums.h"
#include "attn/Conversion/Passes.h"
#include "attn/Conversion/Shares.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelFunction.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOFLASHPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

/// Delta and LSE of each query.
static Type statisticsType(MLIRContext *context) {
  int64_t dynamic = ShapedType::kDynamic;
  return MemRefType::get({dynamic, dynamic, 2, dynamic},
                         Float32Type::get(context));
}

namespace {
/// The kernels that a function of one attention becomes: one, or one of parts
/// and another that merges what these have made of parts of query tiles.
class ForwardKernels {
public:
  ForwardKernels(AttentionOp op, bool takesLists, bool roundProbabilities)
      : op(op), func(cast<func::FuncOp>(op->getParentOp())),
        takesLists(takesLists), roundProbabilities(roundProbabilities) {}

  void build() {
    Kernel(op).remarkOnMask();
    StringRef name = func.getName();
    // The name of a function that is called stays its own.
    build(name + (isCalled(func) ? "_forward" : ""), *op.getSchedule(),
          [&](ImplicitLocOpBuilder &body, const FlashOperands &operands) {
            buildFlashForward(body, op, operands, roundProbabilities);
          });
    if (op.getSchedule()->getTiling().hasParts())
      build((name + llvm::Twine(mergeSuffix)).str(),
            threadSchedule(op.getContext()),
            [&](ImplicitLocOpBuilder &body, const FlashOperands &operands) {
              buildMergeParts(body, op, operands);
            });
  }

private:
  using Kernel = KernelBuilder<AttentionOp>;

  void
  build(const Twine &name, ScheduleAttr schedule,
        llvm::function_ref<void(ImplicitLocOpBuilder &, const FlashOperands &)>
            emit) {
    Kernel kernel(op);
    kernel.addStrided(Role::Query, op.getQuery());
    kernel.addStrided(Role::Key, op.getKey());
    kernel.addStrided(Role::Value, op.getValue());
    kernel.addCaptures();
    if (op.getPages())
      kernel.add(Role::Pages, pageTableType(op.getContext()));
    kernel.addStrided(Role::Out, op.getOut());
    if (op.getLse())
      kernel.addContiguous(Role::Lse, op.getLse());
    if (op.getCuQ())
      kernel.addContiguous(Role::QueryStarts, op.getCuQ());
    if (op.getCuK())
      kernel.addContiguous(Role::KeyStarts, op.getCuK());
    if (op.getSchedule()->getTiling().hasParts())
      addPartMemory(kernel);
    // Lists are of tiles of one head, of tensors with a batch for each
    // sequence.
    if (takesLists && !op.getCuQ() && !op.getCuK() &&
        !op.getSchedule()->getTiling().pack)
      kernel.addLists(Axis::Key);
    ImplicitLocOpBuilder body = kernel.create(name, schedule);
    FlashOperands operands{kernel.logic,
                           kernel.memory(Role::Query),
                           kernel.memory(Role::Key),
                           kernel.memory(Role::Value),
                           kernel.captured,
                           kernel.memory(Role::Out),
                           kernel.memory(Role::Lse),
                           kernel.memory(Role::QueryStarts),
                           kernel.memory(Role::KeyStarts),
                           kernel.lists(),
                           kernel.memory(Role::Pages),
                           kernel.capture(Role::Lengths),
                           kernel.memory(Role::PartialOut),
                           kernel.memory(Role::PartialSums),
                           kernel.memory(Role::PartialCounts)};
    if (operands.lists)
      operands.lists->asIfPartial = op.getInvariant();
    emit(body, operands);
    func::ReturnOp::create(body);
  }

  void addPartMemory(Kernel &kernel) {
    int64_t dynamic = ShapedType::kDynamic;
    int64_t rows = op.getSchedule()->getTiling().q;
    int64_t channels = llvm::alignTo(op.getValueDim(), 16);
    Type f32 = Float32Type::get(op.getContext());
    kernel.add(Role::PartialOut,
               MemRefType::get({dynamic, rows, channels}, f32));
    kernel.add(Role::PartialSums, MemRefType::get({dynamic, 2, rows}, f32));
    kernel.add(
        Role::PartialCounts,
        MemRefType::get({dynamic, 2}, IntegerType::get(op.getContext(), 32)));
  }

  AttentionOp op;
  func::FuncOp func;
  bool takesLists, roundProbabilities;
};

/// The kernels that a function of gradients becomes.
class GradientKernels {
public:
  GradientKernels(AttentionBackwardOp op, bool takesLists,
                  bool roundProbabilities)
      : op(op), name(cast<func::FuncOp>(op->getParentOp()).getName()),
        takesLists(takesLists), roundProbabilities(roundProbabilities),
        sums(captureSumsOf(op)) {}

  void build() {
    Kernel(op).remarkOnMask();
    remarkOnCaptures();
    if (op.getKeySchedule()->getTiling().once)
      buildOnce();
    else
      buildApart();
    for (auto [number, sum] : llvm::enumerate(sums)) {
      if (sum.hasSlots && sum.isCarried)
        buildRows(sum, number);
      else if (sum.hasSlots)
        buildPairs(sum, number);
      buildSum(sum, number);
    }
  }

private:
  using Kernel = KernelBuilder<AttentionBackwardOp>;

  /// Where a kernel is among those that write the gradients of the tensors.
  enum Launch { First, Between, Last };

  /// At the start of a kernel: each waits for the one ahead, and with that for
  /// all before, but may be on the multiprocessors before it ends.
  void joinLaunches(ImplicitLocOpBuilder &b, Launch launch) {
    if (!op.getKeySchedule()->getPipeline().dependent)
      return;
    if (launch != First)
      tile::AwaitPrerequisitesOp::create(b);
    if (launch != Last)
      tile::LaunchDependentsOp::create(b);
  }

  /// Those of queries, and those of keys and values.
  void buildApart() {
    buildFor({Role::GradQuery}, *op.getSchedule(), "_grad_query", First);
    if (std::optional<ScheduleAttr> ofValues = op.getValueSchedule()) {
      buildFor({Role::GradKey}, *op.getKeySchedule(), "_grad_key", Between);
      buildFor({Role::GradValue}, *ofValues, "_grad_value", Last);
    } else {
      buildFor({Role::GradKey, Role::GradValue}, *op.getKeySchedule(),
               "_grad_key", Last);
    }
  }

  /// All three in one pass over the pairs.
  void buildOnce() {
    ScheduleAttr ofRows = *op.getSchedule();
    Kernel start(op);
    start.addStrided(Role::GradOut, op.getGradOut());
    start.add(Role::Statistics, statisticsType(op.getContext()));
    addQueryRows(start);
    addGradQuerySum(start);
    ImplicitLocOpBuilder first =
        start.create(name + "_grad_start", ofRows, /*takesCaptures=*/false);
    joinLaunches(first, First);
    buildGradientStart(first, op, ofRows, operandsOf(start));
    func::ReturnOp::create(first);

    buildFor({Role::GradKey, Role::GradValue}, *op.getKeySchedule(),
             "_grad_key", Between);

    Kernel end(op);
    addGradQuerySum(end);
    end.addStrided(Role::GradQuery, op.getQuery());
    ImplicitLocOpBuilder last =
        end.create(name + "_grad_query", ofRows, /*takesCaptures=*/false);
    joinLaunches(last, Last);
    buildGradientEnd(last, op, ofRows, operandsOf(end));
    func::ReturnOp::create(last);
  }

  /// What statistics are made of, beside grad_out.
  void addQueryRows(Kernel &kernel) {
    kernel.addStrided(Role::Out, op.getOut());
    kernel.addContiguous(Role::Lse, op.getLse());
    if (op.getGradLse())
      kernel.addContiguous(Role::GradLse, op.getGradLse());
  }

  void addGradQuerySum(Kernel &kernel) {
    int64_t dynamic = ShapedType::kDynamic;
    SmallVector<int64_t> shape{dynamic, dynamic, dynamic};
    shape.append({(op.getHeadDim() + 15) / 16 * 2, 128, 4});
    kernel.add(Role::GradQuerySum,
               MemRefType::get(shape, Float32Type::get(op.getContext())));
  }

  /// What all kernels that visit pairs read.
  void addInputs(Kernel &kernel) {
    kernel.addStrided(Role::Query, op.getQuery());
    kernel.addStrided(Role::Key, op.getKey());
    kernel.addStrided(Role::Value, op.getValue());
    kernel.addCaptures();
    kernel.addStrided(Role::GradOut, op.getGradOut());
    kernel.add(Role::Statistics, statisticsType(op.getContext()));
  }

  BackwardOperands operandsOf(Kernel &kernel) {
    return {kernel.logic,
            kernel.memory(Role::Query),
            kernel.memory(Role::Key),
            kernel.memory(Role::Value),
            kernel.memory(Role::GradOut),
            kernel.memory(Role::Statistics),
            kernel.captured,
            kernel.memory(Role::Out),
            kernel.memory(Role::Lse),
            kernel.memory(Role::GradLse),
            kernel.memory(Role::GradQuery),
            kernel.memory(Role::GradKey),
            kernel.memory(Role::GradValue),
            kernel.memory(Role::GradQuerySum),
            kernel.lists(),
            /*sums=*/{},
            /*sumMemory=*/{}};
  }

  /// The kernel of `outputs`. It carries sums of rows of the axis that it owns,
  /// if it makes gradients of scores.
  void buildFor(ArrayRef<Role> outputs, ScheduleAttr schedule, StringRef suffix,
                Launch launch) {
    Axis own = schedule.getTiling().ownsKeys ? Axis::Key : Axis::Query;
    auto isOwn = [&](const CaptureSum &sum) {
      return outputs.front() != Role::GradValue && sum.isCarried &&
             sum.rows == own;
    };
    Kernel kernel(op);
    addInputs(kernel);
    if (own == Axis::Query)
      addQueryRows(kernel);
    for (Role output : outputs)
      kernel.addStrided(output, output == Role::GradQuery ? op.getQuery()
                                : output == Role::GradKey ? op.getKey()
                                                          : op.getValue());
    if (schedule.getTiling().once)
      addGradQuerySum(kernel);
    for (auto [number, sum] : llvm::enumerate(sums))
      if (isOwn(sum))
        kernel.addRowSums(number);
    if (takesLists)
      kernel.addLists(own == Axis::Query ? Axis::Key : Axis::Query);
    ImplicitLocOpBuilder body = kernel.create(name + suffix, schedule);
    joinLaunches(body, launch);
    BackwardOperands operands = operandsOf(kernel);
    for (auto [number, sum] : llvm::enumerate(sums)) {
      if (!isOwn(sum))
        continue;
      operands.sums.push_back(&sum);
      operands.sumMemory.push_back(kernel.memory(Role::RowSums, number));
    }
    buildFlashBackward(body, op, schedule, operands, roundProbabilities);
    func::ReturnOp::create(body);
  }

  void buildPairs(const CaptureSum &sum, int64_t number) {
    Kernel kernel(op);
    addInputs(kernel);
    kernel.addSlots(number);
    ScheduleAttr schedule = op.getCaptureSchedule() ? captureScheduleOf(op, sum)
                                                    : *op.getSchedule();
    if (takesLists)
      kernel.addLists(schedule.getTiling().ownsKeys ? Axis::Query : Axis::Key);
    ImplicitLocOpBuilder body =
        kernel.create(name + gradPairsSuffix + Twine(number), schedule);
    BackwardOperands operands = operandsOf(kernel);
    operands.sums.push_back(&sum);
    operands.sumMemory.push_back(kernel.memory(Role::Workspace, number));
    buildCapturePairs(body, op, schedule, operands);
    func::ReturnOp::create(body);
  }

  void buildRows(const CaptureSum &sum, int64_t number) {
    Kernel kernel(op);
    kernel.addCaptures();
    kernel.addRowSums(number);
    kernel.addSlots(number);
    ScheduleAttr schedule = captureScheduleOf(op, sum);
    ImplicitLocOpBuilder body =
        kernel.create(name + gradRowsSuffix + Twine(number), schedule);
    buildCaptureRows(body, op, sum, schedule, kernel.captured,
                     kernel.memory(Role::RowSums, number),
                     kernel.memory(Role::Workspace, number));
    func::ReturnOp::create(body);
  }

  void buildSum(const CaptureSum &sum, int64_t number) {
    Kernel kernel(op);
    kernel.addCaptures();
    if (sum.hasSlots)
      kernel.addSlots(number);
    else
      kernel.addRowSums(number);
    kernel.addGradCapture(sum);
    ScheduleAttr schedule = op.getCaptureSchedule().value_or(*op.getSchedule());
    ImplicitLocOpBuilder body =
        kernel.create(name + gradSumSuffix + Twine(number), schedule);
    buildCaptureSum(
        body, op, sum, kernel.captured,
        kernel.memory(sum.hasSlots ? Role::Workspace : Role::RowSums, number),
        kernel.memory(Role::GradCapture, sum.capture));
    func::ReturnOp::create(body);
  }

  bool hasPart(int64_t capture) {
    ModOp mod = op.lookupMod();
    return mod.hasAdjoint() &&
           llvm::any_of(
               mod.getAdjoint().getOps<AccumulateOp>(), [&](AccumulateOp part) {
                 return cast<BlockArgument>(part.getTable()).getArgNumber() ==
                        capture;
               });
  }

  void remarkOnCaptures() {
    for (int64_t capture : op.getWrt()) {
      auto name = cast<StringAttr>(op.lookupMod().getCaptureNames()[capture]);
      auto isOf = [&](const CaptureSum &sum) { return sum.capture == capture; };
      if (llvm::any_of(sums, [&](const CaptureSum &sum) {
            return isOf(sum) && !sum.rows;
          }))
        op.emitRemark() << "the gradient of " << name
                        << " takes a pass over all pairs of its own: where "
                           "they add to it depends on both query and key";
      else if (llvm::none_of(sums, isOf))
        op.emitRemark() << "the gradient of " << name << " is zero: it "
                        << (hasPart(capture)
                                ? "only adds to all scores of a query alike"
                                : "has no part in the scores");
    }
  }

  AttentionBackwardOp op;
  StringRef name;
  bool takesLists, roundProbabilities;
  SmallVector<CaptureSum> sums;
};
} // namespace

static LogicalResult checkGradients(AttentionBackwardOp op) {
  if (failed(checkKernelFunction(op)))
    return failure();
  ModOp mod = op.lookupMod();
  if (mod && mod.hasScore() && !mod.hasAdjoint())
    return op.emitOpError() << "expects '@" << mod.getSymName()
                            << "' to have an adjoint program: run "
                               "attn-differentiate";
  if (op.getKeySchedule()->getTiling().once && !op.getWrt().empty() &&
      !op.getCaptureSchedule())
    return op.emitOpError()
           << "expects a 'capture_schedule' for 'wrt' beside 'once'";
  return success();
}

namespace {
struct AttnToFlash : mlir::attn::impl::AttnToFlashPassBase<AttnToFlash> {
  using AttnToFlashPassBase::AttnToFlashPassBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    SmallVector<AttentionBackwardOp> gradients;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    getOperation().walk(
        [&](AttentionBackwardOp op) { gradients.push_back(op); });
    for (AttentionOp op : ops)
      if (failed(checkKernelFunction(op)))
        return signalPassFailure();
    for (AttentionBackwardOp op : gradients)
      if (failed(checkGradients(op)))
        return signalPassFailure();
    for (AttentionOp op : ops)
      convert<ForwardKernels>(op);
    for (AttentionBackwardOp op : gradients)
      convert<GradientKernels>(op);
    if (failed(convertAll<MergeOp>(buildMergeOutputs)) ||
        failed(convertAll<AppendOp>(buildAppendRows)))
      return signalPassFailure();
    // Their programs live on in the kernels.
    eraseMods(getOperation());
  }

private:
  /// Makes kernels of the functions that return one `Op` of their arguments.
  template <typename Op>
  LogicalResult convertAll(llvm::function_ref<void(Op)> build) {
    SmallVector<Op> ops;
    getOperation().walk([&](Op op) { ops.push_back(op); });
    for (Op op : ops)
      if (failed(checkWholeFunction(op)))
        return failure();
    for (Op op : ops) {
      auto func = cast<func::FuncOp>(op->getParentOp());
      build(op);
      func.erase();
    }
    return success();
  }

  /// Puts the kernels that `Kernels` builds in the place of the function.
  template <typename Kernels, typename Op> void convert(Op op) {
    auto func = cast<func::FuncOp>(op->getParentOp());
    bool takesLists = listsForCalls || !isCalled(func);
    if (!takesLists)
      remarkOnLists(op);
    Operation *before = func->getPrevNode();
    Kernels(op, takesLists, roundProbabilities).build();
    auto first =
        before ? std::next(before->getIterator()) : func->getBlock()->begin();
    replaceByKernels(
        op, llvm::map_to_vector(llvm::make_range(first, func->getIterator()),
                                llvm::CastTo<func::FuncOp>));
  }

  template <typename Op> void remarkOnLists(Op op) {
    MaskLogic logic = readMask(op);
    if (!logic.hasOneRun(Axis::Key))
      op.emitRemark() << "all tiles between the first and the last that the "
                         "mask keeps are visited: a kernel that host code "
                         "calls has no lists of tiles";
  }
};
} // namespace
