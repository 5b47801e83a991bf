#ifndef ATTN_CONVERSION_PASSES_TD
#define ATTN_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnToLinalgPass : Pass<"attn-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower attention to linalg on whole tensors: the oracle";
  let description = [{
    The definitions of `attn.attention` and `attn.attention_backward` written down
    step by step, with the whole score matrix: simple, slow, and independent of every
    other lowering. Expects that mods stand alone (`attn-inline-mods`), and have
    adjoint programs where gradients are asked for (`attn-differentiate`). So are
    `attn.merge`, and `attn.append`, which becomes loops over rows.

    Example (test/Conversion/AttnToLinalg/attn-to-linalg.mlir): an `attn.attention` becomes

    ```mlir
    %dot = linalg.generic ... ins(%q : ...)             // query . key, of the key's head
    %scores = linalg.generic ... ins(%dot : ...)        // scale, score and mask program
    %max = linalg.reduce ins(%scores : ...) dimensions = [3]
    %exp = linalg.generic ... ins(%scores, %max : ...)
    %sum = linalg.reduce ins(%exp : ...) dimensions = [3]
    %acc = linalg.generic ... ins(%scores, %exp : ...)  // weights . value
    %out = linalg.generic ... ins(%acc, %sum : ...)
    %lse = linalg.generic ... ins(%max, %sum : ...)
    ```
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"f64\"",
           "f64 or f32: the type in which everything but the mods, which are f32, is computed">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::memref::MemRefDialect", "::mlir::bufferization::BufferizationDialect"];
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

    An `attn.attention_backward` becomes two such kernels, `@layer_grad_query` and `@layer_grad_key`, with a
    `value_schedule` a third, `@layer_grad_value`; where `key_schedule` says `once`,
    `@layer_grad_start` comes first, and `@layer_grad_query` behind `@layer_grad_key`. For each
    sum of gradients of captures
    (attn/Conversion/CaptureSums.h) there are one or two more, `@layer_grad_pairs_0` or `@layer_grad_rows_0`, and
    `@layer_grad_sum_0`. These add
    to what is in the memory of the gradient. With a `capture_schedule`, which they need beside `once`, the loops over
    their tasks say (`mapping`) whether one is for a block or for a thread.

    With `shares` in the schedule the tasks are even shares of all visits, with `chunk` parts of those of a query tile,
    and a second kernel, `@layer_merge`, merges what these have made of parts of query tiles.

    A function that returns the results of one `attn.merge`, or of one `attn.append`, becomes a kernel without tiles:
    the loop over its tasks says (`mapping`) that each is for a thread, which does a piece of a row. The results of
    `attn.append` are the memory of the cache itself.

    A function that others call (`attn-outline-attentions`) stays as a declaration, whose
    arguments and results have roles and whose `attn.kernels` are what a call runs; the
    forward kernel of `@layer` is then `@layer_forward`.

    The kernel takes the operands, out and lse as memrefs with run-time sizes and
    strides; what each is for is its `attn.role`. docs/FlashForm.md has a whole kernel, annotated.

    Example (test/Conversion/AttnToFlash/attn-to-flash.mlir): with the schedule
    `<tiling = <q = 32, kv = 16>>`, `attn.attention %q, %k, %v` becomes

    ```mlir
    scf.forall (%b, %h, %t) in (%batches, %heads, %tiles) {
      %qt = tile.load %q[%b, %h, %q0] : ... -> tensor<32x64xbf16>
      scf.for %j = %c0 to %n step %c1 iter_args(...) {
        %kt = tile.load %k[%b, %hk, %kv0] : ... -> tensor<16x64xbf16>
        %s = linalg.contract ... ins(%qt, %kt : ...) ... -> tensor<32x16xf32>
        ... // the online softmax: weights %p
        %vt = tile.load %v[%b, %hk, %kv0] : ... -> tensor<16x80xbf16>
        %r = linalg.contract ... ins(%p, %vt : ...) ... -> tensor<32x80xf32>
      }
      tile.store %o, %out[%b, %h, %q0] : tensor<32x80xbf16>, ...
    }
    ```
  }];
  let options = [
    Option<"roundProbabilities", "round-probabilities", "bool", "true",
           "round the softmax weights to the element type before the second "
           "product, as matrix units want them">,
    Option<"listsForCalls", "lists-for-calls", "bool", "true",
           "kernels of functions that are called read lists of tiles where the mask's tiles "
           "are not one run; else they visit all between the first and the last">
  ];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mlir::math::MathDialect",
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::memref::MemRefDialect", "::mlir::gpu::GPUDialect",
    "::mlir::attn::tile::TileDialect",
    "::mlir::gpu::GPUDialect", "::mlir::vector::VectorDialect"];
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

    Example (test/Conversion/AttnToTileLists/attn-to-tile-lists.mlir): a function `@layer` of an
    attention within documents becomes

    ```mlir
    func.func @layer_query_parts(...)  // bounds of the documents in each tile of queries
    func.func @layer_key_parts(...)    // and of keys
    func.func @layer_classify(...)     // each tile: empty, partial or full
    func.func @layer_count(...)        // how many of a row are not empty
    func.func @layer_fill(...)         // and which
    ```
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

