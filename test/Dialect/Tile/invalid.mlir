// RUN: attn-opt %s --split-input-file --verify-diagnostics

// load_c1: an offset for the channel.
func.func @load_c1(%m: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{expects 3 offsets for memory of rank 4 and a tile of rank 2, got 4}}
  %t = tile.load %m[%i, %i, %i, %i] : memref<?x?x?x64xf32> -> tensor<64x64xf32>
  return
}

// -----

// load_c1: a vector's rows need one each.
func.func @load_c1(%m: memref<?x?x?xf32>, %i: index) {
  // expected-error @+1 {{expects 3 offsets for memory of rank 3 and a tile of rank 1, got 2}}
  %t = tile.load %m[%i, %i] : memref<?x?x?xf32> -> tensor<64xf32>
  return
}

// -----

// load_c2: no conversion on the way.
func.func @load_c2(%m: memref<?x?x?x64xbf16>, %i: index) {
  // expected-error @+1 {{expects a tile of 'bf16', got 'f32'}}
  %t = tile.load %m[%i, %i, %i] : memref<?x?x?x64xbf16> -> tensor<64x64xf32>
  return
}

// -----

// load_c3: channels that would be lost.
func.func @load_c3(%m: memref<?x?x?x80xf32>, %i: index) {
  // expected-error @+1 {{expects a tile at least 80 wide, got 64}}
  %t = tile.load %m[%i, %i, %i] : memref<?x?x?x80xf32> -> tensor<64x64xf32>
  return
}

// -----

// load_c1: rows of two dimensions have one offset.
func.func @load_c1(%m: memref<?x?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{expects 3 offsets for memory of rank 5 and a tile of rank 2, got 4}}
  %t = tile.load %m[%i, %i, %i, %i] packed : memref<?x?x?x?x64xf32> -> tensor<64x64xf32>
  return
}

// -----

// load_c1: and there are two.
func.func @load_c1(%m: memref<?xf32>) {
  // expected-error @+1 {{expects memory of at least the tile's rank 2, got 'memref<?xf32>'}}
  %t = tile.load %m[] packed : memref<?xf32> -> tensor<64xf32>
  return
}

// -----

// load_c4
func.func @load_c4(%m: memref<?x8x128x4xf32>, %i: index) {
  // expected-error @+1 {{expects 'held' or 'packed', got both}}
  %t = tile.load %m[%i] held packed : memref<?x8x128x4xf32> -> tensor<64x64xf32>
  return
}

// -----

// store_c4: as for loads.
func.func @store_c4(%t: tensor<64x64xf32>, %m: memref<?x8x128x4xf32>, %i: index) {
  // expected-error @+1 {{expects 'held' or 'packed', got both}}
  tile.store %t, %m[%i] held packed : tensor<64x64xf32>, memref<?x8x128x4xf32>
  return
}

// -----

// scatter_add_c1
func.func @scatter_add_c1(%t: tensor<8xbf16>, %p: tensor<8xi64>, %m: memref<?xf32>) {
  // expected-error @+1 {{expects a vector or matrix and memory of f32, got 'tensor<8xbf16>' and 'memref<?xf32>'}}
  tile.scatter_add %t at %p, %m[] : tensor<8xbf16>, tensor<8xi64>, memref<?xf32>
  return
}

// -----

// scatter_add_c2: a place for each row is not enough.
func.func @scatter_add_c2(%t: tensor<8x4xf32>, %p: tensor<8xi64>, %m: memref<?xf32>) {
  // expected-error @+1 {{expects a place of i64 for each element of 'tensor<8x4xf32>', got 'tensor<8xi64>'}}
  tile.scatter_add %t at %p, %m[] : tensor<8x4xf32>, tensor<8xi64>, memref<?xf32>
  return
}

// -----

// scatter_add_c3
func.func @scatter_add_c3(%t: tensor<8xf32>, %p: tensor<8xi64>, %m: memref<?x?xf32>) {
  // expected-error @+1 {{expects an offset for each dimension of 'memref<?x?xf32>' but the last, got 0}}
  tile.scatter_add %t at %p, %m[] : tensor<8xf32>, tensor<8xi64>, memref<?x?xf32>
  return
}

// -----

// scatter_add_c4
func.func @scatter_add_c4(%t: tensor<8xf32>, %p: tensor<8xi64>, %m: memref<?xf32>) {
  // expected-error @+1 {{expects an offset that counts copies, got 'memref<?xf32>'}}
  tile.scatter_add %t at %p, %m[] {per_warp} : tensor<8xf32>, tensor<8xi64>, memref<?xf32>
  return
}

// -----

