// attn-compile: from a mod file to an object that a C program links.
#include "../../lib/AOT/Compiler/CommandLine.h"

int main(int argc, char **argv) { return attn::aot::runCompiler(argc, argv); }
