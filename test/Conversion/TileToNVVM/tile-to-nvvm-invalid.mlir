// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-to-nvvm)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  gpu.func @not_dealt() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %c = arith.constant dense<0.0> : tensor<16x16xf32>
    // expected-error @+1 {{'tensor.extract_slice' op cannot be dealt to threads}}
    %t = tensor.extract_slice %c[0, 0] [16, 8] [1, 1] : tensor<16x16xf32> to tensor<16x8xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @constant() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'arith.constant' op expects one value for all elements of a tile}}
    %c = arith.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]> : tensor<16xf32>
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#c = affine_map<(i, j, d) -> (i, j)>
#t = affine_map<(i, j, d) -> (d, i)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @maps(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !hp
    // expected-error @+1 {{'linalg.contract' op expects (i, k) x (k, j), (i, k) x (j, k) or (k, i) x (k, j) -> (i, j)}}
    %r = linalg.contract indexing_maps = [#t, affine_map<(i, j, d) -> (j, d)>, #c]
      ins(%v, %v : !hp, !hp) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @zero_safe(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !hp
    // expected-error @+1 {{'linalg.contract' op expects a plain product: run tile-split-nonfinite first}}
    %r = linalg.contract indexing_maps = [#a, #b, #c] {tile.zero_safe}
      ins(%v, %v : !hp, !hp) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @registers(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : !f
    %ones = arith.constant dense<1.0> : !h
    %v = tile.view %m : !m -> !hp
    // expected-error @+1 {{'linalg.contract' op expects its right operand in shared memory}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%v, %ones : !hp, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!h = tensor<16x16xbf16>
!hp = tensor<16x16xbf16, #tile.padded<24>>
!f = tensor<16x16xf32>
gpu.module @kernels {
  gpu.func @mixed(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : !f
    %v = tile.view %m : !m -> !hp
    // expected-error @+1 {{'linalg.contract' op expects operands of one element type, got 'f32' and 'bf16'}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%zero, %v : !f, !hp) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<8x24xbf16, #gpu.address_space<workgroup>>
gpu.module @kernels {
  gpu.func @narrow(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : tensor<16x16xf32>
    %ones = arith.constant dense<1.0> : tensor<16x8xbf16>
    %v = tile.view %m : !m -> tensor<8x16xbf16, #tile.padded<24>>
    // expected-error @+1 {{'linalg.contract' op expects multiples of 16 columns and products}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%ones, %v : tensor<16x8xbf16>, tensor<8x16xbf16, #tile.padded<24>>) outs(%zero : tensor<16x16xf32>) -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
gpu.module @kernels {
  gpu.func @reduction(%n: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %r = arith.constant dense<0.0> : tensor<16xf32>
    // expected-error @+1 {{'linalg.generic' op expects one result and no reduction}}
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%t : tensor<16x16xf32>) outs(%r : tensor<16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %z = arith.addf %x, %y : f32
      linalg.yield %z : f32
    } -> tensor<16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_place() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.ring' op expects a ring with a place and readers}}
    %r = tile.ring : !tile.ring<1 x tensor<64x64xbf16>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @foreign_ring(%r: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.release' op expects a ring that tile.ring makes}}
    tile.release %r at %n : !tile.ring<1 x tensor<64x64xbf16>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @rows() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'arith.constant' op expects tiles in registers with 16 rows and a multiple of 8 columns, at most 256, got 'tensor<32x16xf32>'}}
    %c = arith.constant dense<0.0> : tensor<32x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @columns() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'arith.constant' op expects tiles in registers with 16 rows and a multiple of 8 columns, at most 256, got 'tensor<16x512xf32>'}}
    %c = arith.constant dense<0.0> : tensor<16x512xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @turns() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.take_turn' op expects a schedule with producers}}
    tile.take_turn
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @channels(%s: memref<?x?xbf16, strided<[16, 1]>>, %d: memref<16x24xbf16, #gpu.address_space<workgroup>>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.copy' op expects memory of f32, f16 or bf16 with a static channel dimension of stride 1, got}}
    tile.copy %s[%i] to %d : memref<?x?xbf16, strided<[16, 1]>> to memref<16x24xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @padding(%s: memref<?x8xbf16, strided<[16, 1]>>, %d: memref<16x8xbf16, #gpu.address_space<workgroup>>, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.copy' op expects at most 1024 rows of 32 to 1024 elements, padded by 16 bytes, got}}
    tile.copy %s[%i] to %d : memref<?x8xbf16, strided<[16, 1]>> to memref<16x8xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @global_view(%m: memref<16x24xbf16>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.view' op expects rows of f32, f16 or bf16 in workgroup memory, got 'memref<16x24xbf16>'}}
    %v = tile.view %m : memref<16x24xbf16> -> tensor<16x16xbf16, #tile.padded<24>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @transposed(%n: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    // expected-error @+1 {{'linalg.generic' op expects tiles that are read in order, got affine_map<(d0, d1) -> (d1, d0)>}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @old_value(%n: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    // expected-error @+1 {{'linalg.generic' op expects a result that is written in order and not read}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        outs(%t : tensor<16x16xf32>) {
    ^bb0(%y: f32):
      linalg.yield %y : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Threads have nothing of it.
  // expected-error @+1 {{'gpu.func' op expects no tiles as arguments}}
  gpu.func @argument(%t: tensor<16x16xbf16>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Nor are there elements of what is only written over.
  gpu.func @empty() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %e = tensor.empty() : tensor<16x16xf32>
    // expected-error @+1 {{'linalg.generic' op expects tiles with elements, got those of tensor.empty}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%e : tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
!m = memref<64x72xbf16, #gpu.address_space<workgroup>>
!l = tensor<64x64xbf16, #tile.left_operand>
!r = !tile.ring<1 x tensor<64x64xbf16>>
!s = tensor<64x64xbf16, #tile.slot>
!f = tensor<64x64xf32>
gpu.module @kernels {
  // wgmma takes other registers.
  gpu.func @left_operand(%m: !m, %n: i32) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} {
    %zero = arith.constant dense<0.0> : !f
    %r = tile.ring offset 0 barriers 0 readers 4 : !r
    %q = tile.view %m : !m -> !l
    %k = tile.read %r at %n : !r -> !s
    // expected-error @+1 {{'linalg.contract' op expects its left operand in registers, or where the right one is, got 'tensor<64x64xbf16, #tile.left_operand>'}}
    %p = linalg.contract indexing_maps = [#a, #b, #c] ins(%q, %k : !l, !s) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

!m = memref<16x24xbf16, #gpu.address_space<workgroup>>
!l = tensor<16x16xbf16, #tile.left_operand>
gpu.module @kernels {
  // Which elements a thread has of it, products alone know.
  gpu.func @elements_of_operand(%m: !m) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %e = tensor.empty() : tensor<16x16xbf16>
    %q = tile.view %m : !m -> !l
    // expected-error @+1 {{'linalg.generic' op expects tiles in shared memory, or those that are dealt like the result, got 'tensor<16x16xbf16, #tile.left_operand>'}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%q : !l) outs(%e : tensor<16x16xbf16>) {
    ^bb0(%x: bf16, %y: bf16):
      linalg.yield %x : bf16
    } -> tensor<16x16xbf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A left operand has the rows that the block owns.
  gpu.func @rows_of_operand(%m: memref<32x24xbf16, #gpu.address_space<workgroup>>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.view' op expects tiles in registers with 16 rows and a multiple of 8 columns, at most 256, got 'tensor<32x16xbf16, #tile.left_operand>'}}
    %v = tile.view %m : memref<32x24xbf16, #gpu.address_space<workgroup>> -> tensor<32x16xbf16, #tile.left_operand>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Only tile.view, tile.read and tile.share have a result in shared memory.
  gpu.func @constant_in_slot() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'arith.constant' op expects a tile in registers, got 'tensor<16x16xbf16, #tile.slot>'}}
    %c = arith.constant dense<0.0> : tensor<16x16xbf16, #tile.slot>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @rows_reduced() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %r = arith.constant dense<0.0> : tensor<16xf32>
    // expected-error @+1 {{'linalg.reduce' op expects the columns of a matrix of 32-bit elements, got 'tensor<16x16xf32>'}}
    %s = linalg.reduce { arith.addf } ins(%t : tensor<16x16xf32>) outs(%r : tensor<16xf32>) dimensions = [0]
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @carried(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>, %n: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x16xbf16, #tile.padded<24>>
    // expected-error @+1 {{'scf.for' op expects a tile in registers, got 'tensor<16x16xbf16, #tile.padded<24>>'}}
    %s = scf.for %i = %n to %n step %n iter_args(%x = %t) -> (tensor<16x16xbf16, #tile.padded<24>>) {
      scf.yield %x : tensor<16x16xbf16, #tile.padded<24>>
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @nested(%n: i32, %counter: !llvm.ptr<1>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    // expected-error @+1 {{'tile.tasks' op cannot be dealt to threads}}
    tile.tasks %n from %counter {
    ^bb0(%task: i32):
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Branches have a structure until tiles are dealt.
  // expected-error @+1 {{'gpu.func' op expects one block}}
  gpu.func @two_blocks() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    cf.br ^end
  ^end:
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A tile is made anew in each attempt.
  gpu.func @attempt_from_tile(%c: i1) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    // expected-error @+1 {{'scf.while' op expects attempts that begin without tiles}}
    %r = scf.while (%x = %t) : (tensor<16x16xf32>) -> tensor<16x16xf32> {
      scf.condition(%c) %x : tensor<16x16xf32>
    } do {
    ^bb0(%y: tensor<16x16xf32>):
      scf.yield %y : tensor<16x16xf32>
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Nor is what an attempt made read by the next one.
  gpu.func @attempt_after_tile(%c: i1) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    // expected-error @+1 {{'scf.while' op expects attempts that begin without tiles}}
    %r = scf.while (%x = %c) : (i1) -> tensor<16x16xf32> {
      scf.condition(%x) %t : tensor<16x16xf32>
    } do {
    ^bb0(%y: tensor<16x16xf32>):
      %again = tile.has_nonfinite %y : tensor<16x16xf32>
      scf.yield %again : i1
    }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // stmatrix writes blocks of 16 columns.
  gpu.func @drain_columns(%n: i32, %map: !llvm.ptr, %i: index) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>>} {
    %t = arith.constant dense<0.0> : tensor<64x72xbf16>
    %r = tile.ring offset 0 barriers 0 readers 4 : !tile.ring<1 x tensor<64x72xbf16>>
    // expected-error @+1 {{'tile.drain' op expects a multiple of 16 columns, got 'tensor<64x72xbf16>'}}
    tile.drain %t through %r at %n to %map[%i] : tensor<64x72xbf16>, !tile.ring<1 x tensor<64x72xbf16>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // What is asked in registers is what a product made.
  gpu.func @ask_registers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xbf16>
    // expected-error @+1 {{'tile.has_nonfinite' op expects elements of f32 in registers, got 'tensor<16x16xbf16>'}}
    %x = tile.has_nonfinite %t : tensor<16x16xbf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A thread looks at 16 bytes at once.
  gpu.func @ask_shared(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x12xbf16, #tile.padded<24>>
    // expected-error @+1 {{'tile.has_nonfinite' op expects rows of a multiple of 16 bytes, got 'tensor<16x12xbf16, #tile.padded<24>>'}}
    %x = tile.has_nonfinite %t : tensor<16x12xbf16, #tile.padded<24>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A thread clears 4 bytes at once.
  gpu.func @clear_shared(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x13xbf16, #tile.padded<24>>
    // expected-error @+1 {{'tile.clear_nonfinite' op expects rows of a multiple of 4 bytes, got 'tensor<16x13xbf16, #tile.padded<24>>'}}
    tile.clear_nonfinite %t : tensor<16x13xbf16, #tile.padded<24>>
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (d, j)>
#c = affine_map<(i, j, d) -> (i, j)>
gpu.module @kernels {
  // Products are added up in f32.
  gpu.func @rounded_sum(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %zero = arith.constant dense<0.0> : tensor<16x16xbf16>
    %v = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x16xbf16, #tile.padded<24>>
    // expected-error @+1 {{'linalg.contract' op expects operands of f16, bf16 or, outside of rings, f32, and a result of f32, got 'tensor<16x16xbf16, #tile.padded<24>>', 'tensor<16x16xbf16, #tile.padded<24>>' and 'tensor<16x16xbf16>'}}
    %r = linalg.contract indexing_maps = [#a, #b, #c]
      ins(%v, %v : tensor<16x16xbf16, #tile.padded<24>>, tensor<16x16xbf16, #tile.padded<24>>) outs(%zero : tensor<16x16xbf16>) -> tensor<16x16xbf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A loop of its own, whose positions are not the tile's.
  gpu.func @nested_position(%m: memref<4xindex>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    // expected-error @+1 {{'linalg.generic' op expects positions outside nested regions}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          outs(%m : memref<4xindex>) {
      ^bb0(%z: index):
        %p = linalg.index 0 : index
        linalg.yield %p : index
      }
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // A pointer is no number.
  gpu.func @pointer(%p: !llvm.ptr) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %e = tensor.empty() : tensor<16x16xf32>
    // expected-error @+1 {{'linalg.generic' op expects tiles and numbers, got '!llvm.ptr'}}
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> ()>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%p : !llvm.ptr) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: !llvm.ptr, %y: f32):
      %z = llvm.load %x : !llvm.ptr -> f32
      linalg.yield %z : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Each thread would store what it holds.
  gpu.func @store_inside(%m: memref<f32>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %e = tensor.empty() : tensor<16x16xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<16x16xf32>) outs(%e : tensor<16x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      // expected-error @+1 {{'memref.store' op expects a result within elementwise work}}
      memref.store %x, %m[] : memref<f32>
      linalg.yield %x : f32
    } -> tensor<16x16xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Two sums at once.
  gpu.func @two_reduced() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %r = arith.constant dense<0.0> : tensor<16xf32>
    // expected-error @+1 {{'linalg.reduce' op expects one tile to reduce}}
    %a, %b = linalg.reduce ins(%t, %t : tensor<16x16xf32>, tensor<16x16xf32>) outs(%r, %r : tensor<16xf32>, tensor<16xf32>) dimensions = [1]
      (%x: f32, %y: f32, %z: f32, %w: f32) {
        linalg.yield %x, %y : f32, f32
      }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Each thread would store its partial sums.
  gpu.func @store_reducing(%m: memref<f32>) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 16, kv = 16>>} {
    %t = arith.constant dense<0.0> : tensor<16x16xf32>
    %r = arith.constant dense<0.0> : tensor<16xf32>
    %s = linalg.reduce ins(%t : tensor<16x16xf32>) outs(%r : tensor<16xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        // expected-error @+1 {{'memref.store' op expects a result within a reduction}}
        memref.store %x, %m[] : memref<f32>
        linalg.yield %x : f32
      }
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Products run beside others on a matrix unit of its own.
  gpu.func @start(%n: i32) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %zero = arith.constant dense<0.0> : tensor<64x64xf32>
    %r = tile.ring offset 1024 barriers 0 readers 4 : !tile.ring<1 x tensor<64x64xbf16>>
    %t = tile.read %r at %n : !tile.ring<1 x tensor<64x64xbf16>> -> tensor<64x64xbf16, #tile.slot>
    // expected-error @+1 {{'tile.start' op expects a schedule with producers}}
    %s = tile.start %t, %t, %zero {rhs_transposed} : tensor<64x64xbf16, #tile.slot>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // Products are 16 deep, and all of the block's rows.
  gpu.func @start(%n: i32) kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>} {
    %zero = arith.constant dense<0.0> : tensor<128x64xf32>
    %q = tile.ring offset 1024 barriers 0 readers 8 : !tile.ring<1 x tensor<128x72xbf16>>
    %k = tile.ring offset 66560 barriers 16 readers 8 : !tile.ring<1 x tensor<64x72xbf16>>
    %qt = tile.read %q at %n : !tile.ring<1 x tensor<128x72xbf16>> -> tensor<128x72xbf16, #tile.slot>
    %kt = tile.read %k at %n : !tile.ring<1 x tensor<64x72xbf16>> -> tensor<64x72xbf16, #tile.slot>
    // expected-error @+1 {{'tile.start' op expects multiples of 16 columns and products}}
    %s = tile.start %qt, %kt, %zero {rhs_transposed} : tensor<128x72xbf16, #tile.slot>, tensor<64x72xbf16, #tile.slot>, tensor<128x64xf32>
    gpu.return
  }
}