// A tile has a static shape.
func.func @static(%m: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{result #0 must be tile of static shape in registers, but got 'tensor<?x64xf32>'}}
  %t = tile.load %m[%i, %i, %i] : memref<?x?x?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

// store_c1: as for loads.
func.func @store_c1(%t: tensor<64x64xf32>, %m: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{expects 3 offsets for memory of rank 4 and a tile of rank 2, got 1}}
  tile.store %t, %m[%i] : tensor<64x64xf32>, memref<?x?x?x64xf32>
  return
}

// -----

// store_c2: as for loads.
func.func @store_c2(%t: tensor<64x64xf32>, %m: memref<?x?x?x64xf16>, %i: index) {
  // expected-error @+1 {{expects a tile of 'f16', got 'f32'}}
  tile.store %t, %m[%i, %i, %i] : tensor<64x64xf32>, memref<?x?x?x64xf16>
  return
}

// -----

// store_c3: as for loads.
func.func @store_c3(%t: tensor<64x16xf32>, %m: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{expects a tile at least 64 wide, got 16}}
  tile.store %t, %m[%i, %i, %i] : tensor<64x16xf32>, memref<?x?x?x64xf32>
  return
}

// -----

// ring_c1: nothing to go round.
// expected-error @+1 {{expects 1 to 64 stages, got 0}}
func.func private @ring_c1(!tile.ring<0 x tensor<64x64xbf16>>)

// -----

// ring_c2: nothing multiplies or adds them.
// expected-error @+1 {{expects tiles of f16, bf16 or f32 with 8 to 256 rows, a multiple of 8, and 1 to 256 columns, got 'tensor<64x64xi32>'}}
func.func private @ring_c2(!tile.ring<1 x tensor<64x64xi32>>)

// -----

// ring_c2: eight rows are one pattern.
// expected-error @+1 {{and 1 to 256 columns, got 'tensor<20x64xbf16>'}}
func.func private @ring_c2(!tile.ring<1 x tensor<20x64xbf16>>)

// -----

func.func @offset() {
  // expected-error @+1 {{expects 'offset' to be a multiple of 1024, got 512}}
  %r = tile.ring offset 512 barriers 0 readers 4 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

func.func @barriers() {
  // expected-error @+1 {{expects 'barriers' to be a multiple of 8, got 4}}
  %r = tile.ring offset 0 barriers 4 readers 4 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// read_c1
func.func @read_c1(%r: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{expects the ring's tile 'tensor<64x64xbf16, #tile.slot>', got 'tensor<64x32xbf16, #tile.slot>'}}
  %t = tile.read %r at %n : !tile.ring<1 x tensor<64x64xbf16>> -> tensor<64x32xbf16, #tile.slot>
  return
}

// -----

// ring_c2: a word of 64 bits for each number.
// expected-error @+1 {{and 1 to 256 columns, got 'tensor<2xi32>'}}
func.func private @ring_c2(!tile.ring<1 x tensor<2xi32>>)

// -----

func.func @number_offset() {
  // expected-error @+1 {{expects 'offset' to be a multiple of 8, got 4}}
  %r = tile.ring offset 4 barriers 0 readers 4 : !tile.ring<1 x tensor<1xi64>>
  return
}

// -----

// tasks_c1: a task has a number.
func.func @tasks_c1(%count: i32, %counter: !llvm.ptr<1>) {
  // expected-error @+1 {{expects a body with arguments 'i32', got 'index'}}
  tile.tasks %count from %counter {
  ^bb0(%task: index):
  } : !llvm.ptr<1>
  return
}

// -----

// tasks_c1: who counts must be told what was counted before.
func.func @tasks_c1(%count: i32, %counter: !llvm.ptr<1>) {
  // expected-error @+1 {{expects a body with arguments 'i32', 'i32', 'i32', got 'i32', 'i32'}}
  tile.tasks %count from %counter {
  ^bb0(%task: i32, %before: i32):
    tile.yield %before : i32
  } : !llvm.ptr<1>
  return
}

// -----

// tasks_c1: what is counted is added up in an i32.
func.func @tasks_c1(%count: i32, %counter: !llvm.ptr<1>, %i: index) {
  // expected-error @+1 {{expects a body that yields i32}}
  tile.tasks %count from %counter {
  ^bb0(%task: i32, %before: i32, %sum: index):
    tile.yield %i : index
  } : !llvm.ptr<1>
  return
}

// -----

// tasks_c1: numbers follow from the task alone.
func.func @tasks_c1(%count: i32, %counter: !llvm.ptr<1>) {
  // expected-error @+1 {{expects numbers of one argument, an i32}}
  tile.tasks %count from %counter numbers {
  ^bb0(%task: i32, %other: i32):
    tile.yield %other : i32
  } do {
  ^bb0(%task: i32, %other: i32):
  } : !llvm.ptr<1>
  return
}

// -----

// roles_c1: who produces does not read.
func.func @roles_c1(%r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{expects to fill rings and draw tasks where it produces, to read and release where it does not, to send about tiles where it inspects}}
  tile.roles compute {
  } produce {
    tile.release %r at %n : !tile.ring<2 x tensor<64x64xbf16>>
  }
  return
}

// -----

// roles_c1: nor does who computes draw tasks.
func.func @roles_c1(%count: i32, %counter: !llvm.ptr<1>) {
  // expected-error @+1 {{expects to fill rings and draw tasks where it produces}}
  tile.roles compute {
    %task = tile.draw_task %count from %counter : !llvm.ptr<1>
  } produce {
  }
  return
}

// -----

// send_c1: no place for the second.
func.func @send_c1(%r: !tile.ring<2 x tensor<1xi64>>, %n: i32) {
  // expected-error @+1 {{expects a ring with a place 1, got '!tile.ring<2 x tensor<1xi64>>'}}
  tile.send %n, %n : i32, i32 into %r at %n : !tile.ring<2 x tensor<1xi64>>
  return
}

// -----

// send_c1: a tile has no places for numbers.
func.func @send_c1(%r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{expects a ring of numbers, got '!tile.ring<2 x tensor<64x64xbf16>>'}}
  tile.send %n : i32 into %r at %n : !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

// receive_c1: nor are there any in it.
func.func @receive_c1(%r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{expects a ring of numbers, got '!tile.ring<2 x tensor<64x64xbf16>>'}}
  %task = tile.receive [0] of %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> i32
  return
}

// -----

// receive_c1: wider than a word.
func.func @receive_c1(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects numbers of at most 64 bits, got 'i128'}}
  %x = tile.receive [1] of %r at %n : !tile.ring<2 x tensor<2xi64>> -> i128
  return
}

