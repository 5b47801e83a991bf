// attn-compile: from a mod file to an object that a C program links.
#ifndef ATTN_LIB_AOT_COMPILER_COMMANDLINE_H
#define ATTN_LIB_AOT_COMPILER_COMMANDLINE_H

namespace attn::aot {

/// The whole program; gives its exit status.
int runCompiler(int argc, char **argv);

} // namespace attn::aot

#endif // ATTN_LIB_AOT_COMPILER_COMMANDLINE_H
