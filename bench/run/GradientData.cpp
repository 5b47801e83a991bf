// Makes, poisons and reads the gradients.
#include "run/GradientData.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::bench;

Result<std::unique_ptr<GradientData>>
GradientData::create(Device &device, const Problem &problem,
                     const std::vector<std::byte> &pool, bool ofCaptures) {
  auto data = std::make_unique<GradientData>();
  std::array<int64_t, 4> outSizes = problem.query.sizes;
  outSizes[3] = problem.sizes.valueDim;
  struct {
    GuardedTensor &tensor;
    TensorView &view;
    const std::array<int64_t, 4> &sizes;
  } tensors[] = {{data->out, data->views.out, outSizes},
                 {data->query, data->views.query, problem.query.sizes},
                 {data->key, data->views.key, problem.key.sizes},
                 {data->value, data->views.value, problem.value.sizes}};
  for (auto &[tensor, view, sizes] : tensors) {
    ATTN_TRY_ASSIGN(tensor, GuardedTensor::create(device, problem.type, sizes));
    view = tensor.view();
  }
  if (ofCaptures)
    ATTN_TRY(data->createCaptures(device, problem));
  ATTN_TRY(data->out.fillWithNaN());
  ATTN_TRY(data->out.fillFrom(pool));
  std::vector<std::string> names;
  for (const CaptureGradient &capture : data->views.captures)
    names.push_back(capture.name);
  ATTN_TRY_ASSIGN(data->expected, GradientReference::compute(
                                      device, problem, data->views.out, names));
  return data;
}

Result<void> GradientData::createCaptures(Device &device,
                                          const Problem &problem) {
  for (size_t i = 0; i < problem.mod->captures().size(); ++i) {
    const CaptureInfo &info = problem.mod->captures()[i];
    if (info.type != ElementType::F32 && info.type != ElementType::F16 &&
        info.type != ElementType::BF16)
      continue;
    int64_t count = 1;
    for (int64_t size : problem.captures[i].sizes)
      count *= size;
    ATTN_TRY_ASSIGN(
        GuardedTensor tensor,
        GuardedTensor::create(device, ElementType::F32, {1, 1, 1, count}));
    views.captures.push_back(
        {info.name, static_cast<float *>(tensor.view().data), count});
    captures.push_back(std::move(tensor));
  }
  return {};
}

Result<void> GradientData::poison() {
  for (GuardedTensor *tensor : {&query, &key, &value})
    ATTN_TRY(tensor->poison());
  for (GuardedTensor &tensor : captures)
    ATTN_TRY(tensor.poison());
  return {};
}

Result<GradientError> GradientData::compare(bool withCaptures) const {
  std::vector<std::byte> bytes[3];
  const GuardedTensor *tensors[] = {&query, &key, &value};
  for (size_t i = 0; i < 3; ++i) {
    ATTN_TRY_ASSIGN(bytes[i], tensors[i]->readBack());
  }
  Gradients onHost = views;
  onHost.query = hostView(views.query, bytes[0]);
  onHost.key = hostView(views.key, bytes[1]);
  onHost.value = hostView(views.value, bytes[2]);
  std::vector<std::vector<std::byte>> ofCaptures(captures.size());
  if (!withCaptures)
    onHost.captures.clear();
  for (size_t i = 0; i < onHost.captures.size(); ++i) {
    ATTN_TRY_ASSIGN(ofCaptures[i], captures[i].readBack());
    onHost.captures[i].data = reinterpret_cast<float *>(ofCaptures[i].data());
  }
  return expected.compare(onHost);
}
