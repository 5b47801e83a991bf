// Builds the IR that a kernel is compiled from. See KernelModule.h.
#include "KernelModule.h"

#include "../Launch/CaptureViews.h"
#include "ModImpl.h"
#include "Nesting.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Conversion/CaptureSums.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"
#include "attn/Pipelines/Mods.h"
#include "attn/Support/Try.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <algorithm>

using namespace attn;
using mlir::attn::AttentionBackwardOp;
using mlir::attn::AttentionOp;
using mlir::attn::ScheduleAttr;
using mlir::attn::VariantsAttr;

namespace {
/// What a caller chose: one of the two, or neither.
struct GivenSchedule {
  ScheduleAttr schedule;
  VariantsAttr variants;
};

/// The same for kernels of gradients: any of them may be null.
struct GradientSchedules {
  ScheduleAttr query, key, value;
};
} // namespace

static mlir::RankedTensorType tensorOf(mlir::Type element, int64_t channels) {
  int64_t dynamic = mlir::ShapedType::kDynamic;
  return mlir::RankedTensorType::get({dynamic, dynamic, dynamic, channels},
                                     element);
}

static mlir::RankedTensorType rowsOf(mlir::MLIRContext *context) {
  int64_t dynamic = mlir::ShapedType::kDynamic;
  return mlir::RankedTensorType::get({dynamic, dynamic, dynamic},
                                     mlir::Float32Type::get(context));
}

namespace {
/// A function `@attention` whose arguments have roles.
class FunctionBuilder {
public:
  FunctionBuilder(mlir::ModuleOp module, const Mod &mod, const KernelSpec &spec)
      : context(module.getContext()), mod(mod), spec(spec),
        query(tensorOf(elementTypeOf(context, spec.type), spec.headDim)),
        value(tensorOf(elementTypeOf(context, spec.type), spec.valueDim)),
        builder(mlir::OpBuilder::atBlockEnd(module.getBody())),
        loc(builder.getUnknownLoc()) {
    inputs.add(Role::Query, query);
    inputs.add(Role::Key, query);
    inputs.add(Role::Value, value);
  }

  void addCaptures() {
    mlir::attn::ModOp entry = mod.impl().standalone();
    for (auto [i, type] : llvm::enumerate(entry.getCaptureTypes())) {
      RoleName role = roleOf(mod.captures()[i], i);
      inputs.add(mlir::attn::RoleAttr::get(context, role.role, role.number),
                 mlir::cast<mlir::TypeAttr>(type).getValue());
    }
  }

  /// Where sequences begin.
  void addStarts(Role role) {
    inputs.add(role, mlir::RankedTensorType::get({mlir::ShapedType::kDynamic},
                                                 builder.getI32Type()));
  }

  /// Makes the function; what follows is in its body.
  mlir::Block::BlockArgListType create(mlir::TypeRange results) {
    auto function = mlir::func::FuncOp::create(
        builder, loc, KernelModule::function,
        builder.getFunctionType(inputs.getTypes(), results));
    inputs.setRoles(function);
    mlir::Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    return body->getArguments();
  }

  /// Of a capture: f32 of its shape.
  mlir::Type gradientOf(int64_t capture) {
    auto types = mod.impl().standalone().getCaptureTypes();
    mlir::Type type = mlir::cast<mlir::TypeAttr>(types[capture]).getValue(),
               f32 = builder.getF32Type();
    auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type);
    return tensor ? tensor.clone(f32) : f32;
  }

  mlir::FloatAttr scale() {
    return spec.scale ? builder.getF32FloatAttr(*spec.scale)
                      : mlir::FloatAttr();
  }
  mlir::FlatSymbolRefAttr name() {
    return mlir::FlatSymbolRefAttr::get(context, mod.name());
  }

  mlir::MLIRContext *context;
  const Mod &mod;
  const KernelSpec &spec;
  mlir::RankedTensorType query, value;
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::attn::ParameterList inputs;
};
} // namespace

/// Pages of each sequence.
static mlir::Type tableOf(mlir::MLIRContext *context) {
  int64_t dynamic = mlir::ShapedType::kDynamic;
  return mlir::RankedTensorType::get({dynamic, dynamic},
                                     mlir::IntegerType::get(context, 32));
}

