// libattn.so and another LLVM in one process, each of which compiles:
//   beside-llvm FIRST SECOND...: paths of libattn.so, of libLLVM, and of what
//   is only loaded, in the order in which they are.
// The others' symbols are for all (RTLD_GLOBAL), as where a program links them.
#include "attn/attn.h"

#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

static void require(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

template <typename Function>
static Function *find(void *library, const char *name) {
  auto *function = reinterpret_cast<Function *>(dlsym(library, name));
  require(function, name);
  return function;
}
#define FIND(function) (find<decltype(function)>(library, #function))

static void compileWithAttn(void *library) {
  attn_mod *mod = nullptr;
  attn_kernel *kernel = nullptr;
  attn_spec spec{};
  spec.size = sizeof spec, spec.target = ATTN_CPU, spec.type = ATTN_F32;
  spec.head_dim = 16;
  require(FIND(attn_mod_from_source)("attn.mod @plain", "mod.mlir", &mod) ==
              ATTN_OK,
          "attn_mod_from_source");
  require(FIND(attn_kernel_compile)(mod, &spec, &kernel) == ATTN_OK,
          FIND(attn_error_text)());
  FIND(attn_kernel_release)(kernel);
  FIND(attn_mod_release)(mod);
  std::printf("attn compiles\n");
}

/// Object code of a function for x86-64.
static void compileWithLLVM(void *library) {
  FIND(LLVMInitializeX86TargetInfo)();
  FIND(LLVMInitializeX86Target)();
  FIND(LLVMInitializeX86TargetMC)();
  FIND(LLVMInitializeX86AsmPrinter)();
  const char *text = "define i32 @twice(i32 %x) { %y = shl i32 %x, 1 "
                     "ret i32 %y }";
  LLVMContextRef context = FIND(LLVMContextCreate)();
  LLVMMemoryBufferRef source = FIND(LLVMCreateMemoryBufferWithMemoryRangeCopy)(
      text, std::strlen(text), "twice.ll");
  LLVMModuleRef module = nullptr;
  char *error = nullptr;
  require(!FIND(LLVMParseIRInContext)(context, source, &module, &error), error);
  const char *triple = "x86_64-unknown-linux-gnu";
  LLVMTargetRef target = nullptr;
  require(!FIND(LLVMGetTargetFromTriple)(triple, &target, &error), error);
  LLVMTargetMachineRef machine = FIND(LLVMCreateTargetMachine)(
      target, triple, "", "", LLVMCodeGenLevelDefault, LLVMRelocPIC,
      LLVMCodeModelDefault);
  LLVMMemoryBufferRef object = nullptr;
  require(!FIND(LLVMTargetMachineEmitToMemoryBuffer)(
              machine, module, LLVMObjectFile, &error, &object),
          error);
  require(FIND(LLVMGetBufferSize)(object) > 0, "an object");
  std::printf("LLVM compiles\n");
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    bool isOurs = std::string(argv[i]).find("libattn") != std::string::npos;
    void *library =
        dlopen(argv[i], RTLD_NOW | (isOurs ? RTLD_LOCAL : RTLD_GLOBAL));
    require(library, library ? "" : dlerror());
    isOurs ? compileWithAttn(library) : compileWithLLVM(library);
  }
  return 0;
}
