#ifndef ATTN_OPS_TD
#define ATTN_OPS_TD

include "attn/Dialect/Attn/IR/AttnDialect.td"
include "attn/Dialect/Attn/IR/AttnAttrs.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, traits>;

def Attn_FloatTensor : RankedTensorOf<[BF16, F16, F32]>;
defvar Attn_CaptureElements = [F32, BF16, F16, I64, I32, I16, I8, I1];
def Attn_Capture : AnyTypeOf<
    !listconcat([RankedTensorOf<Attn_CaptureElements>], Attn_CaptureElements)>;

def Attn_ModOp : Attn_Op<"mod", [IsolatedFromAbove, Symbol,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "an attention variant: a score program and a mask program";
  let description = [{
    Either program may be absent: without `score` the score stays as it is,
    without `mask` every pair takes part. Both see the captured values, which are
    tensors (read with `attn.load`) or scalars. Captures are the leading
    arguments of each region, then `s` (score only), `b`, `h`, `q`, `kv`.

    A third program, `adjoint`, is the score program's derivative
    (attn-differentiate): from the score `s` and the gradient `g` of the score
    program's result it yields that of `s`, and adds to those of captures
    (`attn.accumulate`). It takes `g` after `s`. Without it the gradient of `s` is
    `g`.

    Captured integers are signless, as everywhere in MLIR: an operation says how
    it reads them. Unsigned bytes (torch.uint8, the API's U8) are an `i8` that
    the program widens with `arith.extui`, signed ones an `i8` that it widens
    with `arith.extsi`. In a kernel's memory an `i1` is a byte, true if it is not
    zero (torch.bool); tensors have strides known at run time, in any order and 0
    where elements are shared.

    Each capture may carry attributes. `attn.shape` and `attn.data` say how
    attn-bench makes the data (see configs/mods). A tensor has one entry of
    `attn.shape` for each dimension: a number, or an expression such as "keys" or
    "heads * (queries ceildiv 64)" of batch, heads, kv_heads, queries, keys,
    sequences and integers, with +, -, *, / (rounding down), ceildiv (rounding
    up) and parentheses. Its `attn.data` names an `attn.fill`, or a function
    which takes the table as a memref, then those six sizes as indices, and fills
    the table. A scalar's `attn.data` is its value, such an expression, or the
    name of an `attn.fill` without indices. `attn.fold_batch` on the mod says that
    a batch of sequences is run as one sequence.

    Example:

    ```mlir
    attn.mod @alibi(%slopes : tensor<?xf32>)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %m = attn.load %slopes[%h] : tensor<?xf32>
        %d = arith.subi %kv, %q : i32
        %f = arith.sitofp %d : i32 to f32
        %x = arith.mulf %f, %m : f32
        %t = arith.addf %s, %x : f32
        attn.yield %t : f32
      } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %keep = arith.cmpi sge, %q, %kv : i32
        attn.yield %keep : i1
      }
    ```

    Constraints:
    - C1: capture names are identifiers, distinct, and none is `s`, `b`, `h`, `q`
      or `kv`; a capture is an f32, bf16, f16, i64, i32, i16, i8 or i1, or a
      tensor of one of them.
    - C2: captures have the types which the op names, in both programs.
    - C3: the score program takes (f32, i32, i32, i32, i32) and yields f32.
    - C4: the mask program takes (i32, i32, i32, i32) and yields i1.
    - C5: a program holds `arith`, `math` and `attn` operations and `scf.if`,
      all of them free of side effects, on scalars: f16, bf16, f32, i1, i8, i16,
      i32, i64 and index; the adjoint program `attn.accumulate` as well.
    - C6: `attn.shape` and `attn.data` are as described above.
    - C7: mods do not apply each other in a circle.
    - C8: the adjoint program takes (f32, f32, i32, i32, i32, i32) and yields f32.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       StrArrayAttr:$capture_names,
                       TypeArrayAttr:$capture_types,
                       OptionalAttr<DictArrayAttr>:$capture_attrs);
  let regions = (region MaxSizedRegion<1>:$score, MaxSizedRegion<1>:$mask,
                        MaxSizedRegion<1>:$adjoint);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    bool hasScore() { return !getScore().empty(); }
    bool hasMask() { return !getMask().empty(); }
    bool hasAdjoint() { return !getAdjoint().empty(); }
    /// Whether neither program applies another mod.
    bool standsAlone();
    unsigned getNumCaptures() { return getCaptureTypes().size(); }
    /// The attributes of capture `i`; null if it has none.
    DictionaryAttr getCaptureAttrs(unsigned i);
  }];
}