/// Appends a function that returns an attention to `module`.
static AttentionOp appendAttention(mlir::ModuleOp module, const Mod &mod,
                                   const KernelSpec &spec,
                                   const GivenSchedule &given) {
  FunctionBuilder f(module, mod, spec);
  f.addCaptures();
  if (spec.raggedQueries)
    f.addStarts(Role::QueryStarts);
  if (spec.raggedKeys)
    f.addStarts(Role::KeyStarts);
  if (spec.paged)
    f.inputs.add(Role::Pages, tableOf(f.context));
  llvm::SmallVector<mlir::Type> results{f.value};
  if (spec.lse)
    results.push_back(rowsOf(f.context));
  auto arguments = f.create(results);
  // What follows the captures, from its end.
  auto take = [&](bool isThere) -> mlir::Value {
    if (!isThere)
      return {};
    mlir::Value last = arguments.back();
    arguments = arguments.drop_back();
    return last;
  };
  mlir::Value pages = take(spec.paged);
  mlir::Value cuK = take(spec.raggedKeys);
  mlir::Value cuQ = take(spec.raggedQueries);
  auto op = AttentionOp::create(
      f.builder, f.loc, f.value, spec.lse ? results[1] : mlir::Type(),
      arguments[0], arguments[1], arguments[2], arguments.drop_front(3),
      /*queryOffset=*/mlir::Value(), cuQ, cuK, /*lengths=*/mlir::Value(), pages,
      f.name(), f.scale(), given.schedule, given.variants,
      /*stridedCaptures=*/false, spec.invariant);
  mlir::func::ReturnOp::create(f.builder, f.loc, op->getResults());
  return op;
}

/// Appends a function that returns the gradients of an attention to `module`.
static AttentionBackwardOp appendGradients(mlir::ModuleOp module,
                                           const Mod &mod,
                                           const KernelSpec &spec,
                                           const std::vector<int64_t> &wrt,
                                           const GradientSchedules &given) {
  FunctionBuilder f(module, mod, spec);
  mlir::Type rows = rowsOf(f.context);
  f.inputs.add(Role::Out, f.value);
  f.inputs.add(Role::Lse, rows);
  f.inputs.add(Role::GradOut, f.value);
  if (spec.lse)
    f.inputs.add(Role::GradLse, rows);
  f.addCaptures();
  llvm::SmallVector<mlir::Type> results{f.query, f.query, f.value};
  for (int64_t capture : wrt)
    results.push_back(f.gradientOf(capture));
  auto arguments = f.create(results);
  auto op = AttentionBackwardOp::create(
      f.builder, f.loc, results, arguments[0], arguments[1], arguments[2],
      arguments[3], arguments[4], arguments[5],
      spec.lse ? arguments[6] : mlir::Value(),
      arguments.drop_front(spec.lse ? 7 : 6),
      /*queryOffset=*/mlir::Value(), /*lengths=*/mlir::Value(), f.name(),
      f.scale(), f.builder.getDenseI64ArrayAttr(wrt), given.query, given.key,
      given.value,
      /*captureSchedule=*/nullptr, /*variants=*/nullptr,
      /*stridedCaptures=*/false, /*deterministic=*/spec.deterministic);
  mlir::func::ReturnOp::create(f.builder, f.loc, op->getResults());
  return op;
}

static Result<GivenSchedule> parseSchedule(const Mod &mod,
                                           const std::string &text) {
  GivenSchedule given;
  if (text.empty())
    return given;
  ATTN_TRY(checkNesting(text, "schedule"));
  Result<void> parsed = mod.impl().collect("", [&] {
    mlir::Attribute attribute = mlir::parseAttribute(text, &mod.impl().context);
    given.schedule = mlir::dyn_cast_or_null<ScheduleAttr>(attribute);
    given.variants = mlir::dyn_cast_or_null<VariantsAttr>(attribute);
    return mlir::success(given.schedule || given.variants);
  });
  if (!parsed)
    return Error{"expects a schedule such as "
                 "#attn.schedule<tiling = <q = 64, kv = 64>>, got '" +
                 text + "'" +
                 (parsed.error().empty() ? "" : "\n" + parsed.error())};
  return given;
}

/// `text`: a schedule, or a list of them. Those that own keys are for the
/// kernel of keys and values, or for one after the other.
static Result<GradientSchedules>
parseGradientSchedules(const Mod &mod, const std::string &text) {
  GradientSchedules given;
  if (text.empty())
    return given;
  ATTN_TRY(checkNesting(text, "schedule"));
  auto take = [&](mlir::Attribute attribute) {
    auto schedule = mlir::dyn_cast_or_null<ScheduleAttr>(attribute);
    ScheduleAttr *place = !schedule                        ? nullptr
                          : !schedule.getTiling().ownsKeys ? &given.query
                          : !given.key                     ? &given.key
                                                           : &given.value;
    if (!place || *place)
      return mlir::failure();
    *place = schedule;
    return mlir::success();
  };
  Result<void> parsed = mod.impl().collect("", [&]() -> mlir::LogicalResult {
    mlir::Attribute all = mlir::parseAttribute(text, &mod.impl().context);
    auto list = mlir::dyn_cast_or_null<mlir::ArrayAttr>(all);
    if (!list)
      return take(all);
    for (mlir::Attribute one : list)
      if (mlir::failed(take(one)))
        return mlir::failure();
    return mlir::success();
  });
  if (!parsed)
    return Error{"expects a schedule for gradients, or a list of one that owns "
                 "queries and at most two that own keys, such as "
                 "[#attn.schedule<tiling = <q = 64, kv = 64>>, "
                 "#attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>], "
                 "got '" +
                 text + "'" +
                 (parsed.error().empty() ? "" : "\n" + parsed.error())};
  return given;
}

