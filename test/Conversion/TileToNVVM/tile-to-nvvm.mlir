// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm,canonicalize,cse)))" \
// RUN:   | FileCheck %s

#lhs = affine_map<(i, j, d) -> (i, d)>
#rows = affine_map<(i, j, d) -> (j, d)>
#columns = affine_map<(i, j, d) -> (d, j)>
#out = affine_map<(i, j, d) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#schedule = #attn.schedule<tiling = <q = 16, kv = 16>, roles = <warps = 1>>
!memory = memref<?x?x16xf32, strided<[?, ?, 1], offset: ?>>
!odd = memref<?x?x12xf32, strided<[?, ?, 1], offset: ?>>
!h = memref<16x24xbf16, #gpu.address_space<workgroup>>
!s = memref<16x20xf32, #gpu.address_space<workgroup>>
!th = tensor<16x16xbf16>
!thp = tensor<16x16xbf16, #tile.padded<24>>
!thl = tensor<16x16xbf16, #tile.left_operand>
!tf = tensor<16x16xf32>
!tfp = tensor<16x16xf32, #tile.padded<20>>

gpu.module @kernels {
  // 32 threads, 16 rows of 2 chunks: one chunk each. Past the last row of the memory
  // nothing is read: cp.async fills with zeros what the size leaves.
  // CHECK-LABEL: gpu.func @copy_async(
  // CHECK: %[[SIZE:.*]] = arith.select %{{.*}}, %c16_i32, %c0_i32 : i32
  // CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK-NOT: nvvm.cp.async.shared.global
  gpu.func @copy_async(%g: memref<?x?x16xbf16, strided<[?, ?, 1], offset: ?>>, %s: !h, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    tile.copy %g[%i, %i] to %s {async}
      : memref<?x?x16xbf16, strided<[?, ?, 1], offset: ?>> to !h
    gpu.return
  }

  // Rows at any address: 256 elements in steps of 32 threads, zero outside the memory
  // and past its 12 channels.
  // CHECK-LABEL: gpu.func @copy_elements(
  // CHECK-NOT: cp.async
  // CHECK: scf.for %{{.*}} = %{{.*}} to %c256 step %c32
  // CHECK: arith.cmpi slt, %{{.*}}, %c12_i32 : i32
  // CHECK: scf.if %{{.*}} -> (bf16)
  // CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
  // CHECK: llvm.store %{{.*}}, %{{.*}} : bf16, !llvm.ptr<3>
  gpu.func @copy_elements(%g: memref<?x?x12xbf16, strided<[?, ?, 1], offset: ?>>, %s: !h, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    tile.copy %g[%i, %i] to %s
      : memref<?x?x12xbf16, strided<[?, ?, 1], offset: ?>> to !h
    gpu.return
  }

  // 8 rows at a time. Rows of two dimensions are found one by one.
  // CHECK-LABEL: gpu.func @copy_packed(
  // CHECK: arith.divui %[[AT:.*]], %[[INNER:[0-9]+]] : i32
  // CHECK: arith.remui %[[AT]], %[[INNER]] : i32
  // CHECK: nvvm.cp.async.shared.global
  // CHECK: arith.divui %[[NEXT:.*]], %[[INNER]] : i32
  // CHECK: arith.remui %[[NEXT]], %[[INNER]] : i32
  // CHECK: nvvm.cp.async.shared.global
  // CHECK-NOT: nvvm.cp.async.shared.global
  gpu.func @copy_packed(%g: memref<?x?x?x16xf32, strided<[?, ?, ?, 1], offset: ?>>, %s: !s, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    tile.copy %g[%i, %i] to %s {async, packed}
      : memref<?x?x?x16xf32, strided<[?, ?, ?, 1], offset: ?>> to !s
    gpu.return
  }

  // Through a table: 16 rows of 2 pieces are a step of 32 threads, and each of the first 16 lanes finds the place of a
  // row, in 64 bits, which the threads that copy it get from it. Entries at the end and behind it are not read, and of a
  // page that there is not no row is.
  // CHECK-LABEL: gpu.func @copy_paged(
  // CHECK: %[[ROWS:.*]] = arith.minsi %{{.*}}, %c16 : index
  // CHECK: %[[LEFT:.*]] = arith.index_cast %[[ROWS]] : index to i32
  // CHECK: %[[IN:.*]] = arith.cmpi slt, %[[R:.*]], %[[LEFT]] : i32
  // CHECK: %[[PLACE:.*]] = scf.if %[[IN]] -> (i64)
  // CHECK:   arith.divui %{{.*}}, %{{.*}} : i32
  // CHECK:   %[[PAGE:.*]] = memref.load %{{.*}} : memref<?x?xi32>
  // CHECK:   %[[WIDE:.*]] = arith.extui %[[PAGE]] : i32 to i64
  // CHECK:   arith.muli %[[WIDE]], %{{.*}} : i64
  // CHECK:   %[[THERE:.*]] = arith.cmpi ult, %[[PAGE]], %{{.*}} : i32
  // CHECK:   arith.select %[[THERE]], %{{.*}}, %c-1_i64
  // CHECK: } else {
  // CHECK:   scf.yield %c-1_i64
  // CHECK-COUNT-2: nvvm.shfl.sync idx
  // CHECK: arith.cmpi sge, %{{.*}}, %c0_i64
  // CHECK: %[[SIZE:.*]] = arith.select %{{.*}}, %c16_i32, %c0_i32 : i32
  // CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK-NOT: nvvm.cp.async.shared.global
  gpu.func @copy_paged(%g: memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>, %t: memref<?x?xi32>, %s: !h, %i: index, %end: index)
      kernel attributes {attn.schedule = #schedule} {
    tile.copy %g[%i, %i, %i] through %t until %end to %s {async}
      : memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>, memref<?x?xi32> to !h
    gpu.return
  }

  // Rows at any address, element by element.
  // CHECK-LABEL: gpu.func @copy_paged_elements(
  // CHECK-NOT: cp.async
  // CHECK: scf.for %{{.*}} = %{{.*}} to %c256 step %c32
  // CHECK: memref.load %{{.*}} : memref<?x?xi32>
  // CHECK: arith.cmpi slt, %{{.*}}, %c12_i32 : i32
  // CHECK: scf.if %{{.*}} -> (bf16)
  // CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
  // CHECK: llvm.store %{{.*}}, %{{.*}} : bf16, !llvm.ptr<3>
  gpu.func @copy_paged_elements(%g: memref<?x?x?x12xbf16, strided<[?, ?, ?, 1], offset: ?>>, %t: memref<?x?xi32>, %s: !h, %i: index, %end: index)
      kernel attributes {attn.schedule = #schedule} {
    tile.copy %g[%i, %i, %i] through %t until %end to %s
      : memref<?x?x?x12xbf16, strided<[?, ?, ?, 1], offset: ?>>, memref<?x?xi32> to !h
    gpu.return
  }

  // 16 columns are two instructions. Keys lie in memory as the instruction wants its
  // right operand; values are transposed on their way to registers.
  // CHECK-LABEL: gpu.func @contract16(
  // CHECK: nvvm.ldmatrix %{{.*}}layout = #nvvm.mma_layout<row>, num = 4
  // CHECK: nvvm.ldmatrix %{{.*}}layout = #nvvm.mma_layout<row>, num = 4
  // CHECK-COUNT-2: nvvm.mma.sync {{.*}}mma_type<bf16>{{.*}}m = 16, n = 8, k = 16
  // CHECK: nvvm.ldmatrix %{{.*}}layout = #nvvm.mma_layout<col>, num = 4
  // CHECK-COUNT-2: nvvm.mma.sync {{.*}}mma_type<bf16>{{.*}}m = 16, n = 8, k = 16
  // CHECK-NOT: nvvm.mma.sync
  // A thread has two rows, and pairs of columns; rows past the end are not stored.
  // CHECK-COUNT-2: scf.if
  // CHECK-NOT: scf.if
  gpu.func @contract16(%a: !h, %b: !h, %o: !memory, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %at = tile.view %a : !h -> !thp
    %bt = tile.view %b : !h -> !thp
    %c = linalg.contract indexing_maps = [#lhs, #rows, #out]
      ins(%at, %bt : !thp, !thp) outs(%zero : !tf) -> !tf
    %d = linalg.contract indexing_maps = [#lhs, #columns, #out]
      ins(%at, %bt : !thp, !thp) outs(%c : !tf) -> !tf
    tile.store %d, %o[%i, %i] : !tf, !memory
    gpu.return
  }

  // f32 numbers are split in two for the matrix unit, whose three products keep f32's
  // accuracy: 16 rows, 2 * 8 columns, 2 * 8 deep, three times.
  // CHECK-LABEL: gpu.func @contract32(
  // CHECK-COUNT-12: nvvm.mma.sync {{.*}}mma_type<tf32>{{.*}}m = 16, n = 8, k = 8
  // CHECK-NOT: nvvm.mma.sync
  gpu.func @contract32(%a: !s, %b: !s, %o: !memory, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %at = tile.view %a : !s -> !tfp
    %bt = tile.view %b : !s -> !tfp
    %c = linalg.contract indexing_maps = [#lhs, #rows, #out]
      ins(%at, %bt : !tfp, !tfp) outs(%zero : !tf) -> !tf
    tile.store %c, %o[%i, %i] : !tf, !memory
    gpu.return
  }

  // 256 elements are 8 for each thread. The sum of a row is over its four threads.
  // CHECK-LABEL: gpu.func @elementwise(
  // CHECK-COUNT-8: math.exp2
  // CHECK-NOT: math.exp2
  // CHECK: nvvm.shfl.sync {{ *}}bfly %{{.*}}, %c1_i32,
  // CHECK: nvvm.shfl.sync {{ *}}bfly %{{.*}}, %c2_i32,
  // CHECK: nvvm.shfl.sync {{ *}}bfly %{{.*}}, %c1_i32,
  // CHECK: nvvm.shfl.sync {{ *}}bfly %{{.*}}, %c2_i32,
  // CHECK-NOT: nvvm.shfl
  // CHECK: gpu.return
  gpu.func @elementwise(%a: !s, %b: !s, %o: memref<?x?xf32>, %i: index)
      kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %zeros = arith.constant dense<0.0> : tensor<16xf32>
    %at = tile.view %a : !s -> !tfp
    %bt = tile.view %b : !s -> !tfp
    %c = linalg.contract indexing_maps = [#lhs, #rows, #out]
      ins(%at, %bt : !tfp, !tfp) outs(%zero : !tf) -> !tf
    %empty = tensor.empty() : !tf
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%c : !tf) outs(%empty : !tf) {
    ^bb0(%x: f32, %unused: f32):
      %y = math.exp2 %x : f32
      linalg.yield %y : f32
    } -> !tf
    %sum = linalg.reduce ins(%e : !tf) outs(%zeros : tensor<16xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        %z = arith.addf %x, %y : f32
        linalg.yield %z : f32
      }
    tile.store %sum, %o[%i, %i] : tensor<16xf32>, memref<?x?xf32>
    gpu.return
  }

  // Every thread asks about its share, and any thread's answer decides for all.
  // CHECK-LABEL: gpu.func @has_nonfinite(
  // CHECK: nvvm.vote.sync {{ *}}any
  // CHECK-NOT: tile.
  // CHECK: gpu.return
  gpu.func @has_nonfinite(%a: !h, %o: memref<i1>) kernel attributes {attn.schedule = #schedule} {
    %at = tile.view %a : !h -> !thp
    %dirty = tile.has_nonfinite %at : !thp
    memref.store %dirty, %o[] : memref<i1>
    gpu.return
  }

  // A tile in registers: each thread multiplies its own elements by zero, and any
  // thread's NaN decides for all that have tiles together, here a warp. The loop around results in eight numbers a thread,
  // and starts from a thread's number that is new to LLVM each time.
  // CHECK-LABEL: gpu.func @attempts(
  // CHECK: scf.while (%{{.*}} = %false) : (i1) -> (f32, f32, f32, f32, f32, f32, f32, f32) {
  // CHECK: llvm.inline_asm has_side_effects "mov.b32 $0, $1;", "=r,r" %{{.*}} : (i32) -> i32
  // CHECK-COUNT-8: math.fma %{{.*}}, %cst
  // CHECK: arith.cmpf uno
  // CHECK: nvvm.vote.sync any
  // CHECK: scf.condition(%{{.*}}) {{.*}} : f32, f32, f32, f32, f32, f32, f32, f32
  // CHECK: ^bb0(%{{[^ ]*}}: f32, {{.*}}):
  // CHECK: scf.yield %true : i1
  gpu.func @attempts(%a: !h, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %false = arith.constant false
    %true = arith.constant true
    %at = tile.view %a : !h -> !thp
    %zero = arith.constant dense<0.0> : !tf
    %r = scf.while (%careful = %false) : (i1) -> !tf {
      %x = linalg.contract indexing_maps = [#lhs, #rows, #out]
        ins(%at, %at : !thp, !thp) outs(%zero : !tf) -> !tf
      %harm = tile.has_nonfinite %x : !tf
      %again = arith.cmpi ugt, %harm, %careful : i1
      scf.condition(%again) %x : !tf
    } do {
    ^bb0(%unused: !tf):
      scf.yield %true : i1
    }
    tile.store %r, %o[%i, %i] : !tf, !memory
    gpu.return
  }

  // CHECK-LABEL: gpu.func @add_nonfinite(
  // CHECK-NOT: nvvm.mma.sync
  // CHECK: nvvm.shfl.sync {{ *}}idx
  // CHECK-NOT: tile.
  // CHECK: gpu.return
  gpu.func @add_nonfinite(%a: !h, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %weights = arith.constant dense<1.0> : !th
    %at = tile.view %a : !h -> !thp
    %c = tile.add_nonfinite %weights, %at, %zero : !th, !thp, !tf
    tile.store %c, %o[%i, %i] : !tf, !memory
    gpu.return
  }

  // The sums of a row's four threads; a thread has two rows.
  // CHECK-LABEL: gpu.func @combine_threads(
  // CHECK-COUNT-4: nvvm.shfl.sync {{ *}}bfly
  // CHECK-NOT: nvvm.shfl
  // CHECK-NOT: tile.
  // CHECK: gpu.return
  gpu.func @combine_threads(%a: !s, %o: memref<?x?xf32>, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %zeros = arith.constant dense<0.0> : tensor<16xf32>
    %at = tile.view %a : !s -> !tfp
    %c = linalg.contract indexing_maps = [#lhs, #rows, #out]
      ins(%at, %at : !tfp, !tfp) outs(%zero : !tf) -> !tf
    %partial = linalg.reduce { arith.addf } ins(%c : !tf) outs(%zeros : tensor<16xf32>) dimensions = [1] {tile.within_thread}
    %sum = tile.combine_threads %partial : tensor<16xf32>
    tile.store %sum, %o[%i, %i] : tensor<16xf32>, memref<?x?xf32>
    gpu.return
  }

  // The left operand is read where the view is, before what comes between it and its
  // product.
  // CHECK-LABEL: gpu.func @view_registers(
  // CHECK: nvvm.ldmatrix %{{.*}}layout = #nvvm.mma_layout<row>, num = 4
  // CHECK: gpu.barrier
  // CHECK: nvvm.ldmatrix %{{.*}}layout = #nvvm.mma_layout<row>, num = 4
  // CHECK-NOT: nvvm.ldmatrix
  // CHECK: nvvm.mma.sync
  gpu.func @view_registers(%a: !h, %b: !h, %o: !memory, %i: index) kernel attributes {attn.schedule = #schedule} {
    %zero = arith.constant dense<0.0> : !tf
    %at = tile.view %a : !h -> !thl
    gpu.barrier
    %bt = tile.view %b : !h -> !thp
    %c = linalg.contract indexing_maps = [#lhs, #rows, #out]
      ins(%at, %bt : !thl, !thp) outs(%zero : !tf) -> !tf
    tile.store %c, %o[%i, %i] : !tf, !memory
    gpu.return
  }

  // A warp that is alone, or all warps of the block.
  // CHECK-LABEL: gpu.func @clear_nonfinite(
  // CHECK: nvvm.bar.warp.sync
  // CHECK: scf.for
  // CHECK: llvm.store
  // CHECK: nvvm.bar.warp.sync
  // CHECK: gpu.return
  gpu.func @clear_nonfinite(%a: !h) kernel attributes {attn.schedule = #schedule} {
    %at = tile.view %a : !h -> !thp
    tile.clear_nonfinite %at : !thp
    gpu.return
  }

  // CHECK-LABEL: gpu.func @of_all_warps(
  // CHECK: gpu.barrier
  // CHECK: llvm.store
  // CHECK: gpu.barrier
  // CHECK: nvvm.barrier #nvvm.reduction<or>
  // CHECK: gpu.return
  gpu.func @of_all_warps(%a: memref<32x24xbf16, #gpu.address_space<workgroup>>, %o: memref<i1>) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 32, kv = 16>, roles = <warps = 2>>} {
    %at = tile.view %a : memref<32x24xbf16, #gpu.address_space<workgroup>> -> tensor<32x16xbf16, #tile.padded<24>>
    tile.clear_nonfinite %at : tensor<32x16xbf16, #tile.padded<24>>
    %x = arith.constant dense<1.0> : tensor<32x16xf32>
    %harm = tile.has_nonfinite %x : tensor<32x16xf32>
    memref.store %harm, %o[] : memref<i1>
    gpu.return
  }

  // A loop and a branch in it carry matrices of 16-bit elements as words of two: made where a matrix is handed over,
  // taken apart only where somebody asks for elements. A matrix of f32 and a number are carried as they are.
  // CHECK-LABEL: gpu.func @carried(
  // CHECK: %[[LOOP:.*]]:13 = scf.for {{.*}} -> (i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, index)
  // CHECK-NOT: llvm.bitcast
  // CHECK: nvvm.mma.sync
  // CHECK: %[[IF:.*]]:4 = scf.if %{{.*}} -> (i32, i32, i32, i32) {
  // CHECK: arith.truncf
  // CHECK-COUNT-4: llvm.bitcast %{{.*}} : vector<2xbf16> to i32
  // CHECK-NEXT: scf.yield
  // CHECK: } else {
  // CHECK-NOT: llvm.bitcast
  // CHECK: scf.yield %[[IF]]#0, %[[IF]]#1, %[[IF]]#2, %[[IF]]#3, %{{.*}} : i32, i32, i32, i32, f32, f32, f32, f32, f32, f32, f32, f32, index
  // CHECK: llvm.bitcast %[[LOOP]]#0 : i32 to vector<2xbf16>
  gpu.func @carried(%a: !h, %o: memref<?x16xbf16, strided<[16, 1]>>, %n: index, %i: index, %b: i1) kernel
      attributes {attn.schedule = #schedule} {
    %p0 = arith.constant dense<1.0> : !th
    %s0 = arith.constant dense<0.0> : !tf
    %at = tile.view %a : !h -> !thp
    %r:3 = scf.for %j = %i to %n step %i iter_args(%p = %p0, %s = %s0, %k = %i) -> (!th, !tf, index) {
      %next = linalg.contract indexing_maps = [#lhs, #rows, #out] ins(%p, %at : !th, !thp) outs(%s : !tf) -> !tf
      %q = scf.if %b -> !th {
        %e = tensor.empty() : !th
        %small = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
            ins(%next : !tf) outs(%e : !th) {
        ^bb0(%x: f32, %unused: bf16):
          %y = arith.truncf %x : f32 to bf16
          linalg.yield %y : bf16
        } -> !th
        scf.yield %small : !th
      } else {
        scf.yield %p : !th
      }
      %m = arith.addi %k, %j : index
      scf.yield %q, %next, %m : !th, !tf, index
    }
    tile.store %r#0, %o[%r#2] : !th, memref<?x16xbf16, strided<[16, 1]>>
    gpu.return
  }

  // Kernels after one another.
  // CHECK-LABEL: gpu.func @dependent(
  // CHECK: nvvm.griddepcontrol launch_dependents
  // CHECK-NEXT: nvvm.griddepcontrol wait
  gpu.func @dependent() kernel attributes {attn.schedule = #schedule} {
    tile.launch_dependents
    tile.await_prerequisites
    gpu.return
  }
}
