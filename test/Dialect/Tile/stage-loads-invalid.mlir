// RUN: attn-opt %s --pass-pipeline="builtin.module(gpu.module(gpu.func(tile-stage-loads)))" \
// RUN:   --split-input-file --verify-diagnostics

gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a schedule}}
  gpu.func @no_schedule() kernel {
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  // expected-error @+1 {{'gpu.func' op expects a loop with tile loads}}
  gpu.func @no_loop(%k: !memory) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant dense<0.0> : !f
    %kt = tile.load %k[%c0] : !memory -> !h
    %s = linalg.contract indexing_maps = [#a, #b, #c] ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  gpu.func @one_load(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    // expected-error @+1 {{'scf.for' op expects at least two tile loads}}
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  gpu.func @two_loops(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
    }
    scf.for %j = %c0 to %n step %c1 {
      // expected-error @+1 {{'tile.load' op expects to be before or in one loop}}
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  gpu.func @in_a_branch(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    scf.for %j = %c0 to %n step %c1 {
      %first = arith.cmpi eq, %j, %c0 : index
      scf.if %first {
        // expected-error @+1 {{'tile.load' op expects to be before or in one loop}}
        %kt = tile.load %k[%j] : !memory -> !h
        %s = linalg.contract indexing_maps = [#a, #b, #c]
          ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
      }
    }
    gpu.return
  }
}

// -----

#a = affine_map<(i, j, d) -> (i, d)>
#b = affine_map<(i, j, d) -> (j, d)>
#c = affine_map<(i, j, d) -> (i, j)>
!memory = memref<?x64xbf16, strided<[?, 1], offset: ?>>
!h = tensor<64x64xbf16>
!f = tensor<64x64xf32>
gpu.module @kernels {
  // Tiles that are read one after the other are copied so.
  // expected-error @+1 {{'gpu.func' op expects a schedule of 1 stage, got 2}}
  gpu.func @two_stages(%k: !memory, %n: index) kernel
      attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 2>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : !f
    scf.for %j = %c0 to %n step %c1 {
      %kt = tile.load %k[%j] : !memory -> !h
      %s = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%kt, %kt : !h, !h) outs(%zero : !f) -> !f
      %vt = tile.load %k[%j] : !memory -> !h
      %o = linalg.contract indexing_maps = [#a, #b, #c]
        ins(%vt, %vt : !h, !h) outs(%zero : !f) -> !f
    }
    gpu.return
  }
}
