#ifndef ATTN_TRANSFORMS_PASSES_TD
#define ATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnAttachGPUTargetPass : Pass<"attn-attach-gpu-target", "::mlir::ModuleOp"> {
  let summary = "Write the chip that kernels are for onto their gpu.module";
  let description = [{
    What emits PTX reads it there (`attn-translate --attn-to-ptx`). A gpu.module that
    has targets keeps them.

    Example (test/Dialect/Attn/attach-gpu-target.mlir): with `target=sm90a`,
    `gpu.module @kernels` becomes

    ```mlir
    gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">]
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"sm80\"", "sm80 or sm90a">
  ];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect"];
}

def AttnApplyPositionsPass : Pass<"attn-apply-positions", "::mlir::ModuleOp"> {
  let summary = "Make the query offset and the lengths of an attention captures of its mod";
  let description = [{
    What a query offset means is that the mod sees other positions, and lengths that
    it keeps fewer: the attention gets a copy of its mod, or a mod where it has none,
    that captures the offset and the lengths, last. It adds the offset to each query's
    position, and its mask keeps the keys before a length alone. From then on they are
    numbers like any others that a mod captures: bounds, lists and every target know
    what to do with them. The function's arguments keep their meaning as the roles
    `query_offset` and `lengths`.

    Example (test/Dialect/Attn/apply-positions.mlir):

    ```mlir
    %o = attn.attention %q, %k, %v mod @causal query_offset(%n) lengths(%l)
      : (!t, !t, !t, i32, tensor<2xi32>) -> !t
    ```

    becomes

    ```mlir
    attn.mod @causal_at_offset_within_lengths(%query_offset: i32, %lengths: tensor<2xi32>)
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %length = attn.load %lengths[%b] : tensor<2xi32>
        %p = arith.addi %q, %query_offset {attn.position} : i32
        %keep = arith.cmpi sge, %p, %kv : i32
        %exists = arith.cmpi slt, %kv, %length : i32
        %both = arith.andi %keep, %exists : i1
        attn.yield %both : i1
      }
    ...
    %o = attn.attention %q, %k, %v mod @causal_at_offset_within_lengths(%n, %l)
      : (!t, !t, !t, i32, tensor<2xi32>) -> !t
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def AttnOutlineAttentionsPass : Pass<"attn-outline-attentions", "::mlir::ModuleOp"> {
  let summary = "Give each attention among other operations a function of its own";
  let description = [{
    Kernels are made of functions that hold one attention of their arguments and return
    its results. Where a function holds more (two attentions, a projection before one, a
    branch around it), or is called by others, each `attn.attention` and
    `attn.attention_backward` moves into a private function with an argument for each
    operand, and a call takes its place: the function around it becomes host code. Equal
    attentions, with the same mod, types and attributes, share a function, wherever in the
    module they are. A function that already is a kernel's stays as it is.

    Lowerings leave such a function as a declaration whose arguments and results have
    roles and whose `attn.kernels` are what a call runs: a CPU's pipeline defines it by
    calls of the kernels (`attn-call-kernels`), on a GPU it is the program's to launch them.

    Example (test/Dialect/Attn/outline-attentions.mlir):

    ```mlir
    func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
      %near = attn.attention %q, %k, %v mod @window : (!t, !t, !t) -> !t
      %far = attn.attention %near, %k, %v mod @sinks : (!t, !t, !t) -> !t
      return %far : !t
    }
    ```

    becomes

    ```mlir
    func.func private @layer_attention(%q: !t, %k: !t, %v: !t) -> !t {
      %o = attn.attention %q, %k, %v mod @window : (!t, !t, !t) -> !t
      return %o : !t
    }
    func.func private @layer_attention_0(%q: !t, %k: !t, %v: !t) -> !t {
      %o = attn.attention %q, %k, %v mod @sinks : (!t, !t, !t) -> !t
      return %o : !t
    }
    func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
      %near = call @layer_attention(%q, %k, %v) : (!t, !t, !t) -> !t
      %far = call @layer_attention_0(%near, %k, %v) : (!t, !t, !t) -> !t
      return %far : !t
    }
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def AttnCallKernelsPass : Pass<"attn-call-kernels", "::mlir::ModuleOp"> {
  let summary = "Define functions on tensors by calls of their kernels";
  let description = [{
    `attn-to-flash` leaves a function that others call as a declaration: roles say what its
    arguments and results are, `attn.kernels` which kernels, one after the other, a call
    runs. This pass writes that function for a host whose memory the kernels work on:
    arguments and results become the kernels' memory by their roles, and what kernels hand
    on to each other (statistics, sums for captures, parts of query tiles) is allocated.
    What it has no memory for is an error: lists of tiles, which attn-to-flash leaves away
    with `lists-for-calls=false`.

    Example (test/Dialect/Attn/call-kernels.mlir):

    ```mlir
    func.func private @attention(!t {attn.role = #attn.role<query>}, ...)
      -> (!t {attn.role = #attn.role<out>}) attributes {attn.kernels = [@attention_forward]}
    ```

    becomes

    ```mlir
    func.func private @attention(%q: !t, ...) -> !t {
      %query = bufferization.to_buffer %q read_only : !t to !m
      %out = memref.alloc(...) : memref<?x?x?x64xf32>
      call @attention_forward(%query, ..., %out) : ...
      %o = bufferization.to_tensor %out restrict writable : memref<?x?x?x64xf32> to !t
      return %o : !t
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"];
}

def AttnDifferentiatePass : Pass<"attn-differentiate", "::mlir::ModuleOp"> {
  let summary = "Make the adjoint programs of mods whose gradients are asked for";
  let description = [{
    The score program of each mod of an `attn.attention_backward` gets its
    derivative, by reverse mode: the program once more, then backwards what the
    gradient `g` of its result adds to that of the score, which the adjoint program
    yields, and to those of the captures in `wrt` (`attn.accumulate`). Steps have
    derivatives of zero, and so have kinks (docs/Mods.md); a branch is taken again.
    Masks have no gradient.

    Expects mods that stand alone (`attn-inline-mods`), and computes in f32
    (`attn-total-mods`).

    Example (test/Dialect/Attn/differentiate.mlir):

    ```mlir
    attn.mod @alibi(%slopes: tensor<?xf32>)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        ...
        %m = attn.load %slopes[%h] : tensor<?xf32>
        %x = arith.mulf %f, %m : f32
        %t = arith.addf %s, %x : f32
        attn.yield %t : f32
      }
    ```

    gets, with `wrt = array<i64: 0>`,

    ```mlir
      adjoint(%s: f32, %g: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        ...
        %y = arith.mulf %g, %f : f32
        attn.accumulate %slopes[%h], %y : tensor<?xf32>
        attn.yield %g : f32
      }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect"];
}

def AttnInlineModsPass : Pass<"attn-inline-mods", "::mlir::ModuleOp"> {
  let summary = "Inline the mods that a mod applies";
  let description = [{
    Replaces every `attn.apply_score` and `attn.apply_mask` by the body of the
    mod that it names, so that each mod stands alone. Lowerings expect this.

    Example (test/Dialect/Attn/inline-mods.mlir):

    ```mlir
    attn.mod @next
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %one = arith.constant 1 : i32
        %n = arith.addi %q, %one : i32
        %keep = attn.apply_mask @causal[%b, %h, %n, %kv]
        attn.yield %keep : i1
      }
    ```

    becomes, if `@causal` keeps what is not later,

    ```mlir
        %keep = arith.cmpi sge, %n, %kv : i32
    ```
  }];
}

def AttnFillToLoopsPass : Pass<"attn-fill-to-loops", "::mlir::ModuleOp"> {
  let summary = "Make functions that write the data of captures";
  let description = [{
    Replaces every `attn.fill` by a function of the same name which takes the table
    as memory, then the sizes of the problem (batch, heads, kv_heads, queries, keys,
    sequences), and evaluates the fill for each element: what `attn.data` of a
    capture may name as well.

    Example (test/Dialect/Attn/fill-to-loops.mlir):

    ```mlir
    attn.fill @tiles(%i: i32) {
      %n = attn.size "queries ceildiv 64" : i32
      %x = arith.subi %n, %i : i32
      attn.yield %x : i32
    }
    ```

    becomes

    ```mlir
    func.func @tiles(%table: memref<?xi32>, %batch: index, ..., %sequences: index) {
      ...
      scf.for %i = %c0 to %size step %c1 {
        ...
        memref.store %x, %table[%i] : memref<?xi32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def AttnTotalModsPass : Pass<"attn-total-mods", "::mlir::ModuleOp"> {
  let summary = "Give every operation of a mod a defined result";
  let description = [{
    Rewrites the programs of mods so that nothing in them traps or is undefined,
    with the results of docs/Mods.md: x / 0 is 0 and its remainder x, a quotient
    that does not fit wraps, a shift by the width or more leaves nothing (or the
    sign), a float that does not fit an integer becomes its nearest one and NaN 0.
    Promises of the program (`nsw`, `exact`, fast math) are dropped, and f16 and
    bf16 compute in f32. Divisions by constants and the like stay as they are.

    What has been guarded is marked `attn.total`: it may be executed where the
    program would not. All targets, lists and the oracle read mods after this pass.

    Example (test/Dialect/Attn/total-mods.mlir):

    ```mlir
        %r = arith.remui %kv, %n : i32
    ```

    becomes

    ```mlir
        %some = arith.maxui %n, %c1 : i32
        %rest = arith.remui %kv, %some {attn.total} : i32
        %none = arith.cmpi eq, %n, %c0 : i32
        %r = arith.select %none, %kv, %rest : i32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def AttnMarkDecisionsPass : Pass<"attn-mark-decisions", "::mlir::ModuleOp"> {
  let summary = "Mark the floats of a mod that decide something";
  let description = [{
    A float that ends in a comparison, an integer or its bits decides what a mask
    keeps, which entry of a table is read or which branch is taken: it must come out
    the same on every target. The operations that it is computed from are marked
    `attn.exact`; lowerings then neither approximate them nor fuse products and sums.
    What only becomes a score is not marked.

    Example (test/Dialect/Attn/mark-decisions.mlir):

    ```mlir
    %l = math.log %f : f32
    %i = arith.fptosi %l : f32 to i32
    %x = attn.load %t[%i] : tensor<?xf32>
    %r = arith.addf %s, %x : f32
    ```

    becomes

    ```mlir
    %l = math.log %f {attn.exact} : f32
    %i = arith.fptosi %l : f32 to i32
    %x = attn.load %t[%i] : tensor<?xf32>
    %r = arith.addf %s, %x : f32
    ```
  }];
}

def AttnSelectSchedulePass : Pass<"attn-select-schedule", "::mlir::ModuleOp"> {
  let summary = "Write the schedule of every attention that has none";
  let description = [{
    The only heuristic: tile sizes, warps and stages from the target, the element
    type and the head dimensions. An attention with a schedule keeps it, but one that no
    GPU has the shared memory for is an error (attn/Analysis/ScheduleCost.h), on the
    operation or in any variant.

    Launches of other sizes, on other memory and on other GPUs take other kernels:
    `variants` lists all of them with the guards by which a launch chooses. For
    sm90a these are the kernels for sm_90a, which differ by sizes, then those for
    every GPU, for rows that start at multiples of 16 bytes and for others; each for
    captured tensors with an innermost stride of 1 and for any, if there are some.
    A schedule or variants that are given stand for what would be chosen, and get
    what they need of memory in their guards and what other memory takes behind them.
    `variant` makes one of the list what a kernel is made of. Without it that is what
    was given, of variants the last, or else what is chosen for launches of any sizes;
    with `problem`, what sm_90a has for one kind of sizes, even of a mask whose
    launches do not choose by them.

    Example (test/Dialect/Attn/select-schedule.mlir): for sm90a,

    ```mlir
    %o = attn.attention %q, %q, %q : (!t, !t, !t) -> !t
    ```

    becomes

    ```mlir
    %o = attn.attention %q, %q, %q {schedule = #attn.schedule<tiling = <q = 128, ...>, ...>,
      variants = #attn.variants<[<sm90a and few_tasks(64) -> <tiling = <q = 64, ...>, ...>>,
        <sm90a and short_rows(1024) -> <...>>, <sm90a -> <...>>, <aligned -> <...>>,
        <always -> <..., pipeline = <..., unaligned>>>]>} : (!t, !t, !t) -> !t
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "cpu, sm80 or sm90a">,
    Option<"aligned", "aligned", "bool", "true",
           "whether rows start at multiples of 16 bytes">,
    Option<"stridedCaptures", "strided-captures", "bool", "false",
           "captured tensors have any innermost stride, else 1">,
    Option<"variant", "variant", "int64_t", "-1",
           "the place of the variant that becomes the schedule, from 0">,
    Option<"problem", "problem", "ProblemKind", "ProblemKind::Any",
           "what the schedule is for", [{::llvm::cl::values(
             clEnumValN(ProblemKind::Any, "any", "any problem"),
             clEnumValN(ProblemKind::FewTasks, "few-tasks",
                        "fewer query tiles than multiprocessors"),
             clEnumValN(ProblemKind::FewRounds, "few-rounds",
                        "few query tiles for each multiprocessor"),
             clEnumValN(ProblemKind::ShortRows, "short-rows",
                        "few key tiles for each query tile"))}]>
  ];
}

def AttnRecordSignaturesPass : Pass<"attn-record-signatures"> {
  let summary = "Keep the roles of kernels' arguments as an attribute";
  let description = [{
    Conversions to the llvm dialect make several arguments of one, and drop their
    attributes. Where all arguments of a function have an `attn.role`, they and the
    types become the function's `attn.signature`, from which a launch is filled.

    Example (test/Dialect/Attn/record-signatures.mlir):

    ```mlir
    gpu.func @layer(%q: memref<?x?x?x64xbf16> {attn.role = #attn.role<query>})
    ```

    becomes

    ```mlir
    gpu.func @layer(%q: memref<?x?x?x64xbf16>) attributes {
      attn.signature = #attn.signature<[<query>], [memref<?x?x?x64xbf16>]>}
    ```
  }];
}

def AttnPrintMaskAnalysisPass : Pass<"attn-print-mask-analysis", "::mlir::ModuleOp"> {
  let summary = "Print what is understood of each mask program";
  let description = [{
    To standard output: the pairs that the mask keeps and drops, as inequalities;
    what must not wrap for that; the tables whose bounds on each tile are needed;
    and whether a kernel computes the tiles it visits (bounds) or reads them from
    lists. With `queries` and `keys`, also the class of each tile of such a problem:
    `.` empty, `+` partial, `#` full, `?` known at run time only. Expects mods that
    stand alone (`attn-inline-mods`).

    Example (test/Analysis/mask-analysis.mlir): with `queries=200 keys=300`,

    ```mlir
    attn.mod @causal
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %keep = arith.cmpi sge, %q, %kv : i32
        attn.yield %keep : i1
      }
    ```

    prints

    ```
    mask of @causal
      keeps: q >= kv
      drops: kv >= q + 1
      tiles: bounds
      +....
      #+...
      ##+..
      ###+.
    ```
  }];
  let options = [
    Option<"queries", "queries", "int64_t", "0", "queries of the problem">,
    Option<"keys", "keys", "int64_t", "0", "keys of the problem">,
    Option<"queryTile", "q", "int64_t", "64", "queries of a tile">,
    Option<"keyTile", "kv", "int64_t", "64", "keys of a tile">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect"];
}

def AttnPrintScheduleCostsPass : Pass<"attn-print-schedule-costs", "::mlir::ModuleOp"> {
  let summary = "Print what the kernels of each schedule take of a GPU";
  let description = [{
    To standard output, a line for each kernel that an attention or its gradients have a
    schedule for, and for each variant: threads and shared memory of a block, and about how
    many registers of those that it has a thread that computes needs. Nothing is compiled for
    it (attn/Analysis/ScheduleCost.h): the bytes are exact, the registers an estimate.

    Example (test/Dialect/Attn/print-schedule-costs.mlir):

    ```mlir
    func.func @layer(%q: !t) -> !t {
      %o = attn.attention %q, %q, %q {schedule = #attn.schedule<
          tiling = <q = 128, kv = 64>, roles = <warps = 4>>} : (!t, !t, !t) -> !t
    ```

    prints, where `!t` has 128 channels of bf16,

    ```
    @layer: 128 threads, 69632 shared bytes, about 252 of 255 registers
    ```
  }];
}

#endif // ATTN_TRANSFORMS_PASSES_TD
