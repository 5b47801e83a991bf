// What passes tell each other by attributes is verified.
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{has an unknown attribute 'tile.task_counter'}}
func.func private @unknown() attributes {tile.task_counter}

// -----

// expected-error @+1 {{cannot have 'tile.zero_safe', only linalg.contract or linalg.generic}}
func.func private @function() attributes {tile.zero_safe}

// -----

func.func @sum(%x: f32) -> f32 {
  // expected-error @+1 {{cannot have 'tile.within_thread', only linalg.reduce}}
  %y = arith.addf %x, %x {tile.within_thread} : f32
  return %y : f32
}

// -----

#i = affine_map<(i) -> (i)>
func.func @value(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects 'tile.skip_ones' without a value}}
  %y = linalg.generic {indexing_maps = [#i], iterator_types = ["parallel"]} outs(%x : tensor<4xf32>) attrs = {tile.skip_ones = 1} {
  ^bb0(%a: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#i = affine_map<(i) -> (i)>
func.func @number(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects 'tile.slack' to be an f32 of at least 0}}
  %y = linalg.generic {indexing_maps = [#i], iterator_types = ["parallel"]} outs(%x : tensor<4xf32>) attrs = {tile.slack = -1.0 : f32} {
  ^bb0(%a: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @running(%x: tensor<4x4xf32>, %m: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expects 'tile.running_maximum' to be an f32 of at least 0}}
  %y = linalg.reduce {arith.maxnumf} ins(%x : tensor<4x4xf32>) outs(%m : tensor<4xf32>) dimensions = [1] {tile.running_maximum}
  return %y : tensor<4xf32>
}

// -----

func.func @neighbours(%x: f32) -> f32 {
  // expected-error @+1 {{cannot have 'tile.neighbours', only memref.load}}
  %y = arith.addf %x, %x {tile.neighbours} : f32
  return %y : f32
}
