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
  # No symbols that are one for the whole process, whoever loads a library how.
  add_compile_options(-fpch-preprocess -fno-gnu-unique)
endif()

# Not mold: Debian 12's did not end, once in a while, on two busy cores.
find_program(ATTN_LINKER NAMES ld.lld)
if(ATTN_LINKER)
  add_link_options(-fuse-ld=lld)
endif()
