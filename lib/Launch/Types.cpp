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
  case ElementType::I64:
    return "i64";
  case ElementType::I16:
    return "i16";
  case ElementType::I8:
    return "i8";
  case ElementType::U8:
    return "u8";
  case ElementType::Bool:
    return "i1";
  }
  return "unknown";
}

int64_t attn::byteWidth(ElementType type) {
  switch (type) {
  case ElementType::I8:
  case ElementType::U8:
  case ElementType::Bool:
    return 1;
  case ElementType::F16:
  case ElementType::BF16:
  case ElementType::I16:
    return 2;
  case ElementType::F32:
  case ElementType::I32:
    return 4;
  case ElementType::F64:
  case ElementType::I64:
    return 8;
  }
  return 0;
}

std::vector<CaptureView>
attn::viewsOf(const std::vector<CaptureData> &captures) {
  std::vector<CaptureView> views;
  for (const CaptureData &capture : captures)
    views.push_back({capture.bytes.data(), capture.sizes, {}, capture.type});
  return views;
}