def Attn_YieldOp : Attn_Op<"yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["ModOp", "FillOp"]>]> {
  let summary = "ends a program with its result";
  let arguments = (ins AnyTypeOf<Attn_CaptureElements>:$result);
  let assemblyFormat = "$result attr-dict `:` type($result)";
}

def Attn_FillOp : Attn_Op<"fill", [IsolatedFromAbove, Symbol, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "the data of a captured value, element by element";
  let description = [{
    What `attn.data` of a capture names. The region is evaluated once for each
    element, whose indices are its arguments: one for each dimension of the
    tensor, none for a scalar. `attn.size` gives the sizes of the problem.
    Elements do not see each other: data that is made in order takes a function
    (see attn.mod). `attn-fill-to-loops` makes such a function of the fill.

    Example:

    ```mlir
    attn.fill @slopes(%h: i32) {
      %heads = attn.size "heads" : i32
      %x = arith.sitofp %h : i32 to f32
      %n = arith.sitofp %heads : i32 to f32
      %slope = arith.divf %x, %n : f32
      attn.yield %slope : f32
    }
    ```

    Constraints:
    - C1: every argument is an i32.
    - C2: the region holds `arith`, `math` and `attn.size` operations, `scf.if`,
      `scf.for` and `scf.while`, all of them free of side effects, on scalars:
      those of a mod's programs, and f64.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The type of an element.
    Type getElementType();
  }];
}

def Attn_SizeOp : Attn_Op<"size", [Pure]> {
  let summary = "a size of the problem that data is made for";
  let description = [{
    An expression as in `attn.shape` (see attn.mod). One that divides by zero is
    an error where the bench makes the data.

    Example: `%tiles = attn.size "queries ceildiv 64" : i32`

    Constraints:
    - C1: it is inside of an `attn.fill`.
    - C2: the expression is one of sizes and integers.
  }];
  let arguments = (ins StrAttr:$expression);
  let results = (outs AnyTypeOf<[I32, I64, Index]>:$result);
  let assemblyFormat = "$expression attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Attn_LoadOp : Attn_Op<"load", [NoMemoryEffect,
    TypesMatchWith<"result type matches the table's element type", "table",
      "result", "::llvm::cast<RankedTensorType>($_self).getElementType()">]> {
  let summary = "reads one element of a captured tensor";
  let description = [{
    Reading out of bounds is undefined, so the operation is never speculated.

    Example: `%m = attn.load %slopes[%h] : tensor<?xf32>`

    Constraints:
    - C1: one i32 index for each dimension of the table.
    - C2: a constant index is inside a static dimension.
  }];
  let arguments = (ins AnyRankedTensor:$table, Variadic<I32>:$indices);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table)";
  let hasVerifier = 1;
}

def Attn_AccumulateOp : Attn_Op<"accumulate"> {
  let summary = "adds to the gradient of one element of a captured value";
  let description = [{
    `table` is a captured tensor of floats, or a captured float (without
    indices). Where `attn.load` clamps an index, so does this.

    Example: `attn.accumulate %slopes[%h], %x : tensor<?xf32>`

    Constraints:
    - C1: it is inside of the adjoint program of a mod.
    - C2: the table is a capture of floats.
    - C3: one index for each dimension of the table.
  }];
  let arguments = (ins Attn_Capture:$table, Variadic<I32>:$indices, F32:$value);
  let assemblyFormat = [{
    $table (`[` $indices^ `]`)? `,` $value attr-dict `:` type($table)
  }];
  let hasVerifier = 1;
}

class Attn_ApplyOp<string mnemonic, Type resultType> : Attn_Op<mnemonic,
    [NoMemoryEffect, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let results = (outs resultType:$result);
}

