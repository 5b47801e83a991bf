// Races compiled attention against other ways of computing it. See --help.
#include "../../bench/Main.h"

int main(int argc, char **argv) { return attn::bench::runTool(argc, argv); }
