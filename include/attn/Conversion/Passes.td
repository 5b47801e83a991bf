#ifndef ATTN_CONVERSION_PASSES_TD
#define ATTN_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnToLinalgPass : Pass<"attn-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower attention to linalg on whole tensors: the oracle";
  let description = [{
    The definition of `attn.attention` written down step by step, with the whole
    score matrix: simple, slow, and independent of every other lowering.
    Expects that mods stand alone (`attn-inline-mods`).
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"f64\"",
           "f64 or f32: the type in which everything but the mods, which are f32, is computed">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def AttnToFlashPass : Pass<"attn-to-flash", "::mlir::ModuleOp"> {
  let summary = "Lower attention to its flash form";
  let description = [{
    Turns a function that returns the results of one `attn.attention` of its
    arguments into a kernel on strided memory: an `scf.forall` over query tiles,
    heads and batches, inside it an `scf.for` over the key tiles which the mask
    can keep, with an online softmax on tile tensors. The score matrix never
    exists. Expects a schedule (`attn-select-schedule`) and mods that stand alone
    (`attn-inline-mods`).

    The kernel takes the operands, out and lse as memrefs with run-time sizes and
    strides; what each is for is its `attn.role`. docs/FlashForm.md has an annotated
    example.
  }];
  let options = [
    Option<"roundProbabilities", "round-probabilities", "bool", "true",
           "round the softmax weights to the element type before the second "
           "product, as matrix units want them">,
    Option<"stridedCaptures", "strided-captures", "bool", "false",
           "captured tensors have any innermost stride, else 1">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tile::TileDialect"];
}

def AttnToTileListsPass : Pass<"attn-to-tile-lists", "::mlir::ModuleOp"> {
  let summary = "Lower attention to the functions that find the tiles it visits";
  let description = [{
    Replaces a function of one `attn.attention` by the functions of
    attn/Conversion/TileLists.h, which a kernel whose tiles are not one run needs
    before it: bounds of what the mask reads on each tile, the class of each tile,
    and the lists. Their cost grows with the number of tiles; only a tile that
    intervals do not decide is evaluated pair by pair.

    Without `warps` each function is a kernel in flash form, whose tasks are for
    one thread (`flash-to-tasks`); with it a GPU kernel in the module
    `@tile_lists`, in which a warp does one task. Expects a schedule
    (`attn-select-schedule`) and mods that stand alone (`attn-inline-mods`).
  }];
  let options = [
    Option<"warps", "warps", "bool", "false", "GPU kernels, a warp for each task">,
    Option<"functions", "functions", "std::string", "\"lists\"",
           "which ones: lists, transposed or pairs">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

def FlashToGPUPass : Pass<"flash-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Give each task of a flash form kernel to a GPU thread block";
  let description = [{
    Moves every kernel in flash form into a `gpu.module`: one block of the grid
    (x only, batch * heads * query tiles of them) for each iteration of its
    `scf.forall`, with 32 threads for each warp of the schedule. Heads whose keys and
    values fit the L2 cache come together, the longest rows of all of them first.

    With `persistent` in the schedule the blocks are at most as many, and each does
    one task after another (`tile.tasks`): the kernel gets a pointer to their counter
    as a parameter with the role `counter`.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::tile::TileDialect"];
}

def TileToNVVMPass : Pass<"tile-to-nvvm", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Deal tiles to threads, for sm_80 and newer";
  let description = [{
    Replaces each tile tensor by the elements which one thread holds, in the
    accumulator layout of mma.sync: warps own runs of rows, and a thread owns two
    rows of each 16 x 8 block. Products become ldmatrix and mma.sync (bf16, f16:
    m16n8k16; f32: three m16n8k8 tf32 products, which keep f32's accuracy),
    elementwise work is repeated for each element, row reductions finish with
    shuffles within a quad, `tile.copy` becomes cp.async. Products on tiles in rings
    become wgmma, with the same layout in registers; rings become barriers with
    transactions and bulk tensor copies.

    Expects loads to be staged (`tile-stage-loads`) or tiles in rings
    (`tile-make-rings`).
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::vector::VectorDialect"];
}

def TensorMapsToNVVMPass : Pass<"tensor-maps-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Make tensor maps part of a kernel's constant parameters";
  let description = [{
    Parameters whose role in `attn.signature` is a tensor map become 128-byte
    parameters passed by value, whose address the copy engine takes.
    Expects kernels as LLVM functions (`convert-gpu-to-nvvm`), since before that
    nothing can say so.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def MathToPTXPass : Pass<"math-to-ptx", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lower scalar f32 math to PTX's own instructions";
  let description = [{
    exp2, exp, log2, log and rsqrt become approximate instructions with an error of a
    few units in the last place. So does tanh, with a relative error of 2^-11, and
    division becomes a multiplication by the reciprocal (of a constant) or
    div.full; `exact` keeps tanh and division at f32's accuracy. Everything else, and
    what is marked `attn.exact`, is expanded into the arithmetic of `expand-math`.
    No library of device functions is needed.
  }];
  let options = [
    Option<"exact", "exact", "bool", "false",
           "f32 accuracy: IEEE division, no tanh.approx">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

def FlashToTasksPass : Pass<"flash-to-tasks", "::mlir::ModuleOp"> {
  let summary = "Split a kernel in flash form into tasks for a thread pool";
  let description = [{
    Replaces the `scf.forall` of each function marked `attn.kernel` by one task:
    `@layer(args...)` becomes `@layer(args..., %task: index)`, which does the
    iteration with that number (the last dimension varies fastest), and
    `@layer_tasks(args...) -> index` says how many there are. Tasks write disjoint
    memory and may run in any order, at once. Both functions get C interfaces.
    Mods, which no lowering reads any more, are erased.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::scf::SCFDialect"];
}

def LinalgToMicroKernelsPass : Pass<"linalg-to-micro-kernels", "::mlir::func::FuncOp"> {
  let summary = "Lower matrix products on buffers to register-tiled kernels";
  let description = [{
    A product `c[m, n] += a[m, k] * b[k, n]` of f32 buffers of static shape, with n
    innermost in b and c (a may be stored either way), becomes a kernel that
    holds a block of c in vector registers: scalars of a are broadcast, vectors of b
    are loaded. A fill of c with zero just before is folded into it. A product
    marked `tile.zero_safe` skips the terms whose `b` is zero. Other products are left to
    `linalg-to-vector-loops`.
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", "8", "f32 elements of a vector register">,
    Option<"registers", "registers", "int64_t", "16", "number of vector registers">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def LinalgToVectorLoopsPass : Pass<"linalg-to-vector-loops", "::mlir::func::FuncOp"> {
  let summary = "Lower linalg.generic on buffers to loops over vectors";
  let description = [{
    Loops over all dimensions; the innermost dimension of the output advances by a
    vector, and what does not depend on it stays scalar. Reductions keep their
    vector in registers. Loads from tables that depend on the vectorised dimension
    become one load for each lane; a body with `scf.if` around such a load is lowered
    with scalars, since it must not be executed speculatively.
  }];
  let options = [
    Option<"width", "width", "int64_t", "16", "f32 elements that one step handles">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ExpandMathPass : Pass<"expand-math", "::mlir::func::FuncOp"> {
  let summary = "Expand elementary functions on f32 into arithmetic";
  let description = [{
    Functions of f32 (vectors or scalars) become formulas of additions, products,
    fused products and bits, so that they stay vectors, and have the same bits
    wherever they are computed: the GPU's lowering (`math-to-ptx`) uses the same ones.
    docs/Mods.md has their errors. `math.exp2` makes results below 2^-125 0. So are
    powers of integers. f64 is left to the library of the system.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def AllowContractionPass : Pass<"allow-contraction"> {
  let summary = "Let targets fuse products and sums of floats";
  let description = [{
    Sets `contract` on every float operation of arith, but for those marked
    `attn.exact`, whose results must not depend on the target.
  }];
}

def CheckLoweredPass : Pass<"check-lowered"> {
  let summary = "Name what a pipeline could not lower";
  let description = [{
    An operation of another dialect than llvm and nvvm is an error at its place in the
    user's file, and so is a call from a GPU's code to a function without a body.
  }];
}

def BF16ToI16Pass : Pass<"bf16-to-i16"> {
  let summary = "Move numbers of bf16 as i16";
  let description = [{
    Replaces the type bf16 by i16, everywhere, where it is only moved: loads, stores,
    constants, selections, arguments. Expects conversions in integer arithmetic
    (`arith-expand`) and everything else in f32 (`arith-emulate-unsupported-floats`,
    `math-extend-to-supported-types`). For CPUs: LLVM's X86 back end has no answer to
    vectors of some lengths where the CPU has instructions for bf16.

    Example (test/Conversion/BF16ToI16/bf16-to-i16.mlir):

    ```mlir
    %x = vector.load %a[%i] : memref<?xbf16>, vector<9xbf16>
    %y = arith.bitcast %x : vector<9xbf16> to vector<9xi16>
    ```

    becomes

    ```mlir
    %x = vector.load %a[%i] : memref<?xi16>, vector<9xi16>
    %y = arith.bitcast %x : vector<9xi16> to vector<9xi16>
    ```
  }];
}

#endif // ATTN_CONVERSION_PASSES_TD
