// How code of the CPU is called: a function for one task of a kernel.
#ifndef ATTN_RUNTIME_TASKCALL_H
#define ATTN_RUNTIME_TASKCALL_H

#include "attn/Runtime/Signature.h"

#include <vector>

namespace attn {

/// A function whose arguments are passed by address, and the address of the
/// result, if there is one, as the last (packedName).
using PackedFunction = void (*)(void **arguments);

/// The parameters of a function that does one task of a kernel
/// (flash-to-tasks), for packed calls.
class TaskCall {
public:
  /// Errors: those of BoundParameters; a function without a task.
  static Result<TaskCall> bind(const Signature &signature, Bindings &bindings);

  /// The arguments for the number of a task, which `task` keeps.
  std::vector<void *> argumentsOf(int64_t &task) const;
  /// The arguments of the function that counts the tasks, into `tasks`.
  std::vector<void *> argumentsOfCount(int64_t &tasks) const;

private:
  BoundParameters parameters;
  size_t taskPosition = 0;
};

} // namespace attn

#endif // ATTN_RUNTIME_TASKCALL_H
