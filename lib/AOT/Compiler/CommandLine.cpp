// The options of attn-compile, and which files it writes. See CommandLine.h.
#include "CommandLine.h"

#include "../../API/ModKernels.h"
#include "../../Launch/PackageImpl.h"
#include "Interface.h"

#include "attn/API/Cache.h"
#include "attn/API/Version.h"
#include "attn/Support/Try.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstdlib>

using namespace attn;
using namespace attn::aot;
namespace cl = llvm::cl;

namespace {
enum class Emit { Object, C, PTX, Cubin, Image, MLIR, LLVM };

struct Options {
  cl::OptionCategory category{"attn-compile"};
  cl::opt<std::string> mod{cl::Positional, cl::Required, cl::desc("MOD.mlir"),
                           cl::cat(category)};
  cl::list<std::string> targets{
      "target", cl::CommaSeparated, cl::cat(category),
      cl::desc("what for: some of sm90a, sm80 (every GPU from Ampere on), cpu "
               "(default: sm90a,sm80,cpu)")};
  cl::opt<ElementType> type{
      "type", cl::init(ElementType::BF16), cl::cat(category),
      cl::desc("of Q, K, V and O (bf16)"),
      cl::values(clEnumValN(ElementType::BF16, "bf16", ""),
                 clEnumValN(ElementType::F16, "f16", ""),
                 clEnumValN(ElementType::F32, "f32", ""))};
  cl::opt<int64_t> headDim{"head-dim", cl::init(64), cl::cat(category),
                           cl::desc("channels of Q and K (64)")};
  cl::opt<int64_t> valueDim{"value-dim", cl::cat(category),
                            cl::desc("channels of V and O (--head-dim)")};
  cl::opt<bool> lse{"lse", cl::cat(category),
                    cl::desc("the LSE is a result too")};
  cl::opt<float> scale{"scale", cl::cat(category),
                       cl::desc("of scores (1/sqrt(head-dim))")};
  cl::opt<std::string> schedule{
      "schedule", cl::cat(category),
      cl::desc("#attn.schedule<...> or #attn.variants<...> (chosen)")};
  cl::opt<bool> exact{"exact", cl::cat(category),
                      cl::desc("mods of 16-bit kernels at f32's accuracy")};
  cl::opt<bool> backward{"backward", cl::cat(category),
                         cl::desc("gradients besides; has --lse")};
  cl::list<std::string> wrt{
      "wrt", cl::CommaSeparated, cl::cat(category),
      cl::desc("captures whose gradients --backward has")};
  cl::opt<bool> deterministic{
      "deterministic", cl::cat(category),
      cl::desc("gradients with the same bits on every run")};
  cl::opt<std::string> queryOffset{
      "query-offset", cl::ValueOptional, cl::cat(category),
      cl::desc("queries have an offset: 'scalar' (if nothing is said) or "
               "'batch', one for each sequence")};
  cl::opt<bool> lengths{"lengths", cl::cat(category),
                        cl::desc("sequences have lengths of their own")};
  cl::opt<bool> paged{"paged", cl::cat(category),
                      cl::desc("K and V are heaps of pages; has --lengths")};
  cl::opt<bool> raggedQueries{"ragged-queries", cl::cat(category),
                              cl::desc("sequences of Q lie behind each other")};
  cl::opt<bool> raggedKeys{"ragged-keys", cl::cat(category),
                           cl::desc("those of K and V do")};
  cl::opt<bool> invariant{
      "invariant", cl::cat(category),
      cl::desc("the bits of a sequence do not depend on others in the batch")};
  cl::opt<bool> checked{
      "checked", cl::cat(category),
      cl::desc("every launch looks at lengths, starts and tables first")};
  cl::opt<std::string> cpu{
      "mcpu", cl::init("x86-64-v3"), cl::cat(category),
      cl::desc("the CPU, as LLVM names it (x86-64-v3); 'native': this one")};
  cl::opt<bool> noFallback{
      "no-fallback", cl::cat(category),
      cl::desc("sm90a without kernels for other GPUs, and for memory that TMA "
               "does not take")};
  cl::opt<std::string> ptxas{
      "ptxas", cl::cat(category),
      cl::desc(
          "makes cubins (on the PATH, in $CUDA_HOME/bin or "
          "/usr/local/cuda/bin; without one, and with --ptxas=, the object "
          "has PTX)")};
  cl::opt<std::string> name{
      "name", cl::cat(category),
      cl::desc("what C names begin with (the last part of -o)")};
  cl::opt<Emit> emit{
      "emit", cl::init(Emit::Object), cl::cat(category), cl::desc("what"),
      cl::values(
          clEnumValN(Emit::Object, "obj", "BASE.o, .h and .json (default)"),
          clEnumValN(Emit::C, "c", "BASE.c, .h and .json"),
          clEnumValN(Emit::PTX, "ptx", "the PTX of all kernels"),
          clEnumValN(Emit::Cubin, "cubin",
                     "BASE.N.cubin of each kernel for sm90a"),
          clEnumValN(Emit::Image, "image", "the package of one target"),
          clEnumValN(Emit::MLIR, "mlir",
                     "the kernel for any sizes, with its schedule and "
                     "the plan of launches, for attn-opt"),
          clEnumValN(Emit::LLVM, "llvm",
                     "the same in the llvm or nvvm dialect"))};
  cl::opt<std::string> output{"o", cl::Required, cl::cat(category),
                              cl::value_desc("BASE"),
                              cl::desc("files are BASE.h and so on; - is the "
                                       "standard output")};
};
} // namespace

