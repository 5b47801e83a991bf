# What an installed attn says of itself, of a build tree.
find_package(Threads REQUIRED)
set(attn_MODS_DIR ${ATTN_SOURCE}/configs/mods)
set(ATTN_COMPILE ${ATTN_BUILD}/bin/attn-compile)
add_library(attn::runtime STATIC IMPORTED)
set_target_properties(attn::runtime PROPERTIES
  IMPORTED_LINK_INTERFACE_LANGUAGES CXX
  IMPORTED_LOCATION ${ATTN_BUILD}/lib/runtime/libattn_runtime.a
  INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
set(attn_runtime_FOUND TRUE)
set(attn_tools_FOUND TRUE)
include(${ATTN_SOURCE}/cmake/AttnAddKernel.cmake)
