# LLVM's linker for ELF as a library. LLVM ships it as archives alone; like
# StaticMLIR.cmake, this does not take its CMake targets, which pull in LLVM's
# archives beside the shared libLLVM. It compresses sections, where asked to.
find_library(ATTN_LLD_ELF liblldELF.a PATHS ${LLVM_LIBRARY_DIR} REQUIRED)
find_library(ATTN_LLD_COMMON liblldCommon.a PATHS ${LLVM_LIBRARY_DIR} REQUIRED)

add_library(attn_lld INTERFACE)
# It resets the options of the whole process, before it parses those of its own
# that are for LLVM: LinkObject.cpp, which gives it none, has it reset nothing.
target_link_options(attn_lld INTERFACE
  -Wl,--wrap=_ZN4llvm2cl25ResetAllOptionOccurrencesEv)
target_link_libraries(attn_lld INTERFACE
  ${ATTN_LLD_ELF} ${ATTN_LLD_COMMON} attn_mlir ${ATTN_ZSTD} ${ATTN_ZLIB})