//===--- what to compile --------------------------------------------------===//

static Result<Mod> readMod(const Options &options) {
  ATTN_TRY_ASSIGN(Mod mod, Mod::fromFile(options.mod));
  if (options.queryOffset.getNumOccurrences()) {
    const std::string &kind = options.queryOffset;
    if (!kind.empty() && kind != "scalar" && kind != "batch")
      return Error{"expects --query-offset=scalar or batch, got '" + kind +
                   "'"};
    ATTN_TRY_ASSIGN(mod,
                    mod.withQueryOffset(kind == "batch" ? QueryOffset::PerBatch
                                                        : QueryOffset::Scalar));
  }
  if (options.lengths || options.paged) {
    ATTN_TRY_ASSIGN(mod, mod.withLengths());
  }
  return mod;
}

/// The assembler; empty: there is none. Errors: the one that is asked for is
/// not there.
static Result<std::string> findPTXAS(const Options &options) {
  bool isGiven = options.ptxas.getNumOccurrences();
  if (isGiven && options.ptxas.empty())
    return std::string();
  std::vector<std::string> toolkits{"/usr/local/cuda/bin"};
  if (const char *home = std::getenv("CUDA_HOME"))
    toolkits.insert(toolkits.begin(), std::string(home) + "/bin");
  std::string name = isGiven ? options.ptxas.getValue() : "ptxas";
  if (auto found = llvm::sys::findProgramByName(name))
    return *found;
  std::vector<llvm::StringRef> paths(toolkits.begin(), toolkits.end());
  if (auto found = llvm::sys::findProgramByName(name, paths))
    return *found;
  if (isGiven)
    return Error{"--ptxas: expects a program, got '" + name + "'"};
  return std::string();
}

static PackageSpec specOf(const Options &options) {
  PackageSpec spec;
  KernelSpec &kernel = spec.kernel;
  kernel.type = options.type;
  kernel.headDim = options.headDim;
  kernel.valueDim = options.valueDim.getNumOccurrences()
                        ? options.valueDim.getValue()
                        : options.headDim.getValue();
  kernel.lse = options.lse || options.backward;
  if (options.scale.getNumOccurrences())
    kernel.scale = options.scale.getValue();
  kernel.schedule = options.schedule;
  kernel.exact = options.exact;
  kernel.deterministic = options.deterministic;
  kernel.paged = options.paged;
  kernel.raggedQueries = options.raggedQueries;
  kernel.raggedKeys = options.raggedKeys;
  kernel.invariant = options.invariant;
  kernel.checked = options.checked;
  spec.cpu = options.cpu;
  spec.gradients = options.backward;
  spec.wrt.assign(options.wrt.begin(), options.wrt.end());
  spec.fallback = !options.noFallback;
  return spec;
}

static Result<std::vector<KernelPackage>> compileAll(const Options &options) {
  ATTN_TRY_ASSIGN(Mod mod, readMod(options));
  PackageSpec spec = specOf(options);
  if (!spec.wrt.empty() && !spec.gradients)
    return Error{"--wrt: expects --backward"};
  if (spec.kernel.scale && !std::isfinite(*spec.kernel.scale))
    return Error{"--scale: expects a finite number, got '" +
                 std::to_string(*spec.kernel.scale) + "'"};
  std::vector<std::string> targets(options.targets.begin(),
                                   options.targets.end());
  if (targets.empty())
    targets = {"sm90a", "sm80", "cpu"};
  std::vector<KernelPackage> packages;
  for (const std::string &target : targets) {
    if (std::count(targets.begin(), targets.end(), target) != 1)
      return Error{"--target: expects each once, got '" + target + "' twice"};
    spec.made = target;
    spec.ptxas.clear();
    if (target == "sm90a" && options.emit != Emit::PTX) {
      ATTN_TRY_ASSIGN(spec.ptxas, findPTXAS(options));
      if (spec.ptxas.empty() && !options.ptxas.getNumOccurrences())
        llvm::errs() << "attn-compile: remark: there is no ptxas: the driver "
                        "will compile PTX at each load\n";
    }
    ATTN_TRY_ASSIGN(KernelPackage package, KernelPackage::compile(mod, spec));
    packages.push_back(std::move(package));
  }
  return packages;
}

//===--- files ------------------------------------------------------------===//

static Result<void> write(const std::string &path, const std::string &bytes) {
  std::error_code code;
  llvm::ToolOutputFile file(path, code, llvm::sys::fs::OF_None);
  if (code)
    return Error{"'" + path + "' cannot be written: " + code.message()};
  file.os() << bytes;
  file.os().flush();
  if (std::error_code why = file.os().error()) {
    file.os().clear_error(); // else its end is that of the process
    return Error{"'" + path + "' cannot be written: " + why.message()};
  }
  file.keep();
  return {};
}

