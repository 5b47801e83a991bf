# ATTN_SANITIZE: our own code under clang's sanitizers; MLIR and LLVM stay the
# uninstrumented libraries that Debian has. `./dev test --sanitize` sets it, and
# docs/Testing.md says what the two builds find.
set(ATTN_SANITIZE "" CACHE STRING "address (with undefined behaviour), thread, or nothing")
set_property(CACHE ATTN_SANITIZE PROPERTY STRINGS "" address thread)

if(ATTN_SANITIZE STREQUAL "")
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "ATTN_SANITIZE expects clang, got ${CMAKE_CXX_COMPILER_ID}")
endif()

if(ATTN_SANITIZE STREQUAL "address")
  # vptr and function need the RTTI that MLIR is built without. What LLVM's inline
  # functions do to null is LLVM's matter.
  set(flags -fsanitize=address,undefined -fno-sanitize=vptr,function
    -fno-sanitize-recover=undefined
    -fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitizers-ignore.txt)
elseif(ATTN_SANITIZE STREQUAL "thread")
  set(flags -fsanitize=thread)
else()
  message(FATAL_ERROR "ATTN_SANITIZE expects address or thread, got ${ATTN_SANITIZE}")
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG -gline-tables-only")
add_compile_options(${flags} -fno-omit-frame-pointer)
add_link_options(${flags})
