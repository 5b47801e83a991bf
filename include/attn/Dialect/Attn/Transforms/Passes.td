#ifndef ATTN_TRANSFORMS_PASSES_TD
#define ATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

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

def AttnSelectSchedulePass : Pass<"attn-select-schedule", "::mlir::ModuleOp"> {
  let summary = "Write the schedule of every attention that has none";
  let description = [{
    The only heuristic: tile sizes, warps and stages from the target, the element
    type and the head dimensions. An attention with a schedule keeps it.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "cpu, sm80 or sm90a">,
    Option<"aligned", "aligned", "bool", "true",
           "whether rows start at multiples of 16 bytes">
  ];
}

#endif // ATTN_TRANSFORMS_PASSES_TD