def Attn_ApplyScoreOp : Attn_ApplyOp<"apply_score", F32> {
  let summary = "the score program of another mod";
  let description = [{
    Yields `score` itself if that mod has no score program.

    Example:
    `%t = attn.apply_score @alibi(%slopes)[%s, %b, %h, %q, %kv] : tensor<?xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$mod, Variadic<Attn_Capture>:$captures,
                       F32:$score, I32:$b, I32:$h, I32:$q, I32:$kv);
  let assemblyFormat = [{
    $mod (`(` $captures^ `)`)? `` `[` $score `,` $b `,` $h `,` $q `,` $kv `]`
    attr-dict (`:` type($captures)^)?
  }];
}

def Attn_ApplyMaskOp : Attn_ApplyOp<"apply_mask", I1> {
  let summary = "the mask program of another mod";
  let description = [{
    Yields true if that mod has no mask program.

    Example: `%keep = attn.apply_mask @causal[%b, %h, %q, %kv]`
  }];
  let arguments = (ins FlatSymbolRefAttr:$mod, Variadic<Attn_Capture>:$captures,
                       I32:$b, I32:$h, I32:$q, I32:$kv);
  let assemblyFormat = [{
    $mod (`(` $captures^ `)`)? `` `[` $b `,` $h `,` $q `,` $kv `]`
    attr-dict (`:` type($captures)^)?
  }];
}

def Attn_AttentionOp : Attn_Op<"attention", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "scaled dot-product attention with a mod";
  let description = [{
    For batch b, query head h, query position q, key position kv, and
    hk = h / (Hq / Hkv):

        s(q,kv) = scale * dot(query[b,h,q,:], key[b,hk,kv,:])
        t(q,kv) = score program of s; s without one
        p(q,:)  = softmax over the kv that the mask program keeps
        out[b,h,q,:] = sum over kv of p(q,kv) * value[b,hk,kv,:]
        lse[b,h,q] = log sum exp t, natural logarithm

    A row whose mask is empty gives out = 0 and lse = -inf. `scale` defaults to
    1 / sqrt(head dimension). With a `query_offset`, a number or one for each batch,
    the mod sees q + query_offset[b] instead of q, as where the keys of earlier
    queries are in a cache; neither that nor its difference to a key's position may
    leave the i32. With `lengths` the keys of batch b are those before lengths[b]: none
    where it is negative, all where it is beyond the keys that there are. What lies in
    rows behind a length is without effect, be it NaN.

    With `cu_q` the queries of all sequences lie one behind another in a batch of one:
    sequence b has rows cu_q[b] to cu_q[b+1], which count from 0 for the mod; so has out,
    and lse. `cu_k` is the same for key and value. With one of the two the other tensors
    have a batch for each sequence. Starts are taken to be at least 0 and at most the
    tensor's length, a sequence that would end before it begins has no rows, and of rows
    that are in no sequence nothing is promised, nor of any where starts fall.

    With `pages` key and value are a heap of pages of any number of rows, of which each
    sequence has some: row kv of batch b is row kv % rows of page pages[b, kv / rows]. A
    sequence has as many keys as its entries have rows, or `lengths` of them. An entry
    that numbers no page has no keys. Entries behind a length are not read.

    Where it is `invariant`, the results of a sequence have the same bits whatever else is
    in the batch: how many sequences, and how many keys these have or have room for. Then
    no kernel is chosen by such numbers, nor is a query tile's work cut by them.

    A lowering makes a kernel of `schedule`, which reads captured
    tensors with an innermost stride of 1, or of any with `strided_captures`;
    `variants` are all that a launch may take.

    Example:

    ```mlir
    %o, %lse = attn.attention %q, %k, %v mod @alibi(%slopes) {scale = 0.125 : f32}
      : (tensor<2x8x?x64xbf16>, tensor<2x2x?x64xbf16>, tensor<2x2x?x128xbf16>,
         tensor<8xf32>) -> (tensor<2x8x?x128xbf16>, tensor<2x8x?xf32>)
    ```

    Constraints:
    - C1: query, key, value and out have rank 4 and one element type: bf16, f16
      or f32.
    - C2: query and key have the same static head dimension, 1 to 256; value and
      out have the same static value dimension, 1 to 256.
    - C3: batch sizes agree, but with starts; key and value agree in heads and length; out agrees
      with query in heads and length.
    - C4: the number of query heads is a multiple of the number of key heads.
    - C5: lse is an f32 tensor of query's batch, heads and length.
    - C6: `mod` names an `attn.mod` whose captures have the operands' types.
    - C7: query_offset is an i32, or a tensor of one for each sequence: query's batch, or
      where there are starts one less than they are.
    - C8: `variants` have one schedule each.
    - C9: with cu_q, query has a batch of one; with cu_k, key. There is at least one
      start. With one of them, the other tensor's batch size is the number of sequences;
      with both they are as many.
    - C10: with cu_q, `schedule` and `variants` do not `pack`; with starts they have no
      `shares` and no `chunk`.
    - C11: lengths are an i32 for each sequence.
    - C12: pages are an i32 matrix with a row for each sequence; with them the batch size
      of key and value is the number of pages, and their length that of one; without cu_k.
    - C13: where it is `invariant`, `schedule` and `variants` have no `shares`, with cu_q no
      producers, and guards of variants ask for nothing but packed_rows and memory.
  }];
  let arguments = (ins Attn_FloatTensor:$query, Attn_FloatTensor:$key,
                       Attn_FloatTensor:$value,
                       Variadic<Attn_Capture>:$captures,
                       Optional<AnyTypeOf<[I32, 1DTensorOf<[I32]>]>>:$query_offset,
                       Optional<1DTensorOf<[I32]>>:$cu_q,
                       Optional<1DTensorOf<[I32]>>:$cu_k,
                       Optional<1DTensorOf<[I32]>>:$lengths,
                       Optional<2DTensorOf<[I32]>>:$pages,
                       OptionalAttr<FlatSymbolRefAttr>:$mod,
                       OptionalAttr<F32Attr>:$scale,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule,
                       OptionalAttr<Attn_VariantsAttr>:$variants,
                       UnitAttr:$strided_captures,
                       UnitAttr:$invariant);
  let results = (outs Attn_FloatTensor:$out, Optional<RankedTensorOf<[F32]>>:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mod` $mod^ (`(` $captures^ `)`)?)?
    (`query_offset` `(` $query_offset^ `)`)?
    (`cu_q` `(` $cu_q^ `)`)? (`cu_k` `(` $cu_k^ `)`)?
    (`lengths` `(` $lengths^ `)`)? (`pages` `(` $pages^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// `scale`, or 1 / sqrt(head dimension).
    float getScaleValue();
    int64_t getHeadDim() { return ::llvm::cast<RankedTensorType>(getQuery().getType()).getDimSize(3); }
    int64_t getValueDim() { return ::llvm::cast<RankedTensorType>(getValue().getType()).getDimSize(3); }
    Type getElementType() { return ::llvm::cast<RankedTensorType>(getQuery().getType()).getElementType(); }
    /// The mod that `mod` names; null without one.
    ModOp lookupMod();
  }];
}

