// Tasks with parallel loops, each done by some threads of a warp
// (Conversion/ThreadKernels.h).
#ifndef ATTN_CONVERSION_FLASHTOGPU_TEAMS_H
#define ATTN_CONVERSION_FLASHTOGPU_TEAMS_H

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn {

/// Divides the iterations of parallel loops in `tasks` among the threads of a
/// team, if there are any, each of which then has what they reduce to; one
/// writes what is behind. `thread` (index): the number of the thread. Returns
/// that of its task, as index before `tasks`. What a warp's tasks do depends on
/// nothing that differs among them but values, so that a warp's threads meet.
/// Errors: null, with a diagnostic, for a reduction whose neutral element is
/// not known.
Value takeTeam(scf::ForallOp tasks, Value thread);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_FLASHTOGPU_TEAMS_H