static ScheduleNeeds needsOf(ScheduleAttr schedule) {
  if (schedule.getRoles().hasProducers())
    return ScheduleNeeds::TMA;
  return schedule.isForSM90a() ? ScheduleNeeds::SM90a : ScheduleNeeds::Nothing;
}

Result<ScheduleNeeds> attn::needsOfSchedule(const Mod &mod,
                                            const std::string &text) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(GivenSchedule given, parseSchedule(mod, text));
  if (given.schedule)
    return needsOf(given.schedule);
  ScheduleNeeds most = ScheduleNeeds::Nothing;
  for (mlir::attn::VariantAttr variant : given.variants.getVariants())
    most = std::max(most, needsOf(variant.getSchedule()));
  return most;
}

Result<ScheduleNeeds> attn::needsOfGradientSchedules(const Mod &mod,
                                                     const std::string &text) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(GradientSchedules given, parseGradientSchedules(mod, text));
  // The kernels around one pass have none.
  if (given.key && given.key.getTiling().once)
    return ScheduleNeeds::TMA;
  bool some = false, all = true;
  for (ScheduleAttr schedule : {given.query, given.key, given.value}) {
    if (!schedule)
      continue;
    some |= schedule.getRoles().hasProducers();
    all &= schedule.getRoles().hasProducers();
  }
  if (some != all)
    return Error{"expects schedules that all have producers, or none"};
  return all ? ScheduleNeeds::TMA : ScheduleNeeds::Nothing;
}

static Result<void> checkSpec(const KernelSpec &spec) {
  auto inRange = [](const char *name, int64_t dim) -> Result<void> {
    if (dim >= 1 && dim <= 256)
      return {};
    return Error{std::string("expects a ") + name +
                 " dimension of 1 to 256, got " + std::to_string(dim)};
  };
  if (spec.type != ElementType::F32 && spec.type != ElementType::F16 &&
      spec.type != ElementType::BF16)
    return Error{std::string("expects element type f32, f16 or bf16, got ") +
                 toString(spec.type)};
  ATTN_TRY(inRange("head", spec.headDim));
  return inRange("value", spec.valueDim);
}

template <typename Op> static LaunchPlan planOf(Op op) {
  LaunchPlan plan;
  for (mlir::attn::VariantAttr variant : op.getVariants()->getVariants())
    plan.push_back(variant.getGuard());
  return plan;
}

/// A module of the mod alone: the file's data functions and helpers are not
/// compiled.
static mlir::OwningOpRef<mlir::ModuleOp> moduleOf(const Mod &mod) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mod.impl().inlined.get().clone();
  for (mlir::Operation &op :
       llvm::make_early_inc_range(module->getBody()->getOperations())) {
    auto entry = mlir::dyn_cast<mlir::attn::ModOp>(op);
    if (!entry || entry.getSymName() != mod.name())
      op.erase();
    else // The data functions are gone.
      entry.removeCaptureAttrsAttr();
  }
  return module;
}

static Result<void> selectSchedule(const Mod &mod, const KernelSpec &spec,
                                   const char *target,
                                   std::optional<size_t> variant,
                                   mlir::ModuleOp module) {
  return mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    pm.addPass(mlir::createCanonicalizerPass());
    mlir::attn::AttnSelectSchedulePassOptions options;
    options.target = target;
    options.aligned = spec.aligned;
    options.stridedCaptures = spec.stridedCaptures;
    if (variant)
      options.variant = static_cast<int64_t>(*variant);
    pm.addPass(mlir::attn::createAttnSelectSchedulePass(options));
    return pm.run(module);
  });
}

