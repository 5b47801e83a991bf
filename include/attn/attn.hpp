/// \file
/// The C++ interface of libattn: read a mod, compile it to a fused attention
/// kernel for the CPU or an NVIDIA GPU, run it. All of it is inline over the C
/// interface (attn/attn.h, which says what an attention is), so that no type of
/// the standard library crosses into the library: any compiler of C++17 will
/// do, with exceptions and RTTI or without. Nothing here throws; what can fail
/// returns a Result.
///
/// Names and behaviour are those of attn/API, the interface that programs
/// within attn's own build link; a source includes the one or the other.
#ifndef ATTN_ATTN_HPP
#define ATTN_ATTN_HPP

#ifdef ATTN_API_ATTENTION_H
#error "a source includes attn/attn.hpp or attn/API/*.h, not both"
#endif

#include "attn/CXX/Around.h"
#include "attn/CXX/Gradient.h"
#include "attn/CXX/Kernel.h"
#include "attn/CXX/Mod.h"
#include "attn/CXX/Tune.h"
#include "attn/CXX/Values.h"

#include "attn/API/Lambda.h"

#endif // ATTN_ATTN_HPP