// -----

// receive_c1: places are counted from zero.
func.func @receive_c1(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects a ring with a place -1, got}}
  %x = tile.receive [-1] of %r at %n : !tile.ring<2 x tensor<2xi64>> -> i32
  return
}

// -----

// receive_c1: behind the last place.
func.func @receive_c1(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects a ring with a place 2, got}}
  %x = tile.receive [2] of %r at %n : !tile.ring<2 x tensor<2xi64>> -> i32
  return
}

// -----

// receive_c1: a place for each.
func.func @receive_c1(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects 2 results, one for each place, got 1}}
  %x = tile.receive [0, 1] of %r at %n : !tile.ring<2 x tensor<2xi64>> -> i32
  return
}

// -----

// drain_c1: a wider tile needs more chunks of shared memory than there are.
func.func @drain_c1(%t: tensor<64x96xbf16>, %q: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32, %map: !llvm.ptr, %i: index) {
  // expected-error @+1 {{expects a tile that fits the ring's 'tensor<64x64xbf16>', got 'tensor<64x96xbf16>'}}
  tile.drain %t through %q at %n to %map[%i] : tensor<64x96xbf16>, !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// any_above C1
func.func @bounds(%scores: tensor<128x64xf32>, %bounds: tensor<64xf32>) {
  // expected-error @+1 {{expects a bound for each row of 'tensor<128x64xf32>', got 'tensor<64xf32>'}}
  %any = tile.any_above %scores, %bounds : tensor<128x64xf32>, tensor<64xf32>
  return
}

// -----

// load_c1: neither a vector nor a matrix.
func.func @load_c1(%m: memref<?x?x?x64xf32>, %i: index) {
  // expected-error @+1 {{expects a tile of rank 1 or 2, got 'tensor<2x4x64xf32>'}}
  %t = tile.load %m[%i, %i, %i] : memref<?x?x?x64xf32> -> tensor<2x4x64xf32>
  return
}

// -----

// load_c1: no rows in memory.
func.func @load_c1(%m: memref<64xf32, strided<[1]>>) {
  // expected-error @+1 {{expects memory of at least the tile's rank 2, got 'memref<64xf32, strided<[1]>>'}}
  %t = tile.load %m[] : memref<64xf32, strided<[1]>> -> tensor<2x64xf32>
  return
}

// -----

// has_nonfinite_c1: integers are all finite.
func.func @has_nonfinite_c1(%t: tensor<4x4xi32>) {
  // expected-error @+1 {{expects a vector or matrix of f32, f16 or bf16, got 'tensor<4x4xi32>'}}
  %x = tile.has_nonfinite %t : tensor<4x4xi32>
  return
}

// -----

// copy_c1: a vector has no rows.
func.func @copy_c1(%m: memref<?x64xbf16, strided<[64, 1]>>, %d: memref<64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{expects shared memory of rank 2, got}}
  tile.copy %m[%i] to %d : memref<?x64xbf16, strided<[64, 1]>> to memref<64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// combine_threads_c1: sums are vectors.
func.func @combine_threads_c1(%t: tensor<16x16xf32>) {
  // expected-error @+1 {{expects a vector of f32, got 'tensor<16x16xf32>'}}
  %x = tile.combine_threads %t : tensor<16x16xf32>
  return
}

// -----

// any_above_c1: bits of f32 are in order.
func.func @any_above_c1(%t: tensor<16x16xf16>, %u: tensor<16xf16>) {
  // expected-error @+1 {{expects elements and bounds of f32, got 'tensor<16x16xf16>' and 'tensor<16xf16>'}}
  %x = tile.any_above %t, %u : tensor<16x16xf16>, tensor<16xf16>
  return
}

// -----

// add_nonfinite_c1: sizes of no product.
func.func @add_nonfinite_c1(%w: tensor<16x8xf16>, %v: tensor<16x16xf16, #tile.slot>, %i: tensor<16x16xf32>) {
  // expected-error @+1 {{expects the sizes of a product, got 'tensor<16x8xf16>', 'tensor<16x16xf16, #tile.slot>' and 'tensor<16x16xf32>'}}
  %x = tile.add_nonfinite %w, %v, %i : tensor<16x8xf16>, tensor<16x16xf16, #tile.slot>, tensor<16x16xf32>
  return
}

// -----

// add_nonfinite_c1: sums are f32.
func.func @add_nonfinite_c1(%w: tensor<16x16xf16>, %v: tensor<16x16xf16, #tile.slot>) {
  // expected-error @+1 {{expects weights and values of f32, f16 or bf16 and a result of f32, got}}
  %x = tile.add_nonfinite %w, %v, %w : tensor<16x16xf16>, tensor<16x16xf16, #tile.slot>, tensor<16x16xf16>
  return
}

// -----

// clear_nonfinite_c1: a vector has no rows.
func.func @clear_nonfinite_c1(%t: tensor<16xf32, #tile.slot>) {
  // expected-error @+1 {{expects a matrix of f32, f16 or bf16, got 'tensor<16xf32, #tile.slot>'}}
  tile.clear_nonfinite %t : tensor<16xf32, #tile.slot>
  return
}

// -----

// ring_c1: below its start.
func.func @ring_c1() {
  // expected-error @+1 {{expects 'offset' from 0 to 262144, got -1024}}
  %r = tile.ring offset -1024 barriers 0 readers 4 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// ring_c1: no block has as much.
func.func @ring_c1() {
  // expected-error @+1 {{expects 'barriers' from 0 to 262144, got 1048576}}
  %r = tile.ring offset 0 barriers 1048576 readers 4 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// ring_c2: more warps than a block has.
func.func @ring_c2() {
  // expected-error @+1 {{expects 1 to 32 'readers', got 33}}
  %r = tile.ring offset 0 barriers 0 readers 33 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// read_c1: numbers are no tile.
func.func @read_c1(%r: !tile.ring<1 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects the ring's tile 'tensor<2xi64, #tile.slot>', got 'tensor<2xf32, #tile.slot>'}}
  %t = tile.read %r at %n : !tile.ring<1 x tensor<2xi64>> -> tensor<2xf32, #tile.slot>
  return
}

// -----

// fill_c1: nothing to copy to.
func.func @fill_c1(%r: !tile.ring<1 x tensor<2xi64>>, %n: i32, %map: !llvm.ptr, %i: index) {
  // expected-error @+1 {{expects a ring of matrices of 16-bit elements, got '!tile.ring<1 x tensor<2xi64>>'}}
  tile.fill %r at %n from %map[%i] : !tile.ring<1 x tensor<2xi64>>
  return
}

// -----

// fill_c1: a vector has no map.
func.func @fill_c1(%r: !tile.ring<1 x tensor<64xf32>>, %n: i32, %map: !llvm.ptr, %i: index) {
  // expected-error @+1 {{expects a ring of matrices of 16-bit elements, got '!tile.ring<1 x tensor<64xf32>>'}}
  tile.fill %r at %n from %map[%i] : !tile.ring<1 x tensor<64xf32>>
  return
}

// -----

// fill_vector_c1: of matrices.
func.func @fill_vector_c1(%r: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32, %m: memref<?xf32>, %i: index) {
  // expected-error @+1 {{expects a ring of vectors, got '!tile.ring<1 x tensor<64x64xbf16>>'}}
  tile.fill_vector %r at %n from %m[%i] : memref<?xf32> to !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// fill_vector_c1: elements that are apart.
func.func @fill_vector_c1(%r: !tile.ring<1 x tensor<64xf32>>, %n: i32, %m: memref<?xf32, strided<[2]>>, %i: index) {
  // expected-error @+1 {{expects contiguous memory of f32, got 'memref<?xf32, strided<[2]>>'}}
  tile.fill_vector %r at %n from %m[%i] : memref<?xf32, strided<[2]>> to !tile.ring<1 x tensor<64xf32>>
  return
}

// -----

// fill_vector_c1: another place than an element's.
func.func @fill_vector_c1(%r: !tile.ring<1 x tensor<64xf32>>, %n: i32, %m: memref<?x?xf32>, %i: index) {
  // expected-error @+1 {{expects 2 offsets, got 1}}
  tile.fill_vector %r at %n from %m[%i] : memref<?x?xf32> to !tile.ring<1 x tensor<64xf32>>
  return
}

// -----

// ring_type_c2: a vector that no thread has a share of.
func.func @ring_type_c2() {
  // expected-error @+1 {{expects vectors of f32 with 8 to 256 elements, a multiple of 8, got 'tensor<12xf32>'}}
  %r = tile.ring : !tile.ring<1 x tensor<12xf32>>
  return
}

// -----

// fill_c1: maps have no more.
func.func @fill_c1(%r: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32, %map: !llvm.ptr, %i: index) {
  // expected-error @+1 {{expects 1 to 4 offsets, got 5}}
  tile.fill %r at %n from %map[%i, %i, %i, %i, %i] : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// drain_c2: the row has to be named.
func.func @drain_c2(%t: tensor<64x64xbf16>, %r: !tile.ring<1 x tensor<64x64xbf16>>, %n: i32, %map: !llvm.ptr) {
  // expected-error @+1 {{expects 1 to 4 offsets, got 0}}
  tile.drain %t through %r at %n to %map[] : tensor<64x64xbf16>, !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// started_c1: products are matrices of f32.
// expected-error @+1 {{expects a matrix of f32 in registers, got 'tensor<64x64xbf16>'}}
func.func @started_c1(%t: !tile.started<tensor<64x64xbf16>>) {
  return
}

// -----

// started_c1: a result is used when it is there.
func.func @started_c1(%q: tensor<64x64xbf16>, %k: tensor<64x64xbf16, #tile.slot>, %acc: tensor<64x64xf32>,
                      %o: memref<?x64xf32>, %i: index) {
  %s = tile.start %q, %k, %acc : tensor<64x64xbf16>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  // expected-error @+1 {{'tile.store' op operand #0 must be tile of static shape in registers, dealt by rows, but got '!tile.started<tensor<64x64xf32>>'}}
  "tile.store"(%s, %o, %i) : (!tile.started<tensor<64x64xf32>>, memref<?x64xf32>, index) -> ()
  return
}

// -----

// start_c1: both operands are of one type,
func.func @start_c1(%q: tensor<64x64xf16>, %k: tensor<64x64xbf16, #tile.slot>, %acc: tensor<64x64xf32>) {
  // expected-error @+1 {{expects operands of one type, f16 or bf16, got 'tensor<64x64xf16>' and 'tensor<64x64xbf16, #tile.slot>'}}
  %s = tile.start %q, %k, %acc : tensor<64x64xf16>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  return
}

// -----

// start_c1: as deep as each other,
func.func @start_c1(%q: tensor<64x32xbf16>, %k: tensor<96x64xbf16, #tile.slot>, %acc: tensor<64x96xf32>) {
  // expected-error @+1 {{expects matrices of a product, got 'tensor<64x32xbf16>', 'tensor<96x64xbf16, #tile.slot>' and 'tensor<64x96xf32>'}}
  %s = tile.start %q, %k, %acc {rhs_transposed} : tensor<64x32xbf16>, tensor<96x64xbf16, #tile.slot>, tensor<64x96xf32>
  return
}

// -----

// start_c1: and what is transposed is said.
func.func @start_c1(%q: tensor<64x64xbf16>, %k: tensor<96x64xbf16, #tile.slot>, %acc: tensor<64x96xf32>) {
  // expected-error @+1 {{expects matrices of a product}}
  %s = tile.start %q, %k, %acc : tensor<64x64xbf16>, tensor<96x64xbf16, #tile.slot>, tensor<64x96xf32>
  return
}

// -----

// start_c2: the matrix unit reads no padded rows.
func.func @start_c2(%q: tensor<64x64xbf16, #tile.padded<72>>, %k: tensor<64x64xbf16, #tile.slot>, %acc: tensor<64x64xf32>) {
  // expected-error @+1 {{expects its left operand in registers or in a slot, got 'tensor<64x64xbf16, #tile.padded<72>>'}}
  %s = tile.start %q, %k, %acc : tensor<64x64xbf16, #tile.padded<72>>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  return
}

// -----

// start_c2: registers are not transposed.
func.func @start_c2(%q: tensor<64x64xbf16>, %k: tensor<64x64xbf16, #tile.slot>, %acc: tensor<64x64xf32>) {
  // expected-error @+1 {{expects a transposed left operand in a slot, and the right one as it is}}
  %s = tile.start %q, %k, %acc {lhs_transposed} : tensor<64x64xbf16>, tensor<64x64xbf16, #tile.slot>, tensor<64x64xf32>
  return
}

// -----

// await_c1: what is made before it is f32, too.
func.func @await_c1(%t: !tile.started<tensor<64x64xf32>>, %p: tensor<64x64xbf16>) {
  // expected-error @+1 {{expects a vector or matrix of f32 after 'after', got 'tensor<64x64xbf16>'}}
  %x = tile.await %t pending 0 after %p : tensor<64x64xbf16> : !tile.started<tensor<64x64xf32>>
  return
}

// -----

// await_c2: what the instruction takes.
func.func @await_c2(%t: !tile.started<tensor<64x64xf32>>) {
  // expected-error @+1 {{expects 'pending' from 0 to 7, got 8}}
  %x = tile.await %t pending 8 : !tile.started<tensor<64x64xf32>>
  return
}

// -----

// receive_c1: a place that no memory would hold.
func.func @receive_c1(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32) {
  // expected-error @+1 {{expects a ring with a place 4286578688, got}}
  %x = tile.receive [4286578688] of %r at %n : !tile.ring<2 x tensor<2xi64>> -> i32
  return
}

// -----

// ring_c1: half a place.
func.func @ring_c1() {
  // expected-error @+1 {{expects 'offset' and 'barriers', or neither}}
  %r = tile.ring offset 1024 : !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

// ring_c2: more numbers than anybody sends.
// expected-error @+1 {{expects 1 to 64 numbers, got 'tensor<65xi64>'}}
func.func private @ring_c2(!tile.ring<1 x tensor<65xi64>>)


// -----

// any_beyond C1
func.func @beyond(%rows: tensor<128x64xf32>, %before: i1) {
  // expected-error @+1 {{expects a row vector of f32, got 'tensor<128x64xf32>'}}
  %far = tile.any_beyond %rows or %before {bound = 1.0 : f32} : tensor<128x64xf32>
  return
}

// -----

// any_beyond C1
func.func @beyond_f16(%rows: tensor<128xf16>, %before: i1) {
  // expected-error @+1 {{expects a row vector of f32, got 'tensor<128xf16>'}}
  %far = tile.any_beyond %rows or %before {bound = 1.0 : f32} : tensor<128xf16>
  return
}

// -----

// any_beyond C2
func.func @beyond_nothing(%rows: tensor<128xf32>, %before: i1) {
  // expected-error @+1 {{expects 'bound' to be a positive number, got -1.000000e+00 : f32}}
  %far = tile.any_beyond %rows or %before {bound = -1.0 : f32} : tensor<128xf32>
  return
}

// -----

// view_c1: memory that is narrower than the tile.
func.func @view_c1(%m: memref<16x24xbf16>) {
  // expected-error @+1 {{expects memory that holds 'tensor<16x32xbf16, #tile.left_operand>', got 'memref<16x24xbf16>'}}
  %t = tile.view %m : memref<16x24xbf16> -> tensor<16x32xbf16, #tile.left_operand>
  return
}

// -----

// copy_c1, c2 and c3: as for loads.
func.func @copy_c1(%m: memref<?x64xbf16, strided<[64, 1]>>, %d: memref<16x72xbf16>, %i: index) {
  // expected-error @+1 {{expects 1 offsets for memory of rank 2 and a tile of rank 2, got 2}}
  tile.copy %m[%i, %i] to %d : memref<?x64xbf16, strided<[64, 1]>> to memref<16x72xbf16>
  return
}

// -----

// A task's numbers are scalars.
func.func @send_vector(%r: !tile.ring<2 x tensor<2xi64>>, %n: i32, %v: vector<2xf32>) {
  // expected-error @+1 {{operand #0 must be variadic of integer, index or floating-point number of at most 64 bits, but got 'vector<2xf32>'}}
  tile.send %v : vector<2xf32> into %r at %n : !tile.ring<2 x tensor<2xi64>>
  return
}

// -----

// ring_c3: nobody hands on what is shared.
func.func @ring_c3(%t: tensor<64x64xbf16>, %n: i32) {
  // expected-error @+1 {{expects neither readers nor barriers of a ring that tiles are shared in}}
  %r = tile.ring readers 8 : !tile.ring<2 x tensor<64x64xbf16>>
  %s = tile.share %t into %r at %n : tensor<64x64xbf16>, !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

func.func @share_c1(%r: !tile.ring<2 x tensor<64xf32>>, %t: tensor<64xf32>, %n: i32) {
  // expected-error @+1 {{expects a ring of matrices of 16-bit elements, got '!tile.ring<2 x tensor<64xf32>>'}}
  %s = tile.share %t into %r at %n : tensor<64xf32>, !tile.ring<2 x tensor<64xf32>>
  return
}

// -----

func.func @share_c1(%r: !tile.ring<2 x tensor<64x64xbf16>>, %t: tensor<128x64xbf16>, %n: i32) {
  // expected-error @+1 {{expects the ring's tile 'tensor<64x64xbf16>', got 'tensor<128x64xbf16>'}}
  %s = tile.share %t into %r at %n : tensor<128x64xbf16>, !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

func.func @put_c1(%r: !tile.ring<1 x tensor<64x64xbf16>>, %t: tensor<64x64xbf16>, %n: i32) {
  // expected-error @+1 {{expects a ring of matrices of f32, got '!tile.ring<1 x tensor<64x64xbf16>>'}}
  tile.put %t into %r at %n : tensor<64x64xbf16>, !tile.ring<1 x tensor<64x64xbf16>>
  return
}

// -----

func.func @put_c1(%r: !tile.ring<1 x tensor<64x64xf32>>, %t: tensor<64x128xf32>, %n: i32) {
  // expected-error @+1 {{expects the ring's tile 'tensor<64x64xf32>', got 'tensor<64x128xf32>'}}
  tile.put %t into %r at %n : tensor<64x128xf32>, !tile.ring<1 x tensor<64x64xf32>>
  return
}

// -----

func.func @hand_on_c1(%r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{expects a ring of matrices of f32, got '!tile.ring<2 x tensor<64x64xbf16>>'}}
  tile.hand_on %r at %n : !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

func.func @add_to_memory_c1(%r: !tile.ring<1 x tensor<64xf32>>, %m: memref<?x8x128x4xf32>, %n: i32, %i: index) {
  // expected-error @+1 {{expects a ring of matrices of f32, got '!tile.ring<1 x tensor<64xf32>>'}}
  tile.add_to_memory %r at %n, %m[%i] : !tile.ring<1 x tensor<64xf32>>, memref<?x8x128x4xf32>
  return
}

// -----

// add_to_memory_c1: as many channels as the tile.
func.func @add_to_memory_c1(%r: !tile.ring<1 x tensor<64x64xf32>>, %m: memref<?x16x128x4xf32>, %n: i32, %i: index) {
  // expected-error @+1 {{expects contiguous memory of f32 that ends in 8 x 128 x 4, and offsets of all other dimensions, got 'memref<?x16x128x4xf32>' and 1}}
  tile.add_to_memory %r at %n, %m[%i] : !tile.ring<1 x tensor<64x64xf32>>, memref<?x16x128x4xf32>
  return
}

// -----

func.func @reduce_add_c1(%t: tensor<48x64xf32>, %m: memref<?x8x128x4xf32>, %i: index) {
  // expected-error @+1 {{expects a matrix of f32 with a multiple of 64 rows and of 8 columns, got 'tensor<48x64xf32>'}}
  tile.reduce_add %t, %m[%i] : tensor<48x64xf32>, memref<?x8x128x4xf32>
  return
}

// -----

func.func @reduce_add_c2(%t: tensor<64x64xf32>, %m: memref<?x?x8x128x4xf32>, %i: index) {
  // expected-error @+1 {{and offsets of all other dimensions, got 'memref<?x?x8x128x4xf32>' and 1}}
  tile.reduce_add %t, %m[%i] : tensor<64x64xf32>, memref<?x?x8x128x4xf32>
  return
}

// -----

func.func @load_c4(%m: memref<?x64xf32>, %i: index) {
  // expected-error @+1 {{expects contiguous memory of f32 that ends in 8 x 128 x 4}}
  %t = tile.load %m[%i] held : memref<?x64xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @store_c4(%m: memref<?x8x128x4xf32>, %t: tensor<64x64xbf16>, %i: index) {
  // expected-error @+1 {{expects a matrix of f32 with a multiple of 64 rows and of 8 columns, got 'tensor<64x64xbf16>'}}
  tile.store %t, %m[%i] held : tensor<64x64xbf16>, memref<?x8x128x4xf32>
  return
}

// -----

func.func @isolate_nonfinite_c1(%t: tensor<64x64xbf16>) {
  // expected-error @+1 {{expects a matrix of f16 or bf16 and an f32 for each row, got 'tensor<64x64xbf16>' and 'tensor<32xf32>'}}
  %rows, %any = tile.isolate_nonfinite %t : tensor<64x64xbf16> -> tensor<32xf32>
  return
}

// -----

// roles_c1: who computes does not add to memory.
func.func @roles_c1(%r: !tile.ring<1 x tensor<64x64xf32>>, %m: memref<?x8x128x4xf32>, %n: i32, %i: index) {
  // expected-error @+1 {{and to add to memory where it stores what is put where it computes}}
  tile.roles compute {
    tile.add_to_memory %r at %n, %m[%i] : !tile.ring<1 x tensor<64x64xf32>>, memref<?x8x128x4xf32>
  } produce {
  }
  return
}

// -----

func.func @load_c5(%m: memref<?x?x64xf32>, %t: memref<?x?xi32>, %i: index) {
  // expected-error @+1 {{expects memory of rank 4 and a tile of rank 2 with a table, got 'memref<?x?x64xf32>' and rank 2}}
  %x = tile.load %m[%i, %i] through %t until %i : memref<?x?x64xf32>, memref<?x?xi32> -> tensor<64x64xf32>
  return
}

// -----

func.func @load_c5_held(%m: memref<?x8x128x4xf32>, %t: memref<?x?xi32>, %i: index) {
  // expected-error @+1 {{expects no 'held' or 'packed' with a table}}
  %x = tile.load %m[%i] through %t until %i held : memref<?x8x128x4xf32>, memref<?x?xi32> -> tensor<64x64xf32>
  return
}

// -----

func.func @load_c5_end(%m: memref<?x?x?x64xf32>, %t: memref<?x?xi32>, %i: index) {
  // expected-error @+1 {{expects a table and an end, or neither}}
  %x = "tile.load"(%m, %i, %i, %i, %t) <{operandSegmentSizes = array<i32: 1, 3, 1, 0>}> : (memref<?x?x?x64xf32>, index, index, index, memref<?x?xi32>) -> tensor<64x64xf32>
  return
}

// -----

func.func @copy_c4(%m: memref<?x?x64xbf16>, %t: memref<?x?xi32>, %s: memref<64x72xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{expects memory of rank 4 and a tile of rank 2 with a table, got 'memref<?x?x64xbf16>' and rank 2}}
  tile.copy %m[%i, %i] through %t until %i to %s : memref<?x?x64xbf16>, memref<?x?xi32> to memref<64x72xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// find_task_c1
func.func @length(%n: index) {
  // expected-error @+1 {{expects a region that takes an index, and yields one}}
  %task, %start = tile.find_task %n in %n by %n {
  ^bb0(%run: index):
    tile.yield
  }
  return
}

// -----

// find_task_c1
func.func @run(%n: index) {
  // expected-error @+1 {{expects a region that takes an index, and yields one}}
  %task, %start = tile.find_task %n in %n by %n {
  ^bb0(%run: i32):
    tile.yield %n : index
  }
  return
}

// -----

// combine_warps_c1: sums are f32.
func.func @combine_warps_c1(%t: tensor<16x64xbf16>) {
  // expected-error @+1 {{expects a vector or matrix of f32, got 'tensor<16x64xbf16>'}}
  %x = tile.combine_warps %t : tensor<16x64xbf16>
  return
}

// -----

// combine_warps_c2: where sixteen bytes begin.
func.func @combine_warps_c2(%t: tensor<16xf32>) {
  // expected-error @+1 {{expects 'offset' to be a multiple of 16, at least 0, got 8}}
  %x = tile.combine_warps greatest %t offset 8 : tensor<16xf32>
  return
}

// -----

// diagonals_c1: where sixteen bytes begin.
func.func @diagonals_c1() {
  // expected-error @+1 {{expects 'offset' to be a multiple of 16, at least 0, got 8}}
  %x = tile.diagonals offset 8 : tensor<127xf32, #tile.diagonals> {
  ^bb0(%i: index):
    %c = arith.constant 1.0 : f32
    tile.yield %c : f32
  }
  return
}

// -----

// diagonals_c1: lanes keep what has no place.
func.func @diagonals_c1() {
  // expected-error @+1 {{expects an offset or lanes that keep the result}}
  %x = tile.diagonals : tensor<127xf32, #tile.diagonals> {
  ^bb0(%i: index):
    %c = arith.constant 1.0 : f32
    tile.yield %c : f32
  }
  return
}

// -----

// diagonals_c1: what has a place is not with lanes.
func.func @diagonals_c1() {
  // expected-error @+1 {{expects an offset or lanes that keep the result}}
  %x = tile.diagonals offset 0 : tensor<127xf32, #tile.diagonals<lanes>> {
  ^bb0(%i: index):
    %c = arith.constant 1.0 : f32
    tile.yield %c : f32
  }
  return
}

// -----

// diagonals_c2: by the distance.
func.func @diagonals_c2() {
  // expected-error @+1 {{expects a body with one argument, an index}}
  %x = tile.diagonals offset 0 : tensor<127xf32, #tile.diagonals> {
  ^bb0(%i: i32):
    %c = arith.constant 1.0 : f32
    tile.yield %c : f32
  }
  return
}

// -----

// diagonals_c2: an element of the result.
func.func @diagonals_c2() {
  // expected-error @+1 {{expects a body that yields 'f32'}}
  %x = tile.diagonals offset 0 : tensor<127xf32, #tile.diagonals> {
  ^bb0(%i: index):
    tile.yield %i : index
  }
  return
}

// -----

// diagonals: of numbers of 32 bits.
// expected-error @+1 {{expects a vector of numbers of 32 bits, or of 64 in lanes, with an element for each diagonal}}
func.func private @diagonals(tensor<127xi64, #tile.diagonals>)

// -----

// sum_diagonals_c1: as many as there are.
func.func @sum_diagonals_c1(%t: tensor<64x32xf32>) {
  // expected-error @+1 {{expects the sums of a matrix of f32 in lanes, got 'tensor<64x32xf32>' and 'tensor<96xf32, #tile.diagonals<lanes>>'}}
  %x = tile.sum_diagonals %t offset 0 : tensor<64x32xf32> -> tensor<96xf32, #tile.diagonals<lanes>>
  return
}

// -----

// sum_diagonals_c1: the lanes of warps have them.
func.func @sum_diagonals_c1(%t: tensor<64x32xf32>) {
  // expected-error @+1 {{expects the sums of a matrix of f32 in lanes, got 'tensor<64x32xf32>' and 'tensor<95xf32, #tile.diagonals>'}}
  %x = tile.sum_diagonals %t offset 0 : tensor<64x32xf32> -> tensor<95xf32, #tile.diagonals>
  return
}

// -----

// sum_diagonals_c2: where sixteen bytes begin.
func.func @sum_diagonals_c2(%t: tensor<64x32xf32>) {
  // expected-error @+1 {{expects 'offset' to be a multiple of 16, at least 0, got 4}}
  %x = tile.sum_diagonals %t offset 4 : tensor<64x32xf32> -> tensor<95xf32, #tile.diagonals<lanes>>
  return
}

// -----

// scatter_add_c2: dealt alike.
func.func @scatter_add_c2(%t: tensor<95xf32, #tile.diagonals<lanes>>, %p: tensor<95xi64>, %m: memref<?xf32>) {
  // expected-error @+1 {{expects a place of i64 for each element}}
  tile.scatter_add %t at %p, %m[] : tensor<95xf32, #tile.diagonals<lanes>>, tensor<95xi64>, memref<?xf32>
  return
}

// -----

// copy_c5: the copies that say so are asynchronous.
func.func @copy_c5(%m: memref<?x64xbf16>, %s: memref<16x72xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{expects 'read_once' to go with 'async'}}
  tile.copy %m[%i] to %s {read_once} : memref<?x64xbf16> to memref<16x72xbf16, #gpu.address_space<workgroup>>
  return
}