Result<KernelModule> attn::buildKernelModule(const Mod &mod,
                                             const KernelSpec &spec,
                                             const char *target,
                                             std::optional<size_t> variant) {
  ATTN_TRY(checkSpec(spec));
  ATTN_TRY_ASSIGN(GivenSchedule given, parseSchedule(mod, spec.schedule));
  KernelModule result;
  result.module = moduleOf(mod);
  AttentionOp op = appendAttention(*result.module, mod, spec, given);
  ATTN_TRY(selectSchedule(mod, spec, target, variant, *result.module));
  result.module->walk([&](AttentionOp found) { op = found; });
  llvm::raw_string_ostream(result.schedule) << *op.getSchedule();
  result.plan = planOf(op);
  result.queryTile = op.getSchedule()->getTiling().q;
  result.keyTile = op.getSchedule()->getTiling().kv;
  return result;
}

std::string KernelModule::gradSlotsFunction(size_t sum) const {
  llvm::StringRef suffix = sums[sum].isCarried ? mlir::attn::gradRowsSuffix
                                               : mlir::attn::gradPairsSuffix;
  return function + suffix.str() + std::to_string(sum);
}

std::string KernelModule::gradSumFunction(size_t sum) {
  return function + mlir::attn::gradSumSuffix.str() + std::to_string(sum);
}

static CaptureSumPlan planOf(AttentionBackwardOp op,
                             const mlir::attn::CaptureSum &sum) {
  using mlir::attn::Axis;
  bool hasCaptureKernels = op.getCaptureSchedule().has_value();
  Axis own =
      hasCaptureKernels ? sum.getOwnAxis() : sum.rows.value_or(Axis::Query);
  CaptureSumPlan plan;
  plan.capture = sum.capture;
  plan.ownsKeys = own == Axis::Key;
  plan.isCarried = sum.isCarried;
  if (sum.hasSlots) {
    ScheduleAttr schedule = hasCaptureKernels
                                ? mlir::attn::captureScheduleOf(op, sum)
                                : *op.getSchedule();
    plan.ownTile = schedule.getTiling().getRows();
    plan.copies = mlir::attn::copiesOfSlot(op, sum);
  }
  plan.ownsBatch = sum.owned & mlir::attn::BatchPosition;
  plan.ownsHead = sum.owned & mlir::attn::HeadPosition;
  plan.ownsRows = sum.owned & (plan.ownsKeys ? mlir::attn::KeyPosition
                                             : mlir::attn::QueryPosition);
  return plan;
}

/// How the kernels that are made of `module` will sum the gradients of
/// captures.
static Result<std::vector<CaptureSumPlan>> sumsOf(const Mod &mod,
                                                  mlir::ModuleOp module) {
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::buildModsPipeline(pm);
    return pm.run(*copy);
  }));
  std::vector<CaptureSumPlan> plans;
  copy->walk([&](AttentionBackwardOp op) {
    for (const mlir::attn::CaptureSum &sum : mlir::attn::captureSumsOf(op))
      plans.push_back(planOf(op, sum));
  });
  return plans;
}

Result<KernelModule> attn::buildGradientModule(const Mod &mod,
                                               const KernelSpec &spec,
                                               std::vector<int64_t> wrt,
                                               const char *target,
                                               std::optional<size_t> variant) {
  std::sort(wrt.begin(), wrt.end());
  ATTN_TRY(checkSpec(spec));
  ATTN_TRY_ASSIGN(GradientSchedules given,
                  parseGradientSchedules(mod, spec.schedule));
  KernelModule result;
  result.module = moduleOf(mod);
  AttentionBackwardOp op =
      appendGradients(*result.module, mod, spec, wrt, given);
  ATTN_TRY(selectSchedule(mod, spec, target, variant, *result.module));
  result.module->walk([&](AttentionBackwardOp found) { op = found; });
  result.plan = planOf(op);
  llvm::raw_string_ostream text(result.schedule);
  text << "[" << *op.getSchedule();
  auto addOfKeys = [&](const char *function, ScheduleAttr schedule) {
    text << ", " << schedule;
    result.ofKeys.push_back(
        {function, schedule.getTiling().q, schedule.getTiling().kv});
  };
  addOfKeys(KernelModule::gradKeyFunction, *op.getKeySchedule());
  if (std::optional<ScheduleAttr> ofValues = op.getValueSchedule())
    addOfKeys(KernelModule::gradValueFunction, *ofValues);
  text << "]";
  result.queryTile = op.getSchedule()->getTiling().q;
  result.keyTile = op.getSchedule()->getTiling().kv;
  if (!wrt.empty()) {
    ATTN_TRY_ASSIGN(result.sums, sumsOf(mod, *result.module));
  }
  return result;
}

Signature attn::signatureIn(mlir::ModuleOp module, const std::string &name) {
  Signature signature;
  module->walk([&](mlir::FunctionOpInterface func) {
    if (mlir::SymbolTable::getSymbolName(func).getValue() == name)
      signature = mlir::attn::signatureOf(func);
  });
  return signature;
}