def Attn_AttentionBackwardOp : Attn_Op<"attention_backward", [Pure,
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the gradients of an attention";
  let description = [{
    Of the results `out` and `lse` of `attn.attention` with the same operands, for
    the gradients `grad_out`, and `grad_lse` where lse is used:

        delta[q]  = sum over d of out[q,d] * grad_out[q,d], less grad_lse[q]
        p(q,kv)   = exp(t - lse[q]) where the mask keeps, else 0
        g(q,kv)   = p * (grad_out[q] . value[kv] - delta[q])
        ds(q,kv)  = adjoint program of s and g; g without a score program
        grad_query[q]   = scale * sum over kv of ds * key[kv]
        grad_key[kv]    = scale * sum over q and the heads of a group of ds * query[q]
        grad_value[kv]  = sum over q and the heads of a group of p * grad_out[q]

    and for each capture that `wrt` numbers, the sum of what the adjoint program adds
    to it. Rows without keys and keys that nobody sees have gradients of zero.

    A lowering makes two kernels: one of `schedule`, whose tasks own queries, for
    grad_query, and one of `key_schedule`, whose tasks own keys, for the other two.
    With a `value_schedule` there is a third, for grad_value: what two accumulators need
    of registers may not be there. Where `key_schedule` says `once`, its kernel makes all
    three, and `schedule` is that of two small ones around it, which go over queries.
    Those of queries are then added up in memory, in no order; where results must have the
    same bits on every run, the operation is `deterministic`.

    With a `capture_schedule` what is summed for captures has kernels of its own, whose
    tasks own queries, or keys in tiles of the other size. Without it those kernels sum
    what they can on their way; one that says `once` can not.

    `strided_captures` and `variants` are as those of `attn.attention`; a variant has all
    of these schedules.

    Example:

    ```mlir
    %dq, %dk, %dv, %dslopes = attn.attention_backward %q, %k, %v, %o, %lse, %do
      mod @alibi(%slopes) {wrt = array<i64: 0>}
      : (!q, !k, !k, !q, !lse, !q, tensor<8xf32>) -> (!q, !k, !k, tensor<8xf32>)
    ```

    Constraints:
    - C1: query, key, value and out are as those of `attn.attention` (C1 to C4
      there), grad_out has the type of out.
    - C2: lse and grad_lse are f32 tensors of query's batch, heads and length.
    - C3: `mod`, query_offset and lengths are as there (C6, C7, C9).
    - C4: grad_query, grad_key and grad_value have the types of query, key and value.
    - C5: `wrt` numbers captures of floats, ascending; for each there is a result,
      an f32 or a tensor of f32 of the capture's shape.
    - C6: `schedule` and `capture_schedule` own queries, which are not `pack`, the other
      two own keys; no task is one of `shares` or a `chunk`.
    - C7: `once` is for `key_schedule`, without a `value_schedule`, with a `schedule`
      without producers, and not where `deterministic`.
    - C8: `capture_schedule` has no producers.
    - C9: `variants` have a key_schedule, and what they have satisfies C6 to C8.
  }];
  let arguments = (ins Attn_FloatTensor:$query, Attn_FloatTensor:$key,
                       Attn_FloatTensor:$value, Attn_FloatTensor:$out,
                       RankedTensorOf<[F32]>:$lse, Attn_FloatTensor:$grad_out,
                       Optional<RankedTensorOf<[F32]>>:$grad_lse,
                       Variadic<Attn_Capture>:$captures,
                       Optional<AnyTypeOf<[I32, 1DTensorOf<[I32]>]>>:$query_offset,
                       Optional<1DTensorOf<[I32]>>:$lengths,
                       OptionalAttr<FlatSymbolRefAttr>:$mod,
                       OptionalAttr<F32Attr>:$scale,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$wrt,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule,
                       OptionalAttr<Attn_ScheduleAttr>:$key_schedule,
                       OptionalAttr<Attn_ScheduleAttr>:$value_schedule,
                       OptionalAttr<Attn_ScheduleAttr>:$capture_schedule,
                       OptionalAttr<Attn_VariantsAttr>:$variants,
                       UnitAttr:$strided_captures,
                       UnitAttr:$deterministic);
  let results = (outs Attn_FloatTensor:$grad_query, Attn_FloatTensor:$grad_key,
                      Attn_FloatTensor:$grad_value,
                      Variadic<AnyTypeOf<[F32, RankedTensorOf<[F32]>]>>:$grad_captures);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $out `,` $lse `,` $grad_out
    (`grad_lse` `(` $grad_lse^ `)`)?
    (`mod` $mod^ (`(` $captures^ `)`)?)?
    (`query_offset` `(` $query_offset^ `)`)?
    (`lengths` `(` $lengths^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// `scale`, or 1 / sqrt(head dimension).
    float getScaleValue();
    int64_t getHeadDim() { return ::llvm::cast<RankedTensorType>(getQuery().getType()).getDimSize(3); }
    int64_t getValueDim() { return ::llvm::cast<RankedTensorType>(getValue().getType()).getDimSize(3); }
    Type getElementType() { return ::llvm::cast<RankedTensorType>(getQuery().getType()).getElementType(); }
    /// The mod that `mod` names; null without one.
    ModOp lookupMod();
  }];
}

