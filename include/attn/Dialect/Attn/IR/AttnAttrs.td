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

    - `q`, `kv`: queries and keys of one tile. A task or thread block owns the queries
      of one tile, which are the rows of its scores, and visits tiles of keys, which are
      the columns, one in each step.
    - `keys`: the other way round: a task owns the keys of one tile, and visits queries.
    - `warps`: warps of a thread block (1 on the CPU). The rows that a block owns are
      dealt to warps in runs of as many.
    - `stages`: how many tiles of each tensor that is visited shared memory holds; 1 or 2
      where all warps copy.
    - `aligned`: rows start at multiples of 16 bytes, so that asynchronous
      16-byte copies may be used.
    - `producers`: warps beside `warps` which copy tiles and inspect them for values
      that are not finite. 0: all warps copy and compute.
    - `pingpong`: groups of four warps take turns at the matrix unit, so that
      the softmax of one runs during the products of another.
    - `persistent`: a block does one task after another, drawn from a counter in
      memory, and copies for the next one while it ends the last; otherwise there
      is a block for each task.
    - `queries`: how many query tiles shared memory holds; with 2 a persistent
      block copies the next one early.
    - `drain`: the output leaves through the query tile's shared memory by the
      TMA, rather than from registers.
    - `blocks`: how many blocks a multiprocessor must have registers for.
    - `eager`: copies are as far ahead as can be, for tasks of few key tiles: keys of
      a step come before the values of the step before, one more tile of values
      has a place, and the output drains while the next task begins.

    - `cache`: bytes of keys and values that heads whose tasks a GPU does together
      may have: a part of its L2 cache.
    - `once`: of gradients; tasks that own keys make those of queries as well, which
      they add up in f32 memory, in no order: every pair is gone through once. Results
      then differ in their last bits from run to run.

    Constraints:
    - C1: `q` and `kv` are multiples of 16 from 16 to 1024.
    - C2: `warps` is 1 to 16, and the rows of one warp are a multiple of 16.
    - C3: `stages` is 1 to 8.
    - C4: `producers` is 0 or 4; with 4, `warps` is a multiple of 4, each of them
      has 16 rows, and memory is `aligned`; without, `stages` is 1 or 2.
    - C5: `pingpong` needs producers and 8 warps.
    - C6: `persistent`, `drain`, `queries` and `blocks` other than 1 need producers;
      `queries` is 1 or 2, and 2 only where `persistent`; `blocks` is 1 or 2, and 2
      only with 4 warps.
    - C7: `eager` needs `queries` 2.
    - C8: `cache` is 1 to 2147483647.
    - C9: `once` needs `keys` and producers.

    Examples: `#attn.schedule<q = 128, kv = 64, warps = 4>`,
    `#attn.schedule<q = 128, kv = 128, warps = 8, stages = 2, producers = 4, pingpong = true>`
  }];
  let parameters = (ins "int64_t":$q, "int64_t":$kv,
    DefaultValuedParameter<"int64_t", "1">:$warps,
    DefaultValuedParameter<"int64_t", "1">:$stages,
    DefaultValuedParameter<"bool", "true">:$aligned,
    DefaultValuedParameter<"int64_t", "0">:$producers,
    DefaultValuedParameter<"bool", "false">:$pingpong,
    DefaultValuedParameter<"bool", "false">:$persistent,
    DefaultValuedParameter<"int64_t", "1">:$queries,
    DefaultValuedParameter<"bool", "false">:$drain,
    DefaultValuedParameter<"int64_t", "1">:$blocks,
    DefaultValuedParameter<"bool", "false">:$eager,
    DefaultValuedParameter<"int64_t", "8388608">:$cache,
    DefaultValuedParameter<"bool", "false">:$keys,
    DefaultValuedParameter<"bool", "false">:$once);
  // A block for each task, output from registers.
  let builders = [AttrBuilder<(ins "int64_t":$q, "int64_t":$kv, "int64_t":$warps,
      "int64_t":$stages, "bool":$aligned, "int64_t":$producers, "bool":$pingpong), [{
    return $_get($_ctxt, q, kv, warps, stages, aligned, producers, pingpong,
                 /*persistent=*/false, /*queries=*/int64_t(1), /*drain=*/false,
                 /*blocks=*/int64_t(1), /*eager=*/false,
                 /*cache=*/int64_t(8) << 20, /*keys=*/false,
                 /*once=*/false);
  }]>];
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Positions of a tile that a task owns: rows of its scores.
    int64_t getRows() const { return getKeys() ? getKv() : getQ(); }
    /// Those of a tile that it visits: columns.
    int64_t getColumns() const { return getKeys() ? getQ() : getKv(); }
  }];
}

