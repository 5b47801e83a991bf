// Passes of kernels whose warps have roles: tasks, rings, who does what, and
// products that run beside other work. Passes.td includes this.
#ifndef TILE_TRANSFORMS_ROLE_PASSES_TD
#define TILE_TRANSFORMS_ROLE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileTaskNumbersPass : Pass<"tile-task-numbers", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Compute what follows from a task's number apart from the task";
  let description = [{
    Numbers that follow from the number of a task (`tile.tasks`) alone, and are used by more
    than their like, move to the task's region `numbers`: where its rows are, which tiles
    it visits, what it reads once. One role can compute that region for all. Casts stay
    where they are; so does what is beyond the number of places that there are for
    numbers, and everything where the producer has too few registers to compute (12 warps).

    Expects kernels on a GPU (`flash-to-gpu`) with producers in their schedule.

    Example:

    ```mlir
    tile.tasks %count from %counter {
    ^bb0(%task: i32):
      %row = arith.muli %task, %c128 : i32
      "use"(%row) : (i32) -> ()
    } : !llvm.ptr<1>
    ```
    becomes
    ```mlir
    tile.tasks %count from %counter numbers {
    ^bb0(%task: i32):
      %row = arith.muli %task, %c128 : i32
      tile.yield %row : i32
    } do {
    ^bb0(%task: i32, %row: i32):
      "use"(%row) : (i32) -> ()
    } : !llvm.ptr<1>
    ```
  }];
  let dependentDialects = ["::mlir::attn::tile::TileDialect"];
}

