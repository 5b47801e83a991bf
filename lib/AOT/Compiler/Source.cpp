// The object of a kernel as C, for a compiler of the user's.
#include "Interface.h"

#include "attn/AOT/Runtime.h"

using namespace attn;
using namespace attn::aot;

static std::string arrayOf(const std::string &bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += std::to_string(static_cast<unsigned char>(bytes[i]));
    text += i % 24 == 23 ? ",\n" : ",";
  }
  return text;
}

/// Without names of parameters, and with any pointer for those to structs.
static std::string runtimePrototype(const EntryPoint &entry) {
  std::string text =
      "extern " + std::string(entry.result) + " " + entry.runtime + "(";
  const char *separator = "";
  if (entry.takesKernels)
    text += "struct kernels *", separator = ", ";
  for (const char *parameter : entry.parameters)
    text += separator + std::string(parameter), separator = ", ";
  return text + (*separator ? ");\n" : "void);\n");
}

/// `const @_args *args` is `args`.
static std::string nameOf(const std::string &parameter) {
  return parameter.substr(parameter.find_last_of(" *") + 1);
}

static std::string definition(const EntryPoint &entry) {
  std::string result = entry.result, head = result + " @_" + entry.name + "(",
              call = std::string(entry.runtime) + "(";
  const char *separator = "";
  if (entry.takesKernels)
    call += "&all", separator = ", ";
  for (size_t i = 0; i < entry.parameters.size(); ++i) {
    head += std::string(i ? ", " : "") + entry.parameters[i];
    call += separator + nameOf(entry.parameters[i]), separator = ", ";
  }
  head += entry.parameters.empty() ? "void)" : ")";
  return head + " { " + (result == "void" ? "" : "return ") + call + "); }\n";
}

std::string aot::sourceOf(const Interface &interface) {
  std::string text = "struct package { const void *bytes; uint64_t size; };\n"
                     "struct kernels {\n  uint64_t abi, count;\n"
                     "  const struct package *packages;\n  void *loaded;\n};\n";
  std::string table;
  for (size_t i = 0; i < interface.packages.size(); ++i) {
    std::string name = "package_" + std::to_string(i);
    text += "static const unsigned char " + name + "[] = {\n" +
            arrayOf(interface.packages[i].save()) + "};\n";
    table += "    {" + name + ", sizeof " + name + "},\n";
  }
  text += "static const struct package packages[] = {\n" + table +
          "};\nstatic struct kernels all = {" + std::to_string(ATTN_AOT_ABI) +
          ", " + std::to_string(interface.packages.size()) +
          ", packages, 0};\n\n";
  for (const EntryPoint &entry : entryPointsOf(interface))
    text += runtimePrototype(entry) + definition(entry);
  // The file's own name may have what stands for the prefix.
  return "/* See " + interface.header + ". */\n#include \"" + interface.header +
         "\"\n\n" + withPrefix(interface, text);
}
