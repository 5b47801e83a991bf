// Everything that a tool registers: dialects, passes, pipelines.
#ifndef ATTN_INITALL_H
#define ATTN_INITALL_H

namespace mlir {
class DialectRegistry;
namespace attn {

/// The attn and tile dialects, the upstream dialects which pipelines use, and
/// their interface implementations.
void registerAllDialects(DialectRegistry &registry);

/// All passes and named pipelines of this project, and the upstream passes that
/// are of use between them.
void registerAllPasses();

} // namespace attn
} // namespace mlir

#endif // ATTN_INITALL_H
