// Text around the text of a mod file.
#include "cases/ModText.h"

#include <fstream>
#include <sstream>

using namespace attn;
using namespace attn::bench;

/// `tensor<?x?xf32>`, or `i32` for a scalar.
static std::string typeOf(const CaptureInfo &capture) {
  std::string type = toString(capture.type);
  if (capture.isScalar)
    return type;
  std::string dims;
  for (int i = 0; i < capture.rank; ++i)
    dims += "?x";
  return "tensor<" + dims + type + ">";
}

Wrapper::Wrapper(const LoadedMod &mod) : mod(mod) {
  for (const CaptureInfo &capture : mod.mod.captures()) {
    std::string separator = parameters.empty() ? "" : ", ";
    parameters += separator + "%" + capture.name + " : " + typeOf(capture);
    arguments += separator + "%" + capture.name;
    types += separator + typeOf(capture);
  }
  if (parameters.empty())
    return;
  parameters = "(" + parameters + ")";
  arguments = "(" + arguments + ")";
  types = " : " + types;
}

std::string Wrapper::apply(const char *program,
                           const std::string &operands) const {
  return std::string("attn.apply_") + program + " @" + mod.mod.name() +
         arguments + "[" + operands + "]" + types + "\n";
}

std::string Wrapper::text(const std::string &name, const std::string &score,
                          const std::string &mask) const {
  std::stringstream text;
  if (mod.source.empty())
    text << std::ifstream(mod.path).rdbuf();
  else
    text << mod.source;
  text << "\nattn.mod @" << name << parameters << "\n";
  if (!score.empty())
    text << "score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {\n"
         << score << "}\n";
  if (!mask.empty())
    text << "mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n" << mask << "}\n";
  return text.str();
}

/// The mod with `offset` added to each query's position.
static Result<LoadedMod> shifted(const LoadedMod &mod, int64_t offset) {
  Wrapper wrapper(mod);
  std::string position = "%offset = arith.constant " + std::to_string(offset) +
                         " : i32\n%p = arith.addi %q, %offset : i32\n";
  std::string score, mask;
  if (mod.mod.hasScore())
    score = position + "%t = " + wrapper.apply("score", "%s, %b, %h, %p, %kv") +
            "attn.yield %t : f32\n";
  if (mod.mod.hasMask())
    mask = position + "%keep = " + wrapper.apply("mask", "%b, %h, %p, %kv") +
           "attn.yield %keep : i1\n";
  LoadedMod result = mod;
  result.source = wrapper.text("attn_bench_at_query", score, mask);
  result.path = mod.path + " at query " + std::to_string(offset);
  result.unshifted = &mod.mod;
  Result<Mod> parsed = Mod::fromSource(result.source, result.path);
  if (!parsed)
    return Error{parsed.error()};
  result.mod = std::move(*parsed);
  return result;
}

Result<const LoadedMod *> ShiftedMods::get(const LoadedMod &mod,
                                           int64_t offset) {
  if (offset == 0 || !(mod.mod.hasScore() || mod.mod.hasMask()))
    return &mod;
  auto found = mods.find({&mod, offset});
  if (found == mods.end())
    found = mods.emplace(Key(&mod, offset), shifted(mod, offset)).first;
  if (!found->second)
    return Error{found->second.error()};
  return &*found->second;
}
