# The archives of MLIR and LLVM, for the tools of ./dev package: they run where no
# LLVM is installed. MLIR's own CMake targets pull in the shared libLLVM, so the
# archives are listed here: all that a tool could reach, of which the linker takes
# what it needs.

file(GLOB archives ${LLVM_LIBRARY_DIR}/libMLIR*.a ${LLVM_LIBRARY_DIR}/libLLVM*.a)

# Back ends other than those which the compiler emits code with, tools' insides,
# and MLIR's test passes.
set(other_targets
  AArch64 AMDGPU ARM AVR BPF Hexagon Lanai LoongArch M68k MSP430 Mips PowerPC
  RISCV SPIRV Sparc SystemZ VE WebAssembly XCore Xtensa)

# lld could compile, and asks for all back ends and Polly then: it gets none of
# these. It is given object code only.
set(initializers
  "extern \"C\" void _Z18getPollyPluginInfov() { __builtin_trap(); }\n")
foreach(target IN LISTS other_targets)
  foreach(part TargetInfo Target TargetMC AsmPrinter AsmParser)
    string(APPEND initializers
      "extern \"C\" void LLVMInitialize${target}${part}() {}\n")
  endforeach()
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/attn-other-targets.cpp
  CONTENT "${initializers}")
add_library(attn_other_targets STATIC ${PROJECT_BINARY_DIR}/attn-other-targets.cpp)

list(JOIN other_targets "|" other_targets)
list(FILTER archives EXCLUDE REGEX "libLLVM(${other_targets})[A-Z]")
list(FILTER archives EXCLUDE REGEX
  "lib(LLVM(BOLT|Exegesis|FuzzerCLI)|MLIRCAPI|MLIR.*Test|MLIRQuery|MLIRReduce)")
list(JOIN archives "," archives)

# Without their soname: the shared ones would be loaded at run time.
find_library(ATTN_ZLIB libz.a REQUIRED)
find_library(ATTN_ZSTD libzstd.a REQUIRED)

add_library(attn_mlir_static INTERFACE)
target_link_libraries(attn_mlir_static INTERFACE
  "$<LINK_GROUP:RESCAN,${archives}>" attn_other_targets ${ATTN_ZSTD} ${ATTN_ZLIB}
  Threads::Threads ${CMAKE_DL_LIBS} m)
