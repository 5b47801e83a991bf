# How a library, a tool and a unit test of this project are declared, so that
# every leaf CMakeLists.txt is a list of its sources.

include(FastBuild)

# Everything that MLIR and LLVM headers need, for the sources that include them.
add_library(attn_mlir_headers INTERFACE)
target_include_directories(attn_mlir_headers SYSTEM INTERFACE
  ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_options(attn_mlir_headers INTERFACE -fno-rtti -fno-exceptions)

# The MLIR and LLVM code itself: either the shared libraries or the archives,
# never both in one binary. The program at the end of the chain says which.
include(StaticMLIR)
add_library(attn_mlir_shared INTERFACE)
target_link_libraries(attn_mlir_shared INTERFACE MLIR LLVM)
add_library(attn_mlir INTERFACE)
target_link_libraries(attn_mlir INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:ATTN_STATIC>>,attn_mlir_static,attn_mlir_shared>)
include(LLD)

set(ATTN_WARNINGS -Wall -Wextra -Wno-unused-parameter)
if(PROJECT_IS_TOP_LEVEL)
  list(APPEND ATTN_WARNINGS -Werror)
endif()

include(MLIRPrecompiledHeader)

# Compiles `target` against MLIR's headers, precompiled unless NO_PCH.
function(attn_use_mlir_headers target no_pch)
  target_link_libraries(${target} PRIVATE attn_mlir_headers)
  add_dependencies(${target} attn-tablegen)
  if(NOT no_pch)
    target_precompile_headers(${target} REUSE_FROM attn-pch)
  endif()
endfunction()

# attn_library(name SOURCES... [LINK libs...] [DEPENDS targets...]
#              [NO_MLIR] [NO_PCH] [EXCEPTIONS] [OBJECT])
# NO_MLIR: includes no MLIR header and links no MLIR code. EXCEPTIONS: for
# NO_MLIR code that must catch what a third party's library throws. OBJECT: all of
# it is linked, though nothing refers to it.
function(attn_library name)
  cmake_parse_arguments(ARG "NO_MLIR;NO_PCH;EXCEPTIONS;OBJECT" ""
    "LINK;DEPENDS" ${ARGN})
  set(kind STATIC)
  if(ARG_OBJECT)
    set(kind OBJECT)
  endif()
  add_library(${name} ${kind} ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${ATTN_WARNINGS})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(NOT ARG_NO_MLIR)
    attn_use_mlir_headers(${name} "${ARG_NO_PCH}")
    target_link_libraries(${name} PUBLIC attn_mlir)
  elseif(NOT ARG_EXCEPTIONS)
    target_compile_options(${name} PRIVATE -fno-exceptions)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# What programs have in common. They compile as -fPIC, like the libraries, since
# the precompiled header is refused to -fPIE.
function(attn_program name)
  cmake_parse_arguments(ARG "NO_MLIR" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE ${ATTN_WARNINGS} -fPIC)
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  if(NOT ARG_NO_MLIR)
    attn_use_mlir_headers(${name} FALSE)
    target_link_libraries(${name} PRIVATE attn_mlir)
  endif()
endfunction()

# attn_tool(name SOURCES... LINK libs... [NO_MLIR]): a program in bin/, and for
# ./dev package its static twin in static/, from the same libraries.
function(attn_tool name)
  attn_program(${name} ${ARGN})
  add_dependencies(attn-tests ${name})

  attn_program(${name}-static ${ARGN})
  attn_package(${name}-static ${name})
endfunction()

# Links the program `target` statically, as static/FILE.
function(attn_package target file)
  set_target_properties(${target} PROPERTIES
    ATTN_STATIC ON EXCLUDE_FROM_ALL ON OUTPUT_NAME ${file}
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/static)
  target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc
    -Wl,--gc-sections -s)
  add_dependencies(attn-static ${target})
endfunction()

# attn_unit_test(name SOURCES... [LINK libs...] [MLIR] [PACKAGE_AS file]): one
# GoogleTest program, without MLIR headers unless it says MLIR, which lit runs; each
# of its cases counts as a test. Name it FooTests. PACKAGE_AS: ./dev package holds a static twin.
function(attn_unit_test name)
  cmake_parse_arguments(ARG "MLIR" "PACKAGE_AS" "" ${ARGN})
  set(headers NO_MLIR)
  if(ARG_MLIR)
    set(headers)
  endif()
  attn_program(${name} ${ARG_UNPARSED_ARGUMENTS} ${headers})
  target_link_libraries(${name} PRIVATE GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  add_dependencies(attn-tests ${name})
  if(ARG_PACKAGE_AS)
    attn_program(${name}-static ${ARG_UNPARSED_ARGUMENTS} NO_MLIR)
    target_link_libraries(${name}-static PRIVATE GTest::gtest)
    attn_package(${name}-static ${ARG_PACKAGE_AS})
  endif()
endfunction()

# Everything that the test suite runs, and everything that a package holds.
add_custom_target(attn-tests)
add_custom_target(attn-static)
