#ifndef ATTN_ATTRS_TD
#define ATTN_ATTRS_TD

include "attn/Dialect/Attn/IR/AttnDialect.td"
include "mlir/IR/AttrTypeBase.td"

def Attn_ScheduleAttr : AttrDef<Attn_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "every decision that a lowering of attention reads";
  let description = [{
    Written by `attn-select-schedule` (or by hand), read by the lowerings, never
    changed by them.

    - `q`: queries of one tile, the rows that one task or thread block owns.
    - `kv`: keys of one tile, the columns visited in one step.
    - `warps`: warps of a thread block (1 on the CPU). The rows of a query tile
      are dealt to warps in runs of `q / warps`.
    - `stages`: how many key tiles (and value tiles) shared memory holds; the
      portable GPU kernels take 1 only.
    - `aligned`: rows start at multiples of 16 bytes, so that asynchronous
      16-byte copies may be used.

    Constraints:
    - C1: `q` and `kv` are multiples of 16 from 16 to 1024.
    - C2: `warps` is 1 to 16, and the rows of one warp are a multiple of 16.
    - C3: `stages` is 1 to 8.

    Example: `#attn.schedule<q = 128, kv = 64, warps = 4, stages = 1, aligned = true>`
  }];
  let parameters = (ins "int64_t":$q, "int64_t":$kv,
    DefaultValuedParameter<"int64_t", "1">:$warps,
    DefaultValuedParameter<"int64_t", "1">:$stages,
    DefaultValuedParameter<"bool", "true">:$aligned);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // ATTN_ATTRS_TD
