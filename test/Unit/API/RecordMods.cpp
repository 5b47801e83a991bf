// The programs of configs/mods as C++ lambdas: prints the text of the one that
// is named, which test/configs/lambdas.test holds against the file.
#include "attn/API/Lambda.h"

#include <cstdio>
#include <cstring>

// Mods take their values as plain parameters.
// NOLINTBEGIN(performance-unnecessary-value-param,misc-unused-parameters)

using namespace attn;

static Bool isCausal(Index, Index, Index q, Index kv) { return q >= kv; }

static auto isWithin(int64_t window) {
  return [=](Index b, Index h, Index q, Index kv) {
    return isCausal(b, h, q, kv) & (q - kv < window);
  };
}

static Score cappedTo50(Score s, Index, Index, Index, Index) {
  Float cap = 50;
  return tanh(s / cap) * cap;
}

/// Errors: there is no mod of this name.
static Result<std::string> textOf(const std::string &name) {
  Table<Float, 1> slopes("slopes"), bias("bias");
  Table<Index, 1> documents("documents");
  auto alibi = [&](Score s, Index, Index h, Index q, Index kv) {
    Float slope = slopes(h);
    return s + toFloat(kv - q) * slope;
  };
  auto headBias = [&](Score s, Index, Index h, Index, Index) {
    return s + bias(h);
  };
  auto rel = [](Score s, Index, Index, Index q, Index kv) {
    return s + toFloat(q - kv);
  };
  auto isOfDocument = [&](Index b, Index h, Index q, Index kv) {
    return (documents(q) == documents(kv)) & isCausal(b, h, q, kv);
  };
  auto isPrefix = [](Index b, Index h, Index q, Index kv) {
    return (kv < 512) | isCausal(b, h, q, kv);
  };
  auto near = [](Index b, Index h, Index q, Index kv) {
    return isCausal(b, h, q, kv) & (q - kv <= 512);
  };
  if (name == "alibi")
    return modText(alibi, isCausal, name);
  if (name == "causal")
    return modText(isCausal, name);
  if (name == "document_mask")
    return modText(isOfDocument, name);
  if (name == "head_bias")
    return modText(headBias, name);
  if (name == "noop")
    return modText([](Score s, Index, Index, Index, Index) { return s; }, name);
  if (name == "prefix_lm")
    return modText(isPrefix, name);
  if (name == "rel")
    return modText(rel, name);
  if (name == "sliding_window")
    return modText(near, name);
  if (name == "sliding_window_128")
    return modText(isWithin(128), name);
  if (name == "sliding_window_1024")
    return modText(isWithin(1024), name);
  if (name == "sliding_window_4096")
    return modText(isWithin(4096), name);
  if (name == "softcap")
    return modText(cappedTo50, isCausal, name);
  if (name == "softcap_sliding_window_4096")
    return modText(cappedTo50, isWithin(4096), name);
  return Error{"no lambda for '" + name + "'"};
}

int main(int argc, char **argv) {
  Result<std::string> text = textOf(argc == 2 ? argv[1] : "");
  std::fputs(text ? text->c_str() : (text.error() + "\n").c_str(),
             text ? stdout : stderr);
  return text ? 0 : 1;
}

// NOLINTEND(performance-unnecessary-value-param,misc-unused-parameters)
