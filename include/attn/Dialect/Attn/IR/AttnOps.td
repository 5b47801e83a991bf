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
def Attn_Capture : AnyTypeOf<[RankedTensorOf<[F32, BF16, F16, I32, I1]>, F32, I32]>;

def Attn_ModOp : Attn_Op<"mod", [IsolatedFromAbove, Symbol,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "an attention variant: a score program and a mask program";
  let description = [{
    Either program may be absent: without `score` the score stays as it is,
    without `mask` every pair takes part. Both see the captured values, which are
    tensors (read with `attn.load`) or scalars. Captures are the leading
    arguments of each region, then `s` (score only), `b`, `h`, `q`, `kv`.

    Each capture may carry attributes. `attn.shape` and `attn.data` say how
    attn-bench makes the data (see configs/mods): a tensor has one entry of
    `attn.shape` for each dimension, a number or one of "batch", "heads",
    "kv_heads", "queries", "keys", "sequences", and its `attn.data` names a
    function which takes the table as a memref, then those six sizes as indices,
    and fills the table; a scalar's `attn.data` is its value. `attn.fold_batch`
    on the mod says that a batch of sequences is run as one sequence.

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
      or `kv`; a capture is a tensor of f32, bf16, f16, i32 or i1, an f32 or an
      i32.
    - C2: captures have the types which the op names, in both programs.
    - C3: the score program takes (f32, i32, i32, i32, i32) and yields f32.
    - C4: the mask program takes (i32, i32, i32, i32) and yields i1.
    - C5: a program holds `arith`, `math` and `attn` operations and `scf.if`,
      all of them free of side effects, on scalars: f16, bf16, f32, i1, i32, i64
      and index.
    - C6: `attn.shape` and `attn.data` are as described above.
    - C7: mods do not apply each other in a circle.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       StrArrayAttr:$capture_names,
                       TypeArrayAttr:$capture_types,
                       OptionalAttr<DictArrayAttr>:$capture_attrs);
  let regions = (region MaxSizedRegion<1>:$score, MaxSizedRegion<1>:$mask);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    bool hasScore() { return !getScore().empty(); }
    bool hasMask() { return !getMask().empty(); }
    /// Whether neither program applies another mod.
    bool standsAlone();
    unsigned getNumCaptures() { return getCaptureTypes().size(); }
    /// The attributes of capture `i`; null if it has none.
    DictionaryAttr getCaptureAttrs(unsigned i);
  }];
}

def Attn_YieldOp : Attn_Op<"yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["ModOp"]>]> {
  let summary = "ends a program with its result";
  let arguments = (ins AnyTypeOf<[F32, I1]>:$result);
  let assemblyFormat = "$result attr-dict `:` type($result)";
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

def Attn_AttentionOp : Attn_Op<"attention", [Pure,
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
    1 / sqrt(head dimension).

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
    - C3: batch sizes agree; key and value agree in heads and length; out agrees
      with query in heads and length.
    - C4: the number of query heads is a multiple of the number of key heads.
    - C5: lse is an f32 tensor of query's batch, heads and length.
    - C6: `mod` names an `attn.mod` whose captures have the operands' types.
  }];
  let arguments = (ins Attn_FloatTensor:$query, Attn_FloatTensor:$key,
                       Attn_FloatTensor:$value,
                       Variadic<Attn_Capture>:$captures,
                       OptionalAttr<FlatSymbolRefAttr>:$mod,
                       OptionalAttr<F32Attr>:$scale,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs Attn_FloatTensor:$out, Optional<RankedTensorOf<[F32]>>:$lse);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`mod` $mod^ (`(` $captures^ `)`)?)?
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

#endif // ATTN_OPS_TD
