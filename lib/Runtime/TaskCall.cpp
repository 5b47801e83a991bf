// See TaskCall.h.
#include "attn/Runtime/TaskCall.h"

#include "attn/Support/Try.h"

using namespace attn;

Result<TaskCall> TaskCall::bind(const Signature &signature,
                                Bindings &bindings) {
  TaskCall call;
  while (call.taskPosition < signature.size() &&
         signature[call.taskPosition].name.role != Role::Task)
    ++call.taskPosition;
  if (call.taskPosition == signature.size())
    return Error{"expects a function that does one task, by its number"};
  bindings.word({Role::Task}, 0);
  ATTN_TRY_ASSIGN(call.parameters, BoundParameters::bind(signature, bindings));
  return call;
}

std::vector<void *> TaskCall::argumentsOf(int64_t &task) const {
  std::vector<void *> arguments = parameters.packed();
  arguments[taskPosition] = &task;
  return arguments;
}

std::vector<void *> TaskCall::argumentsOfCount(int64_t &tasks) const {
  std::vector<void *> arguments = parameters.packed();
  arguments.erase(arguments.begin() + taskPosition);
  arguments.push_back(&tasks);
  return arguments;
}