/// Of one file of text or bytes.
static std::string pathOf(const Options &options, const char *ending) {
  return options.output == "-" ? "-" : options.output + ending;
}

static Result<void> writeLinkable(const Options &options,
                                  std::vector<KernelPackage> packages) {
  const std::string &base = options.output;
  if (base == "-")
    return Error{"-o: expects the beginning of names of files for objects, got "
                 "'-'"};
  std::string file = llvm::sys::path::filename(base).str();
  Interface interface {
    options.name.empty() ? identifierOf(file) : options.name.getValue(),
        file + ".h", std::move(packages)
  };
  ATTN_TRY(checkNames(interface));
  // The code first: what fails leaves no new header beside old code.
  if (options.emit == Emit::C) {
    ATTN_TRY(write(base + ".c", sourceOf(interface)));
  } else {
    ATTN_TRY_ASSIGN(std::string object, objectOf(interface));
    ATTN_TRY(write(base + ".o", object));
  }
  ATTN_TRY(write(base + ".h", headerOf(interface)));
  return write(base + ".json", descriptionOf(interface));
}

/// All images of packages, in order.
static std::vector<KernelImage>
imagesOf(const std::vector<KernelPackage> &packages) {
  std::vector<KernelImage> images;
  auto add = [&](const PackagedKernels &kernels) {
    for (const VariantImages &variant : kernels.variants)
      images.insert(images.end(), variant.images.begin(), variant.images.end());
    for (const PackagedTiles &tiles : kernels.tiles)
      images.push_back(tiles.image);
  };
  for (const KernelPackage &package : packages) {
    add(package.impl().forward);
    if (package.hasGradients())
      add(*package.impl().gradients);
  }
  return images;
}

static Result<void> writeCode(const Options &options,
                              const std::vector<KernelPackage> &packages) {
  auto kind = options.emit == Emit::PTX ? KernelImage::Code::PTX
                                        : KernelImage::Code::Cubin;
  std::string text;
  size_t count = 0;
  for (const KernelImage &image : imagesOf(packages)) {
    if (image.kind != kind)
      continue;
    if (kind == KernelImage::Code::PTX)
      text += image.code;
    else
      ATTN_TRY(write(options.output + "." + std::to_string(count) + ".cubin",
                     image.code));
    ++count;
  }
  if (!count)
    return Error{kind == KernelImage::Code::PTX
                     ? "expects a target with PTX, got none"
                     : "expects --target=sm90a and a ptxas for cubins"};
  if (kind == KernelImage::Code::Cubin)
    return {};
  return write(pathOf(options, ".ptx"), text);
}

/// Errors: several targets, for what is of one.
static Result<void> checkTargets(const Options &options) {
  bool isOfOne = options.emit == Emit::Image || options.emit == Emit::MLIR ||
                 options.emit == Emit::LLVM;
  if (isOfOne && options.targets.size() != 1)
    return Error{"--emit: expects one --target for this, got " +
                 std::to_string(options.targets.size())};
  return {};
}

static Result<void> writeIR(const Options &options) {
  ATTN_TRY_ASSIGN(Mod mod, readMod(options));
  PackageSpec spec = specOf(options);
  spec.made = options.targets.front();
  ATTN_TRY_ASSIGN(KernelRequest request, requestForPackage(mod, spec));
  bool isLLVM = options.emit == Emit::LLVM;
  ATTN_TRY_ASSIGN(std::string text,
                  printKernel(request, isLLVM ? PrintedForm::LLVM
                                              : PrintedForm::Scheduled));
  return write(pathOf(options, isLLVM ? ".llvm.mlir" : ".mlir"), text);
}

static Result<void> compile(const Options &options) {
  ATTN_TRY(checkTargets(options));
  if (options.emit == Emit::MLIR || options.emit == Emit::LLVM)
    return writeIR(options);
  ATTN_TRY_ASSIGN(std::vector<KernelPackage> packages, compileAll(options));
  switch (options.emit) {
  case Emit::Object:
  case Emit::C:
    return writeLinkable(options, std::move(packages));
  case Emit::PTX:
  case Emit::Cubin:
    return writeCode(options, packages);
  default:
    return write(pathOf(options, ".image"), packages.front().save());
  }
}

int aot::runCompiler(int argc, char **argv) {
  Options options;
  cl::HideUnrelatedOptions(options.category);
  cl::SetVersionPrinter([](llvm::raw_ostream &stream) {
    stream << versionText("attn-compile") << "\n";
  });
  cl::ParseCommandLineOptions(
      argc, argv, "compiles a mod ahead of time: docs/AheadOfTime.md\n");
  // The linker that this program holds registers one of that name when it runs.
  options.cpu.removeArgument();
  useCache();
  Result<void> done = compile(options);
  if (done)
    return 0;
  bool isDiagnostic = done.error().find(": error: ") != std::string::npos;
  llvm::errs() << (isDiagnostic ? "" : "attn-compile: error: ") << done.error()
               << "\n";
  return 1;
}
