// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-make-rings)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule with producers}}
  gpu.func @no_producers() kernel attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a loop with tile loads}}
  gpu.func @no_loop() kernel attributes {attn.schedule = #schedule} {
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x64xbf16, strided<[?, 1], offset: ?>>
gpu.module @kernels {
  gpu.func @step(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'scf.for' op expects a step of 1}}
    scf.for %j = %c0 to %n step %n {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x64xbf16>
gpu.module @kernels {
  gpu.func @memory(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %other = memref.alloc(%n) : !m
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{'tile.load' op expects memory that is an argument with a role}}
      %kt = tile.load %other[%j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x64xbf16>
gpu.module @kernels {
  gpu.func @nested(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !m -> tensor<64x64xbf16>
      scf.for %i = %c0 to %n step %c1 {
        scf.for %h = %c0 to %n step %c1 {
          // expected-error @+1 {{'tile.load' op expects to be in a task, in a loop of a task, or in a loop in such}}
          %vt = tile.load %k[%h] : !m -> tensor<64x64xbf16>
        }
      }
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x?x?x?x?x64xbf16>
gpu.module @kernels {
  gpu.func @rank(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{'tile.load' op expects memory of at most 5 dimensions, got 'memref<?x?x?x?x?x64xbf16>'}}
      %kt = tile.load %k[%c0, %c0, %c0, %c0, %j] : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x64xf32>
gpu.module @kernels {
  gpu.func @element(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{expects tiles of f16 or bf16 to load into rings, got 'tensor<64x64xf32>'}}
      %kt = tile.load %k[%j] : !m -> tensor<64x64xf32>
    }
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent>>
gpu.module @kernels {
  gpu.func @two_tasks(%n: i32, %counter: !llvm.ptr<1>) kernel attributes {attn.schedule = #schedule} {
    tile.tasks %n from %counter {
    ^bb0(%task: i32):
    } : !llvm.ptr<1>
    // expected-error @+1 {{'tile.tasks' op expects one loop over tasks}}
    tile.tasks %n from %counter {
    ^bb0(%task: i32):
    } : !llvm.ptr<1>
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects one block}}
  gpu.func @two_blocks() kernel attributes {attn.schedule = #schedule} {
    cf.br ^bb1
  ^bb1:
    gpu.return
  }
}

// -----

#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>>
!m = memref<?x?x64xbf16>
gpu.module @kernels {
  gpu.func @packed(%k: !m {attn.role = #attn.role<key>}, %n: index) kernel attributes {attn.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{'tile.load' op expects rows of one dimension to load into rings, got 'packed'}}
      %kt = tile.load %k[%j] packed : !m -> tensor<64x64xbf16>
    }
    gpu.return
  }
}
