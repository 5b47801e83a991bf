# What makes a build quick where it is installed: ccache and a fast linker.

find_program(ATTN_CCACHE ccache)
if(ATTN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ATTN_CCACHE})
endif()

# ccache must be told that a precompiled header may be trusted by its contents,
# clang not to write time stamps into one, gcc to keep the #include of one.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
else()
  add_compile_options(-fpch-preprocess)
endif()

find_program(ATTN_LINKER NAMES mold ld.lld lld)
if(ATTN_LINKER MATCHES mold)
  # Debian 12's mold begins RELRO at thread-local data, which may lie in a page
  # of its own that is not mapped: such a program does not start.
  add_link_options(-fuse-ld=mold -Wl,-z,norelro)
elseif(ATTN_LINKER)
  add_link_options(-fuse-ld=lld)
endif()
