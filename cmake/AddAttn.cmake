# How a library, a tool and a TableGen target of this project are declared, so
# that every leaf CMakeLists.txt is a list of its sources.

# Everything that MLIR and LLVM headers need, for the sources that include them.
add_library(attn_mlir_headers INTERFACE)
target_include_directories(attn_mlir_headers SYSTEM INTERFACE
  ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_options(attn_mlir_headers INTERFACE -fno-rtti)

# The MLIR and LLVM code itself: either the shared libraries or the archives,
# never both in one binary.
add_library(attn_mlir INTERFACE)
if(ATTN_STATIC)
  include(StaticMLIR)
else()
  target_link_libraries(attn_mlir INTERFACE MLIR LLVM)
endif()

set(ATTN_WARNINGS -Wall -Wextra -Wno-unused-parameter -Werror)

# attn_library(name SOURCES... [LINK libs...] [DEPENDS targets...] [NO_MLIR])
function(attn_library name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${ATTN_WARNINGS} -fno-exceptions)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(NOT ARG_NO_MLIR)
    target_link_libraries(${name} PRIVATE attn_mlir_headers)
    target_link_libraries(${name} PUBLIC attn_mlir)
    add_dependencies(${name} attn-tablegen)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# attn_tool(name SOURCES... LINK libs...)
function(attn_tool name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${ATTN_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  if(NOT ARG_NO_MLIR)
    target_link_libraries(${name} PRIVATE attn_mlir_headers)
    add_dependencies(${name} attn-tablegen)
  endif()
  if(ATTN_STATIC)
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc
      -Wl,--gc-sections -s)
  endif()
endfunction()