def Attn_MergeOp : Attn_Op<"merge", [Pure, AttrSizedOperandSegments]> {
  let summary = "attention over keys in several parts, from that over each part";
  let description = [{
    Each part is the out and the LSE (natural logarithm) of the same queries, over keys
    that no other part has:

        lse = log sum over parts of exp(lse_i)
        out = sum over parts of exp(lse_i - lse) * out_i

    in f32. So caches are merged that sequences share in part, keys that lie on several
    GPUs, and attention sinks: `sink` is a part without values, an LSE for each head,
    whose out is 0. Of the parts the first `count` are merged, none where it is negative,
    all where there are not so many, or without a count.

    A row of a part whose LSE is -inf has no keys: it adds nothing, be its out NaN. Where
    no part has keys, out is 0 and lse is -inf, as everywhere. An LSE tells how much a part
    weighs as exactly as f32 can: beside 1e9 the spacing is 64, and parts weigh alike.

    Example:

    ```mlir
    %o, %lse = attn.merge(%o0, %o1) lses(%lse0, %lse1) sink(%sink)
      : (tensor<2x8x?x64xbf16>, tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>,
         tensor<2x8x?xf32>, tensor<8xf32>) -> (tensor<2x8x?x64xbf16>, tensor<2x8x?xf32>)
    ```

    Constraints:
    - C1: there are 1 to 16 parts, and as many LSEs.
    - C2: the outs of parts and of the result have rank 4, one element type, and the same
      static channel dimension, 1 to 256; they agree in batch, heads and length.
    - C3: LSEs are f32 tensors of their batch, heads and length.
    - C4: the sink has an element for each head.
  }];
  let arguments = (ins Variadic<Attn_FloatTensor>:$outs,
                       Variadic<RankedTensorOf<[F32]>>:$lses,
                       Optional<I32>:$count,
                       Optional<1DTensorOf<[F32]>>:$sink);
  let results = (outs Attn_FloatTensor:$out, Optional<RankedTensorOf<[F32]>>:$lse);
  let assemblyFormat = [{
    `(` $outs `)` `lses` `(` $lses `)` (`count` `(` $count^ `)`)?
    (`sink` `(` $sink^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t mostParts = 16;
    int64_t getValueDim() { return ::llvm::cast<RankedTensorType>(getOut().getType()).getDimSize(3); }
    Type getElementType() { return ::llvm::cast<RankedTensorType>(getOut().getType()).getElementType(); }
  }];
}

def Attn_AppendOp : Attn_Op<"append", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["key", "out_key"]>, AllTypesMatch<["value", "out_value"]>]> {
  let summary = "new rows behind the keys and values that a cache has";
  let description = [{
    Sequence b has lengths[b] keys in the cache (`key` and `value`), none where that is
    negative. Row i of its new rows becomes row lengths[b] + i; results are the cache with
    these. A row behind the room that there is for the sequence is not written.

    The new rows of a sequence are those of its batch; with `starts` all lie one behind
    another in a batch of one, those of sequence b from starts[b] to before starts[b+1],
    as with cu_k of `attn.attention`, where `pages` are described as well: with them row
    kv is row kv % rows of page pages[b, kv / rows]. An entry that numbers no page takes
    no rows, and other entries than those of new rows are not read. What two sequences
    write to one row is not defined.

    A lowering writes to the memory of the cache itself.

    Example:

    ```mlir
    %k1, %v1 = attn.append %k, %v to %k0, %v0 lengths(%lengths) pages(%table)
      : (tensor<4x2x1x64xbf16>, tensor<4x2x1x64xbf16>, tensor<99x2x16x64xbf16>,
         tensor<99x2x16x64xbf16>, tensor<4xi32>, tensor<4x20xi32>)
      -> (tensor<99x2x16x64xbf16>, tensor<99x2x16x64xbf16>)
    ```

    Constraints:
    - C1: new rows and cache have rank 4 and one element type: bf16, f16 or f32.
    - C2: keys have the same static head dimension, values the same static value
      dimension, 1 to 256; all have the same heads; key and value agree in batch and length,
      of the new rows and of the cache.
    - C3: lengths are an i32 for each sequence: batch of the new rows, or one less than there
      are starts.
    - C4: without pages, the batch of the cache is the number of sequences; pages are an i32
      matrix with a row for each.
    - C5: with starts, the new rows have a batch of one; there is at least one start.
  }];
  let arguments = (ins Attn_FloatTensor:$new_key, Attn_FloatTensor:$new_value,
                       Attn_FloatTensor:$key, Attn_FloatTensor:$value,
                       1DTensorOf<[I32]>:$lengths,
                       Optional<1DTensorOf<[I32]>>:$starts,
                       Optional<2DTensorOf<[I32]>>:$pages);
  let results = (outs Attn_FloatTensor:$out_key, Attn_FloatTensor:$out_value);
  let assemblyFormat = [{
    $new_key `,` $new_value `to` $key `,` $value `lengths` `(` $lengths `)`
    (`starts` `(` $starts^ `)`)? (`pages` `(` $pages^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_OPS_TD
