// The header of a kernel, for C and C++. Its structs are those of
// attn/AOT/Runtime.h under other names, with captures behind them.
#include "Interface.h"

#include "attn/AOT/Runtime.h"
#include "attn/API/Version.h"
#include "attn/Runtime/SavedText.h"

#include <cctype>

using namespace attn;
using namespace attn::aot;

static std::string upper(std::string text) {
  for (char &c : text)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

static std::string madeFor(const Interface &interface) {
  std::string text;
  for (const KernelPackage &package : interface.packages)
    text += (text.empty() ? "" : ",") + package.made();
  return text;
}

/// Of the kernels, whatever they are called.
static std::string hashOf(const Interface &interface) {
  std::string bytes;
  for (const KernelPackage &package : interface.packages)
    bytes += package.save();
  return checksumOf(bytes);
}

static std::string constantsOf(const Interface &interface) {
  const KernelPackage &package = interface.first();
  const KernelSpec &spec = package.spec();
  std::string text;
  auto define = [&](const char *name, const std::string &value) {
    text += "#define @_" + std::string(name) + " " + value + "\n";
  };
  auto quoted = [](const std::string &value) { return "\"" + value + "\""; };
  define("VERSION", quoted(version()));
  define("HASH", quoted(hashOf(interface)));
  define("TARGETS", quoted(madeFor(interface)));
  define("TYPE", quoted(toString(spec.type)));
  define("HEAD_DIM", std::to_string(spec.headDim));
  define("VALUE_DIM", std::to_string(spec.valueDim));
  define("HAS_LSE", std::to_string(spec.lse));
  define("HAS_BACKWARD", std::to_string(package.hasGradients()));
  define("NEEDS_TILES", std::to_string(package.needsTileLists()));
  return text;
}

static std::string codes() {
  const std::pair<const char *, int> all[] = {
      {"OK", ATTN_AOT_OK},
      {"BAD_ARGUMENT", ATTN_AOT_BAD_ARGUMENT},
      {"UNSUPPORTED_DEVICE", ATTN_AOT_UNSUPPORTED_DEVICE},
      {"WORKSPACE_TOO_SMALL", ATTN_AOT_WORKSPACE_TOO_SMALL},
      {"NOT_LOADED", ATTN_AOT_NOT_LOADED},
      {"DRIVER_ERROR", ATTN_AOT_DRIVER_ERROR}};
  std::string text;
  for (auto [name, code] : all)
    text += std::string(text.empty() ? "" : ",\n") + "  @_" + name + " = " +
            std::to_string(code);
  return "/* What functions return. DRIVER_ERROR: all that has no other "
         "number, in the words\n * of @_error_detail(). */\nenum {\n" +
         text + "\n};\n";
}

static std::string commentOf(const CaptureInfo &capture) {
  std::string type = toString(capture.type);
  if (capture.isScalar)
    return "one " + type + " in host memory; sizes and strides are not read";
  return "tensor of " + type + ", rank " + std::to_string(capture.rank);
}

static std::string capturesOf(const KernelPackage &package) {
  std::string text;
  for (const CaptureInfo &capture : package.captures())
    text += "  @_capture capture_" + fieldOf(capture) + "; /* " +
            commentOf(capture) + " */\n";
  return text;
}

static const char *tensors() {
  return R"(/* (batch, head, position, channel). Strides are in elements, that of channels is
 * 1. Memory of the device. */
typedef struct @_tensor {
  void *data;
  int64_t sizes[4];
  int64_t strides[3];
} @_tensor;

/* A captured tensor of the device with its sizes and, unless it is contiguous,
 * its strides in elements; or a number in host memory. */
typedef struct @_capture {
  const void *data;
  const int64_t *sizes;
  const int64_t *strides;
} @_capture;

/* Where sequences begin in ragged tensors: sequences + 1 numbers. */
typedef struct @_starts {
  const int32_t *starts;
  int64_t sequences;
} @_starts;

)";
}

static std::string forwardArguments(const KernelPackage &package) {
  const KernelSpec &spec = package.spec();
  auto unless = [](bool has, const char *text) {
    return has ? "" : std::string(" (not of this kernel: ") + text + ")";
  };
  return std::string(R"(/* All of it zero but what is said. */
typedef struct @_args {
  uint64_t size;  /* sizeof(@_args) */
  int64_t device; /* as for @_load() */
  @_tensor query, key, value, out;
  float *lse; /* (batch, heads, queries))") +
         unless(spec.lse, "null") + R"( */
  const void *tiles; /* of @_find_tiles(); null: found at each launch */
  @_starts query_starts;)" +
         (spec.raggedQueries ? "" : " /* not of this kernel */") +
         "\n  @_starts key_starts;" +
         (spec.raggedKeys ? "" : " /* not of this kernel */") +
         "\n  @_capture pages; /* table of i32, rank 2" +
         unless(spec.paged, "zero") + " */\n" + capturesOf(package) +
         "} @_args;\n\n";
}

static std::string backwardArguments(const KernelPackage &package) {
  std::string text = R"(/* Gradients have the shapes of what they are of. */
typedef struct @_backward_args {
  uint64_t size; /* sizeof(@_backward_args) */
  int64_t device;
  @_tensor query, key, value, out; /* out and lse: of the forward pass */
  const float *lse;
  @_tensor grad_out;
  const float *grad_lse;)";
  text += package.spec().lse ? " /* of lse; zeros if nothing depends on it */"
                             : " /* not of this kernel: null */";
  text += R"(
  @_tensor grad_query, grad_key, grad_value;
  const void *tiles; /* of @_find_backward_tiles() */
)" + capturesOf(package);
  for (int64_t number : package.wrt()) {
    const CaptureInfo &capture = package.captures()[number];
    text += "  float *grad_" + fieldOf(capture) +
            "; /* written: contiguous, of the device */\n";
  }
  return text + "} @_backward_args;\n\n";
}

static std::string prototype(const EntryPoint &entry) {
  std::string text = entry.result;
  text += text.back() == '*' ? "@_" : " @_";
  text += std::string(entry.name) + "(";
  for (size_t i = 0; i < entry.parameters.size(); ++i)
    text += std::string(i ? ", " : "") + entry.parameters[i];
  return text + (entry.parameters.empty() ? "void)" : ")");
}

std::string aot::headerOf(const Interface &interface) {
  const KernelPackage &package = interface.first();
  std::string guard = upper(interface.prefix) + "_H";
  std::string text =
      "/* Attention with the mod " + identifierOf(package.modName()) +
      ", for " + madeFor(interface) +
      ". Written by attn-compile.\n"
      " * Link with the object beside it and with attn_runtime. */\n"
      "#ifndef " +
      guard + "\n#define " + guard +
      "\n\n#include <stddef.h>\n#include <stdint.h>\n\n" +
      constantsOf(interface) +
      "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + codes() + "\n" +
      tensors() + forwardArguments(package);
  if (package.hasGradients())
    text += backwardArguments(package);
  for (const EntryPoint &entry : entryPointsOf(interface))
    text +=
        "/* " + std::string(entry.comment) + " */\n" + prototype(entry) + ";\n";
  text += "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " + guard + " */\n";
  return withPrefix(interface, text);
}