def Attn_VariantAttr : AttrDef<Attn_Dialect, "Variant"> {
  let mnemonic = "variant";
  let summary = "a kernel, or those of gradients, and for which launches it is";
  let description = [{
    Behind the arrow is what the operation has for it: its schedules, and
    `strided_captures`. The guard is `always`, or conditions that must all hold,
    joined by `and` (attn/Runtime/Guard.h). On the sizes of a launch, and the
    multiprocessors of the GPU:

    - `few_tasks(rows)`: query tiles of `rows` are at most as many as
      multiprocessors.
    - `few_rounds(rows, than, percent)`: in query tiles of `rows` the busiest
      multiprocessor has done before it would have in tiles of `than`, though a
      row takes `percent` of the time.
    - `short_rows(keys)`: at most `keys` keys.

    On its memory:

    - `aligned`: rows of all tensors start at multiples of 16 bytes.
    - `sm90a`: the GPU and its driver run code for sm_90a, and TMA takes the
      tensors, which are aligned. Kernels behind it are of the pipeline for sm90a,
      others of that for sm80, or for a CPU.
    - `unit_captures`: the innermost strides of captured tensors are 1.

    Examples: `#attn.variant<short_rows(1024) and aligned -> <q = 64, kv = 64>>`,
    `#attn.variant<always -> <q = 64, kv = 64, aligned = false>, strided_captures = true>`
  }];
  let parameters = (ins "::attn::Guard":$guard, "ScheduleAttr":$schedule,
    OptionalParameter<"::mlir::attn::ScheduleAttr">:$key_schedule,
    OptionalParameter<"::mlir::attn::ScheduleAttr">:$value_schedule,
    OptionalParameter<"::mlir::attn::ScheduleAttr">:$capture_schedule,
    DefaultValuedParameter<"bool", "false">:$strided_captures);
  // Of one kernel, for captures with an innermost stride of 1.
  let builders = [AttrBuilderWithInferredContext<(ins "::attn::Guard":$guard,
      "::mlir::attn::ScheduleAttr":$schedule), [{
    return $_get(schedule.getContext(), std::move(guard), schedule, ScheduleAttr(),
                 ScheduleAttr(), ScheduleAttr(), /*strided_captures=*/false);
  }]>];
  let assemblyFormat = [{
    `<` $guard `->` $schedule (`,` struct($key_schedule, $value_schedule,
      $capture_schedule, $strided_captures)^)? `>`
  }];
  let extraClassDeclaration = [{
    /// All that it has: one, or those of gradients.
    SmallVector<ScheduleAttr> getSchedules() const;
  }];
}

def Attn_VariantsAttr : AttrDef<Attn_Dialect, "Variants"> {
  let mnemonic = "variants";
  let summary = "every kernel that a launch may take";
  let description = [{
    A launch takes the first one whose guard holds. Written by
    `attn-select-schedule`, which completes what is written by hand: guards ask for
    the memory that their kernels need, and for other memory there are others.

    Constraints:
    - C1: the last guard, and no other, is `always`.

    Example: `#attn.variants<[<few_tasks(64) and aligned -> <q = 64, kv = 64>>,
    <always -> <q = 128, kv = 64, aligned = false>>]>`
  }];
  let parameters = (ins ArrayRefParameter<"VariantAttr">:$variants);
  let assemblyFormat = "`<` `[` $variants `]` `>`";
  let genVerifyDecl = 1;
}

def Attn_RoleAttr : AttrDef<Attn_Dialect, "Role"> {
  let mnemonic = "role";
  let summary = "what a parameter of a kernel is for";
  let description = [{
    The argument attribute `attn.role` of a kernel's function. Passes find their
    arguments by it, and a launch fills them by it: the order of arguments means
    nothing. attn/Runtime/Roles.def lists the roles.

    - `number`: which of the captures or workspaces it is.
    - `of`, `rows`: of a tensor map, the memory that it is of and the rows of its
      box.

    Constraints:
    - C1: a `tensor_map` has `of`, which is not another one, and 1 to 256 `rows`;
      no other role has.
    - C2: only `capture`, `grad_capture` and `workspace` have a `number`, which is
      not negative.

    Examples: `#attn.role<query>`, `#attn.role<capture number 1>`,
    `#attn.role<tensor_map of <key> rows 128>`
  }];
  let parameters = (ins "::attn::Role":$role,
    DefaultValuedParameter<"int64_t", "0">:$number,
    OptionalParameter<"::mlir::attn::RoleAttr">:$of,
    DefaultValuedParameter<"int64_t", "0">:$rows);
  let builders = [AttrBuilder<(ins "::attn::Role":$role,
                                   CArg<"int64_t", "0">:$number), [{
    return $_get($_ctxt, role, number, RoleAttr(), int64_t(0));
  }]>];
  let assemblyFormat = [{
    `<` $role (`number` $number^)? (`of` $of^ `rows` $rows)? `>`
  }];
  let genVerifyDecl = 1;
}

def Attn_SignatureAttr : AttrDef<Attn_Dialect, "Signature"> {
  let mnemonic = "signature";
  let summary = "the roles and types of a kernel's parameters";
  let description = [{
    The attribute `attn.signature` of a kernel's function: what its argument
    attributes said before a conversion took the arguments apart
    (`attn-record-signatures`).

    Constraints:
    - C1: as many roles as types.

    Example: `#attn.signature<[<query>, <counter>], [memref<?x?x?x64xbf16>,
    !llvm.ptr<1>]>`
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::attn::RoleAttr">:$roles,
                        ArrayRefParameter<"::mlir::Type">:$types);
  let assemblyFormat = "`<` `[` $roles `]` `,` `[` $types `]` `>`";
  let genVerifyDecl = 1;
}

#endif // ATTN_ATTRS_TD