def TileMakeRingsPass : Pass<"tile-make-rings", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Let tiles that are loaded come through rings of shared memory";
  let description = [{
    Each `tile.load` of a task, or of a loop over tiles in it, becomes a ring (`tile.ring`)
    that is filled where the load was, read there, and released behind the tile's last
    use; but what a task loads for elementwise work alone stays, and each thread loads its
    own elements. Of tiles that a task loads once there are as many places as the schedule has
    `task_stages`, of others as it has `stages`; where it is `eager`, one more but for what a
    step needs first, which is filled `ahead`. Tiles are counted over all tasks of a block:
    `tile.tasks` gets the arguments, and yields how many its loops have visited. A loop may
    be in another one of a task, which then carries the count.

    Each memory that a matrix is loaded from gets a parameter with its tensor map, whose role
    names the memory's role and the rows of a box.

    Expects kernels on a GPU (`flash-to-gpu`) with producers in their schedule.

    Example: in a loop from `%low`,

    ```mlir
    %t = tile.load %k[%j] : memref<?x64xbf16> -> tensor<64x64xbf16>
    "use"(%t) : (tensor<64x64xbf16>) -> ()
    ```
    becomes, at the position `%j - %low` as an i32, after those of earlier tasks,
    ```mlir
    tile.fill %ring at %n from %map[%j] : !tile.ring<2 x tensor<64x64xbf16>>
    %t = tile.read %ring at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
    "use"(%t) : (tensor<64x64xbf16, #tile.slot>) -> ()
    tile.release %ring at %n : !tile.ring<2 x tensor<64x64xbf16>>
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::attn::tile::TileDialect"];
}

def TileInspectApartPass : Pass<"tile-inspect-apart", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Have the question whether a tile is finite answered by somebody else";
  let description = [{
    What `tile.has_nonfinite` asks about a ring's tile in a loop is found beside, where
    somebody asks, and sent through a ring of as many stages (`tile.send ... about`). Who
    asked receives it.

    Expects tiles in rings (`tile-make-rings`).

    Example: the branch's question

    ```mlir
    %dirty = scf.if %partial -> i1 {
      %x = tile.has_nonfinite %t : tensor<64x64xbf16, #tile.slot>
      scf.yield %x : i1
    } else { ... }
    ```
    becomes `tile.receive [0] of %answers at %n about %t`, and before the branch is
    ```mlir
    %answer = scf.if %partial -> i1 {
      %x = tile.has_nonfinite %t : tensor<64x64xbf16, #tile.slot>
      scf.yield %x : i1
    } else {
      scf.yield %false : i1
    }
    tile.send %answer : i1 about %t : tensor<64x64xbf16> into %answers at %n : !tile.ring<2 x tensor<1xi64>>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::attn::tile::TileDialect"];
}

def TileDrainOutputPass : Pass<"tile-drain-output", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Store the output by TMA, through the queries' place";
  let description = [{
    Where the schedule says `drain`: the matrix that a task stores last goes to the place
    of the first tile that it loaded once (`tile.drain`), and from there to memory, by a
    tensor map of its own. The place is released when TMA has read it; where
    the schedule is `eager`, so that there is a second place, only when the next task's
    loop begins.

    Expects tiles in rings (`tile-make-rings`).

    Example: `tile.store %t, %out[%row] : tensor<128x64xbf16>, memref<?x64xbf16>` becomes

    ```mlir
    tile.drain %t through %q at %n to %map[%row] : tensor<128x64xbf16>, !tile.ring<1 x tensor<128x64xbf16>>
    tile.await_drain
    tile.release %q at %n : !tile.ring<1 x tensor<128x64xbf16>>
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::attn::tile::TileDialect"];
}

def TileGiveRolesPass : Pass<"tile-give-roles", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Part a kernel into what computes and what brings its tiles";
  let description = [{
    From the first use of a ring on the kernel becomes `tile.roles`: those who compute have
    all of it but what fills rings, or is sent about tiles. The producer has the same loops,
    and of their bodies what fills rings, with what that needs: lists of tiles included.
    What is filled `ahead` it fills a step early. Of what a loop carries each role has the
    numbers (i32), which it counts for itself. Where something is sent about tiles, one
    warp inspects: it has that, and reads and releases those tiles.

    Expects tiles in rings (`tile-make-rings`).

    Example: of the loop that `tile-make-rings` shows,

    ```mlir
    tile.roles compute {
      scf.for ... {
        %t = tile.read %ring at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
        "use"(%t) : (tensor<64x64xbf16, #tile.slot>) -> ()
        tile.release %ring at %n : !tile.ring<2 x tensor<64x64xbf16>>
      }
    } produce {
      scf.for ... {
        tile.fill %ring at %n from %map[%j] : !tile.ring<2 x tensor<64x64xbf16>>
      }
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::attn::tile::TileDialect"];
}

def TileHandOnTasksPass : Pass<"tile-hand-on-tasks", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give each role its loop over the tasks of a block";
  let description = [{
    The `tile.tasks` of each role becomes an `scf.while` that carries how many tasks it has
    done and what it has counted. The producer draws tasks (`tile.draw_task`) as soon as it
    has filled the last place of one, and sends each with its numbers through a ring; the
    others receive them, and release their place when the task is done. The number behind
    the last task is sent, too, and ends everybody's loop.

    Expects roles (`tile-give-roles`) and tasks that count (`tile-make-rings`).

    Example: `tile.tasks %count from %counter { ... }` in the producer's region becomes

    ```mlir
    %all:2 = scf.while (%task = %block, %n = %c0_i32) : (i32, i32) -> (i32, i32) {
      %more = arith.cmpi ult, %task, %count : i32
      scf.condition(%more) %task, %n : i32, i32
    } do {
    ^bb0(%task: i32, %n: i32):
      tile.send %task : i32 into %tasks at %n : !tile.ring<2 x tensor<1xi64>>
      ...
      %next = tile.draw_task %count from %counter : !llvm.ptr<1>
      %done = arith.addi %n, %c1_i32 : i32
      scf.yield %next, %done : i32, i32
    }
    tile.send %all#0 : i32 into %tasks at %all#1 : !tile.ring<2 x tensor<1xi64>>
    ```
  }];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::mlir::attn::tile::TileDialect"];
}

def TileReceiveAgainPass : Pass<"tile-receive-again", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Receive numbers again behind loops, in which registers are scarce";
  let description = [{
    Uses, behind a loop that reads tiles, of numbers that were received before it (without a
    wait: `again`), or of their casts, use another `tile.receive` there. How many tiles the
    loop has visited follows from its bounds as they are.

    Example: behind the loop `"use"(%row)`, where `%row` is
    `tile.receive [1] of %tasks at %n again` before it, becomes

    ```mlir
    %again = tile.receive [1] of %tasks at %n again : !tile.ring<2 x tensor<2xi64>> -> index
    "use"(%again) : (index) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::attn::tile::TileDialect"];
}

def TileRolesToWarpsPass : Pass<"tile-roles-to-warps", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Say which warps have which role, and how many registers";
  let description = [{
    `tile.roles` becomes branches of the block's threads: the first `warps` of the schedule
    compute, the next one's first thread produces, the warp behind that inspects, and the
    one behind that stores.
    Registers move from those who do not compute to the others (`nvvm.setmaxregister`).
    Rings get their number of readers, and all warps meet before they part, when the
    barriers of rings are ready.

    Expects roles (`tile-give-roles`) whose tasks are loops (`tile-hand-on-tasks`).

    Example: `tile.roles compute { A } produce { B }` becomes, with 8 warps,

    ```mlir
    %computes = arith.cmpi ult, %thread, %c256_i32 : i32
    scf.if %computes {
      nvvm.setmaxregister increase 232
      A
    } else {
      nvvm.setmaxregister decrease 40
      %produces = arith.cmpi eq, %thread, %c256_i32 : i32
      scf.if %produces { B }
    }
    ```
  }];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::scf::SCFDialect", "::mlir::attn::tile::TileDialect"];
}

def TileOverlapProductsPass : Pass<"tile-overlap-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Run the products of one step during the softmax of another";
  let description = [{
    Turns the loop over key tiles by one step: after the score product of step j the
    output product of step j - 1 is started, and both run while step j's
    softmax does, as far as it does not need them (`tile.start`, `tile.await`).
    With `pingpong` in the schedule, the two groups of four warps take turns to
    start their products.

    Expects tiles in rings (`tile-make-rings`) and exact paths outside
    products (`tile-split-nonfinite`).

    Example (test/Dialect/Tile/overlap-products.mlir):

    ```mlir
    %o = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %zero) -> !f {
      %kt = tile.read %k at %m : !r -> !s
      %s = linalg.contract ... ins(%q, %kt : !s, !s) outs(%zero : !f) -> !f
      ... // the softmax: %decayed from %acc, the weights %p from %s
      %vt = tile.read %v at %m : !r -> !s
      %r = linalg.contract ... ins(%p, %vt : !h, !s) outs(%decayed : !f) -> !f
    ```

    becomes, between the scores of the first step and the output of the last,

    ```mlir
    scf.for %j = %c1 to %n step %c1 iter_args(%decayed = ..., %p = ..., ...) {
      %vt = tile.read %v at %before unless %there : !r -> !s
      %kt = tile.read %k at %m unless %here : !r -> !s
      %s = tile.start %q, %kt, %zero {rhs_transposed} : !s, !s, !f
      %r = tile.start %p, %vt, %decayed : !h, !s, !f
      %scores = tile.await %s pending 1 : !tile.started<!f>
      tile.release %k at %m : !r
      %acc = tile.await %r pending 0 : !tile.started<!f>
      tile.release %v at %before : !r
      ... // the softmax
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::attn::tile::TileDialect"];
}

def TileShareOperandsPass : Pass<"tile-share-operands", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Left operands that must be turned go through shared memory";
  let description = [{
    A product whose depth runs along the rows of its left operand needs what all warps
    have of it. Where that operand is in registers they share it (`tile.share`), in a
    ring of two tiles of its own, at the number of the step.

    Example (test/Dialect/Tile/share-operands.mlir): with (k, i) x (k, j) -> (i, j)

    ```mlir
    %t = tile.read %queries at %n ...
    %dq = linalg.contract ... ins(%ds, %k) ...
    ```

    becomes

    ```mlir
    %ring = tile.ring : !tile.ring<2 x tensor<128x64xbf16>>
    %t = tile.read %queries at %n ...
    %shared = tile.share %ds into %ring at %n ...
    %dq = linalg.contract ... ins(%shared, %k) ...
    ```
  }];
  let dependentDialects = ["::mlir::attn::tile::TileDialect"];
}

def TileStoreSumsPass : Pass<"tile-store-sums", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Sums go to memory through a ring";
  let description = [{
    Where warps have roles, what is added to memory (`tile.reduce_add`) is put into a ring,
    from which a warp of its own adds it (`tile-give-roles`): those who compute need not wait
    for memory. The ring has one tile, or as many as there are stages where tiles are small.

    Example (test/Dialect/Tile/store-sums.mlir):

    ```mlir
    %t = tile.read %queries at %n ...
    tile.reduce_add %sums, %memory[%b, %h, %tile]
    ```

    becomes

    ```mlir
    %ring = tile.ring : !tile.ring<1 x tensor<64x128xf32>>
    %t = tile.read %queries at %n ...
    tile.put %sums into %ring at %n
    tile.hand_on %ring at %n
    tile.add_to_memory %ring at %n, %memory[%b, %h, %tile]
    ```
  }];
  let dependentDialects = ["::mlir::attn::tile::TileDialect"];
}

#endif // TILE_TRANSFORMS_ROLE_PASSES_TD
