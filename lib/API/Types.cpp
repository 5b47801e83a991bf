// The element types of the API, and views of captured data.
#include "attn/API/Attention.h"

using namespace attn;

const char *attn::toString(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::F16:
    return "f16";
  case ElementType::BF16:
    return "bf16";
  case ElementType::F64:
    return "f64";
  case ElementType::I32:
    return "i32";
  }
  return "unknown";
}

int64_t attn::byteWidth(ElementType type) {
  switch (type) {
  case ElementType::F16:
  case ElementType::BF16:
    return 2;
  case ElementType::F64:
    return 8;
  default:
    return 4;
  }
}

std::vector<CaptureView>
attn::viewsOf(const std::vector<CaptureData> &captures) {
  std::vector<CaptureView> views;
  for (const CaptureData &capture : captures)
    views.push_back({capture.bytes.data(), capture.sizes});
  return views;
}
