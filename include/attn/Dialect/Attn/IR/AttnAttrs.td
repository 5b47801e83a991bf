#ifndef ATTN_ATTRS_TD
#define ATTN_ATTRS_TD

include "attn/Dialect/Attn/IR/AttnDialect.td"
include "mlir/IR/AttrTypeBase.td"

def Attn_ScheduleAttr : AttrDef<Attn_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "every decision that a lowering of attention reads";
  let description = [{
    Written by `attn-select-schedule` (or by hand), read by the lowerings, never
    changed by them. A part, or a field of one, that is not written is as usual; a flag
    is written by its name. What a schedule costs, in threads, shared memory and
    registers, attn/Analysis/ScheduleCost.h tells without compiling anything.

    `tiling`: what a task owns, and what it visits.
    - `q`, `kv`: queries and keys of one tile. A task or thread block owns the queries
      of one tile, which are the rows of its scores, and visits tiles of keys, which are
      the columns, one in each step.
    - `owns_keys`: the other way round: a task owns the keys of one tile, and visits
      queries.
    - `once`: of gradients; tasks that own keys make those of queries as well, which
      they add up in f32 memory, in no order: every pair is gone through once. Results
      then differ in their last bits from run to run.
    - `pack`: rows are (query, head) pairs of the heads that share keys, the head
      fastest: row r of n heads is query r / n of head r mod n. A task owns `q` rows, and
      its tile may begin and end inside of a query. So heads that share keys read them
      once, and few queries fill a tile.
    - `shares`: the visits of all query tiles are one line, of which each task does an even
      share, wherever that begins and ends: for launches of few query tiles. What is made of
      a part of a query tile's keys goes to memory, and a second kernel merges it
      (docs/FlashForm.md).
    - `chunk` (0): with a number a task does so many visits of a query tile, or as many as
      make 32 tasks of it where those are more; the parts are merged as those of `shares`.
      Where these end depends on nothing but the query tile, and so do the bits of results.
    - `cache` (8388608): bytes of keys and values that heads whose tasks a GPU does
      together may have: a part of its L2 cache.

    `roles`: who does what in a thread block.
    - `warps` (1): warps that compute; one on the CPU. The rows that a block owns are
      dealt to them in runs of as many.
    - `key_warps` (1): so many warps have the same rows, and deal the keys of each step
      among them: each has a copy pipeline of its own for `kv` / `key_warps` of them, and
      nobody waits for another before the last step; then their results are added up. For
      few rows, whose one warp could not hide what it waits for.
    - `producers` (0): warps beside `warps` which copy tiles and inspect them for values
      that are not finite. 0: all warps copy and compute.
    - `pingpong`: groups of four warps take turns at the matrix unit, so that
      the softmax of one runs during the products of another.
    - `min_blocks` (1): how many thread blocks a multiprocessor must have registers for.

    `pipeline`: how tiles come in, and how results leave.
    - `stages` (1): how many tiles of each tensor that is visited shared memory holds;
      1 or 2 where all warps copy.
    - `task_stages` (1): how many of each tensor of which a task loads one tile; with 2
      a persistent block copies the next task's early.
    - `persistent`: a block does one task after another, drawn from a counter in
      memory, and copies for the next one while it ends the last; otherwise there
      is a block for each task.
    - `drain`: the output leaves through the query tile's shared memory by the
      TMA, rather than from registers.
    - `eager`: copies are as far ahead as can be, for tasks of few key tiles: keys of
      a step come before the values of the step before, one more tile of values
      has a place, and the output drains while the next task begins.
    - `unaligned`: rows may start anywhere; otherwise at multiples of 16 bytes, so that
      asynchronous 16-byte copies are used.
    - `read_once`: no other task reads what this one visits, so the L2 cache gives it up
      first.
    - `dependent`: kernels are programmatic dependent launches, from sm_90 on. That which
      merges parts begins while these are being made, finds what it has to merge, and then
      awaits them. Of gradients (the `key_schedule` says it) each kernel but the first may
      begin before the one ahead ends, and awaits that.

    Constraints, of the tiling:
    - C1: `q` and `kv` are multiples of 16 from 16 to 1024.
    - C2: `cache` is 1 to 2147483647.
    - C3: `once` needs `owns_keys`, and `pack` goes without.

    Of the roles:
    - C4: `warps` is 1 to 16.
    - C5: `producers` is 0 or 4; with 4, `warps` is a multiple of 4.
    - C6: `pingpong` needs producers and 8 warps.
    - C7: `min_blocks` is 1, or 2 with producers and 4 warps.
    - C16: `key_warps` is 1, 2, 4 or 8; with more than 1, `warps` is 1, and there are no
      producers.

    Of the pipeline:
    - C8: `stages` is 1 to 8.
    - C9: `task_stages` is 1, or 2 where `persistent`.
    - C10: `eager` needs `task_stages` 2.

    Of one part with another:
    - C11: the rows of one warp are a multiple of 16.
    - C12: with producers each warp has 16 rows, memory is not `unaligned`, and nothing
      is `pack`.
    - C13: without, `stages` is 1 or 2, and nothing is `persistent`, `drain` or `once`.
    - C14: `shares` and `chunk` go without `owns_keys` and producers, and without each
      other; `chunk` is 0 to 65536.
    - C15: `dependent` goes with `shares`, `chunk` or `owns_keys`, and with aligned memory.
    - C17: with more than one of `key_warps` there are `shares` or a `chunk`, and `kv` is
      a multiple of 16 for each of them.
    - C18: `read_once` goes with aligned memory, and without producers.

    Examples:
    `#attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 4>>`,
    `#attn.schedule<tiling = <q = 128, kv = 128>, roles = <warps = 8, producers = 4, pingpong>,
    pipeline = <stages = 2, task_stages = 2, persistent, drain>>`
  }];
  let parameters = (ins "::mlir::attn::Tiling":$tiling,
    DefaultValuedParameter<"::mlir::attn::WarpRoles", "::mlir::attn::WarpRoles()">:$roles,
    DefaultValuedParameter<"::mlir::attn::CopyPipeline", "::mlir::attn::CopyPipeline()">:$pipeline);
  let builders = [AttrBuilder<(ins "const ::mlir::attn::Schedule &":$schedule), [{
    return $_get($_ctxt, schedule.tiling, schedule.roles, schedule.pipeline);
  }]>];
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// All of it, to be varied.
    ::mlir::attn::Schedule getParts() const {
      return {getTiling(), getRoles(), getPipeline()};
    }
    /// Whether only kernels for sm_90a can have it.
    bool isForSM90a() const {
      return getRoles().hasProducers() || getPipeline().dependent;
    }
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
    - `packed_rows(rows)`: at most `rows` queries of heads that share keys.
    - `full_round(rows, percent)`: no head shares its keys, and tiles of `rows` queries
      all run at once, on at least `percent` of the multiprocessors.

    On its memory:

    - `aligned`: rows of all tensors start at multiples of 16 bytes.
    - `sm90a`: the GPU and its driver run code for sm_90a, and TMA takes the
      tensors, which are aligned. Kernels behind it are of the pipeline for sm90a,
      others of that for sm80, or for a CPU.
    - `unit_captures`: the innermost strides of captured tensors are 1.

    Examples: `#attn.variant<short_rows(1024) and aligned -> <tiling = <q = 64, kv = 64>>>`,
    `#attn.variant<always -> <tiling = <q = 64, kv = 64>, pipeline = <unaligned>>, strided_captures = true>`
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

    Example: `#attn.variants<[<few_tasks(64) and aligned -> <tiling = <q = 64, kv = 64>>>,
    <always -> <tiling = <q = 128, kv = 64>, pipeline = <unaligned>>>]>`
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
    - C2: only `capture`, `grad_capture`, `part_out`, `part_lse` and `workspace` have a
      `number`, which is not negative.

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
