// Makes, poisons and reads the gradients.
#include "run/GradientData.h"

using namespace attn;
using namespace attn::bench;

Result<std::unique_ptr<GradientData>>
GradientData::create(Device &device, const Problem &problem,
                     const std::vector<std::byte> &pool) {
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
    auto made = GuardedTensor::create(device, problem.type, sizes);
    if (!made)
      return Error{made.error()};
    tensor = std::move(*made);
    view = tensor.view();
  }
  if (Result<void> filled = data->out.fillWithNaN(); !filled)
    return Error{filled.error()};
  if (Result<void> filled = data->out.fillFrom(pool); !filled)
    return Error{filled.error()};
  Result<GradientReference> reference =
      GradientReference::compute(device, problem, data->views.out);
  if (!reference)
    return Error{reference.error()};
  data->expected = std::move(*reference);
  return data;
}

Result<void> GradientData::poison() {
  for (GuardedTensor *tensor : {&query, &key, &value})
    if (Result<void> poisoned = tensor->poison(); !poisoned)
      return poisoned;
  return {};
}

Result<GradientError> GradientData::compare() const {
  std::vector<std::byte> bytes[3];
  const GuardedTensor *tensors[] = {&query, &key, &value};
  for (size_t i = 0; i < 3; ++i) {
    Result<std::vector<std::byte>> read = tensors[i]->readBack();
    if (!read)
      return Error{read.error()};
    bytes[i] = std::move(*read);
  }
  Gradients onHost = views;
  onHost.query = hostView(views.query, bytes[0]);
  onHost.key = hostView(views.key, bytes[1]);
  onHost.value = hostView(views.value, bytes[2]);
  return expected.compare(onHost);
}