def HostToLoopsPass : Pass<"host-to-loops", "::mlir::ModuleOp"> {
  let summary = "Lower host code on tensors to loops on memory";
  let description = [{
    Host code is every function on tensors that is not a kernel: what stands around
    attentions. Its tensors become memory (one-shot bufferization; what is allocated is
    freed, but for results, which are the caller's), its `linalg` loops. Arguments and
    results are memory with strides of run time, the innermost 1, as those of kernels;
    where an operation wants other memory, it gets a copy. A public function does not
    write its arguments, and gets a C interface.

    Example (test/Conversion/HostToLoops/host-to-loops.mlir):

    ```mlir
    func.func @double(%x: tensor<?xf32>) -> tensor<?xf32> {
      %y = arith.addf %x, %x : tensor<?xf32>
      return %y : tensor<?xf32>
    }
    ```

    becomes

    ```mlir
    func.func @double(%x: memref<?xf32, strided<[1], offset: ?>>)
        -> memref<?xf32, strided<[1], offset: ?>> {
      %n = memref.dim %x, %c0 : ...
      %y = memref.alloc(%n) : memref<?xf32>
      scf.for %i = %c0 to %n step %c1 {
        ...
        memref.store %sum, %y[%i] : memref<?xf32>
      }
      ...
    }
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
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

    An `scf.forall` with a `mapping` has tasks in the order of its indices: for blocks
    (`#gpu.block<linear_dim_0>`, ...), or for threads (`#gpu.thread<linear_dim_0>`), whose
    loop has one dimension and no tiles. Where such a task has parallel loops
    (`scf.parallel` of one dimension, with sums or maxima), 8 adjacent threads do it: each
    has an eighth of the iterations, shuffles give all of them what these reduce to, and
    one writes. All tasks of a warp must take the same branches. A loop inside of one over
    blocks is for the block's warps (`#gpu.warp<linear_dim_0>`), as many as `key_warps`.

    Example (test/Conversion/FlashToGPU/flash-to-gpu.mlir):

    ```mlir
    func.func @layer(...) attributes {
        attn.kernel, attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>} {
      scf.forall (%b, %h, %t) in (2, %c4, %n) {
    ```

    becomes

    ```mlir
    gpu.module @layer_module {
      gpu.func @layer(...) kernel attributes {..., known_block_size = array<i32: 64, 1, 1>} {
        %id = gpu.block_id x
        ... // %b, %h and %t from it
    ```
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::vector::VectorDialect",
    "::mlir::attn::tile::TileDialect"];
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

    What loops and branches carry of a tile are the elements that a thread holds, of
    16-bit matrices words of two.

    Expects loads to be staged (`tile-stage-loads`) or tiles in rings
    (`tile-make-rings`).

    Example (test/Conversion/TileToNVVM/tile-to-nvvm.mlir): with a warp for 16 rows,

    ```mlir
    %e = linalg.generic ... ins(%c : tensor<16x16xf32>) ... { math.exp2 ... }
    %sum = linalg.reduce ins(%e : tensor<16x16xf32>) outs(%zeros : tensor<16xf32>)
      dimensions = [1] { arith.addf ... }
    ```

    becomes eight of

    ```mlir
    %e0 = math.exp2 %c0 : f32
    ```

    and for each of a thread's two rows, behind the sum of its own four elements,

    ```mlir
    %a = nvvm.shfl.sync bfly %all, %own, %c1_i32, %c31_i32 : f32 -> f32
    %pair = arith.addf %own, %a : f32
    %b = nvvm.shfl.sync bfly %all, %pair, %c2_i32, %c31_i32 : f32 -> f32
    %sum = arith.addf %pair, %b : f32
    ```
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def TensorMapsToNVVMPass : Pass<"tensor-maps-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Make tensor maps part of a kernel's constant parameters";
  let description = [{
    Parameters whose role in `attn.signature` is a tensor map become 128-byte
    parameters passed by value, whose address TMA takes.
    Expects kernels as LLVM functions (`convert-gpu-to-nvvm`), since before that
    nothing can say so.

    Example (test/Conversion/TileToNVVM/tensor-maps-to-nvvm.mlir): `%qm`, whose role is
    `<tensor_map of <query> rows 128>`, becomes

    ```mlir
    %qm: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}
    ```
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

    Example (test/Conversion/MathToPTX/math-to-ptx.mlir): `%y = math.exp %x : f32` becomes

    ```mlir
    %log2e = arith.constant 1.44269502 : f32
    %z = arith.mulf %x, %log2e : f32
    %y = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%z) : (f32) -> f32
    ```
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
    `@layer_tasks(args...) -> index` says how many there are: the attribute
    `attn.task_count` of the kernel names it. Tasks write disjoint memory and may
    run in any order, at once. Both functions get C interfaces. Mods, which no lowering reads any more, are erased.
    A call of the kernel, which runs all of it, becomes an `scf.parallel` loop over its tasks.

    Example (test/Conversion/FlashToTasks/flash-to-tasks.mlir):

    ```mlir
    func.func @layer(%out: memref<?x?x?xf32> {attn.role = #attn.role<out>})
        attributes {attn.kernel} {
      ...
      scf.forall (%i, %j, %k) in (%b, %h, %t) {
        memref.store %x, %out[%i, %j, %k] : memref<?x?x?xf32>
    ```

    becomes

    ```mlir
    func.func @layer(%out: ..., %task: index {attn.role = #attn.role<task>})
        attributes {attn.kernel, attn.task_count = @layer_tasks, llvm.emit_c_interface} {
      ...
      %k = arith.remui %task, %t : index
      %bh = arith.divui %task, %t : index
      %j = arith.remui %bh, %h : index
      %i = arith.divui %bh, %h : index
      memref.store %x, %out[%i, %j, %k] : memref<?x?x?xf32>
    ```

    and `@layer_tasks`, which returns `%b * %h * %t`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::scf::SCFDialect"];
}

def LinalgToMatrixUnitsPass : Pass<"linalg-to-matrix-units", "::mlir::func::FuncOp"> {
  let summary = "Lower matrix products of bf16 to a CPU's matrix unit";
  let description = [{
    A product as `linalg-to-micro-kernels` takes them, of two buffers that were made
    of bf16 and are read as f32, becomes loops over blocks of 32 x 32 elements of c,
    for which AMX's tiles of 16 rows of 64 bytes multiply what was bf16 and add up f32.
    Sizes are multiples of 16, and k of 32 where the left operand is stored as [k, m];
    else zeros stand behind it. The right operand is packed, pairs of rows side by side,
    and a left one that is stored as [k, m] is transposed, where it is made f32: for what
    a task reads in every step that is before the loop. What only a branch still reads as
    f32 (a product that is `tile.zero_safe`) becomes that there.

    Example (test/Conversion/LinalgToMatrixUnits/linalg-to-matrix-units.mlir): the product
    of a `memref<32x64xbf16>` and a `memref<64x32xbf16>`, both made f32, becomes

    ```mlir
    %sum = amx.tile_load %c[%m, %n] : memref<32x32xf32> into !amx.tile<16x16xf32>
    %x = amx.tile_load %a[%m, %c0] : memref<32x64xbf16> into !amx.tile<16x32xbf16>
    %y = amx.tile_load %pairs[%c0, %n2] : memref<32x64xbf16> into !amx.tile<16x32xbf16>
    %t = amx.tile_mulf %x, %y, %sum : !amx.tile<16x32xbf16>, !amx.tile<16x32xbf16>, !amx.tile<16x16xf32>
    ... // and three sums more, and the second half of k
    amx.tile_store %c[%m, %n], %t : memref<32x32xf32>, !amx.tile<16x16xf32>
    ```
  }];
  let dependentDialects = ["::mlir::amx::AMXDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
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

    Example (test/Conversion/LinalgToMicroKernels/linalg-to-micro-kernels.mlir): with `lanes=4`,
    the product of a `memref<7x5xf32>` and a `memref<5x20xf32>` becomes loops over blocks of 6
    rows and 8 columns,

    ```mlir
    %sum:6 = scf.for %k = %c0 to %c5 step %c1 iter_args(%s0 = %zero, ...) -> (vector<8xf32>, ...) {
      %row = vector.load %b[%k, %n] : memref<5x20xf32>, vector<8xf32>
      %x0 = memref.load %a[%m, %k] : memref<7x5xf32>
      %v0 = vector.broadcast %x0 : f32 to vector<8xf32>
      %t0 = vector.fma %v0, %row, %s0 : vector<8xf32>
      ... // and five rows more
    ```

    and what is left in both directions.
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

    Example (test/Conversion/LinalgToVectorLoops/linalg-to-vector-loops.mlir): with `width=4`,

    ```mlir
    linalg.generic {indexing_maps = [#row, #column, #all], ...}
        ins(%r, %c : memref<3xf32>, memref<8xf32>) outs(%x : memref<3x8xf32>) {
    ^bb0(%a: f32, %b: f32, %old: f32):
      %n = arith.negf %a : f32
      %s = arith.addf %old, %n : f32
      %t = arith.mulf %s, %b : f32
      linalg.yield %t : f32
    }
    ```

    becomes

    ```mlir
    scf.for %j = %c0 to %c8 step %c4 {
      scf.for %i = %c0 to %c3 step %c1 {
        %a = memref.load %r[%i] : memref<3xf32>
        %b = vector.load %c[%j] : memref<8xf32>, vector<4xf32>
        %old = vector.load %x[%i, %j] : memref<3x8xf32>, vector<4xf32>
        %n = arith.negf %a : f32
        %v = vector.broadcast %n : f32 to vector<4xf32>
        %s = arith.addf %old, %v : vector<4xf32>
        %t = arith.mulf %s, %b : vector<4xf32>
        vector.store %t, %x[%i, %j] : memref<3x8xf32>, vector<4xf32>
      }
    }
    ```
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

    Example (test/Conversion/ExpandMath/expand-math.mlir): with an exponent of 3,
    `%y = math.ipowi %x, %c3 : i32` becomes

    ```mlir
    %square = arith.muli %x, %x : i32
    %y = arith.muli %x, %square : i32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def AllowContractionPass : Pass<"allow-contraction"> {
  let summary = "Let targets fuse products and sums of floats";
  let description = [{
    Sets `contract` on every float operation of arith, but for those marked
    `attn.exact`, whose results must not depend on the target.

    Example (test/Conversion/ExpandMath/allow-contraction.mlir):

    ```mlir
    %a = arith.mulf %x, %y : f32
    %b = arith.addf %a, %y fastmath<nnan> : f32
    %c = arith.mulf %b, %y {attn.exact} : f32
    ```

    becomes

    ```mlir
    %a = arith.mulf %x, %y fastmath<contract> : f32
    %b = arith.addf %a, %y fastmath<nnan,contract> : f32
    %c = arith.mulf %b, %y : f32
    ```
  }];
}

def CheckLoweredPass : Pass<"check-lowered"> {
  let summary = "Name what a pipeline could not lower";
  let description = [{
    An operation of another dialect than llvm and nvvm is an error at its place in the
    user's file, and so is a call from a GPU's code to a function without a body.

    Example (test/Conversion/CheckLowered/check-lowered.mlir): of

    ```mlir
    llvm.func @left(%x: f64) -> f64 {
      %z = math.sin %x : f64
    ```

    it says `'math.sin' op cannot be lowered for this target`.
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
