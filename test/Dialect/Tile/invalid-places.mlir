// Where tiles lie: what their encodings can be of, and what each operation takes.
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// columns_c1: blocks of 8.
// expected-error @+1 {{expects a vector of 8 to 256 elements, a multiple of 8, to deal like columns}}
func.func private @encoding(tensor<12xf32, #tile.columns>)

// -----

// columns_c1: the encoding is one of vectors.
// expected-error @+1 {{expects a vector of 8 to 256 elements}}
func.func private @encoding(tensor<16x16xf32, #tile.columns>)

// -----

// column_groups_c1: other rows than those of a group.
// expected-error @+1 {{expects a matrix of 64 rows and a multiple of 16 columns, at most 256, to deal to groups}}
func.func private @encoding(tensor<128x64xf32, #tile.column_groups>)

// -----

// left_operand_c1: ldmatrix reads 16-bit elements.
// expected-error @+1 {{expects a matrix of f16 or bf16 with a multiple of 16 columns as a left operand in registers}}
func.func private @encoding(tensor<16x16xf32, #tile.left_operand>)

// -----

// left_operand_c1: half of what one instruction takes.
// expected-error @+1 {{expects a matrix of f16 or bf16 with a multiple of 16 columns}}
func.func private @encoding(tensor<16x24xbf16, #tile.left_operand>)

// -----

// padded_c1: rows that overlap.
// expected-error @+1 {{expects a matrix of f32, f16 or bf16 that is no wider than its padded rows}}
func.func private @encoding(tensor<16x32xbf16, #tile.padded<24>>)

// -----

// slot_c1: nothing brings them.
// expected-error @+1 {{expects a matrix of f16 or bf16, or a vector of f32, in a slot}}
func.func private @encoding(tensor<16x16xi8, #tile.slot>)

// -----

// ring_type_c2: how tiles lie, the ring says.
// expected-error @+1 {{expects tiles without an encoding, got 'tensor<64xf32, #tile.columns>'}}
func.func private @encoding(!tile.ring<1 x tensor<64xf32, #tile.columns>>)

// -----

// view_c2: other rows.
func.func @places(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @+1 {{expects a left operand, or a tile with rows of 24 elements, got 'tensor<16x16xbf16, #tile.padded<32>>'}}
  %t = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x16xbf16, #tile.padded<32>>
  return
}

// -----

// view_c2: it brings nothing to registers but left operands.
func.func @places(%m: memref<16x24xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @+1 {{expects a left operand, or a tile with rows of 24 elements, got 'tensor<16x16xbf16>'}}
  %t = tile.view %m : memref<16x24xbf16, #gpu.address_space<workgroup>> -> tensor<16x16xbf16>
  return
}

// -----

// What is stored is in registers, not in shared memory.
func.func @places(%t: tensor<16x16xbf16, #tile.padded<24>>, %m: memref<?x16xbf16, strided<[16, 1]>>, %i: index) {
  // expected-error @+1 {{'tile.store' op operand #0 must be tile of static shape in registers, dealt by rows, but got 'tensor<16x16xbf16, #tile.padded<24>>'}}
  tile.store %t, %m[%i] : tensor<16x16xbf16, #tile.padded<24>>, memref<?x16xbf16, strided<[16, 1]>>
  return
}

// -----

// It has rows: a vector of columns is held by threads of all of them.
func.func @places(%t: tensor<16xf32, #tile.columns>, %m: memref<?xf32>, %i: index) {
  // expected-error @+1 {{'tile.store' op operand #0 must be tile of static shape in registers, dealt by rows}}
  tile.store %t, %m[%i] : tensor<16xf32, #tile.columns>, memref<?xf32>
  return
}

// -----

// Groups have rows of it, and none a share of its columns.
func.func @places(%t: tensor<64x128xf32, #tile.column_groups>, %m: memref<?x128xf32>, %i: index) {
  // expected-error @+1 {{'tile.store' op operand #0 must be tile of static shape in registers, dealt by rows}}
  tile.store %t, %m[%i] : tensor<64x128xf32, #tile.column_groups>, memref<?x128xf32>
  return
}

// -----

// Threads load for themselves.
func.func @places(%m: memref<?xf32>, %i: index) {
  // expected-error @+1 {{'tile.load' op result #0 must be tile of static shape in registers, but got 'tensor<16xf32, #tile.slot>'}}
  %t = tile.load %m[%i] : memref<?xf32> -> tensor<16xf32, #tile.slot>
  return
}

// -----

// Threads add what they hold.
func.func @places(%t: tensor<64x64xf32, #tile.padded<68>>, %m: memref<?x8x128x4xf32>, %i: index) {
  // expected-error @+1 {{'tile.reduce_add' op operand #0 must be tile of static shape in registers}}
  tile.reduce_add %t, %m[%i] : tensor<64x64xf32, #tile.padded<68>>, memref<?x8x128x4xf32>
  return
}

// -----

// A warp adds its own rows.
func.func @places(%t: tensor<16xf32, #tile.columns>, %p: tensor<16xi64>, %m: memref<?xf32>) {
  // expected-error @+1 {{'tile.scatter_add' op operand #0 must be tile of static shape in registers, dealt by rows}}
  tile.scatter_add %t at %p, %m[] : tensor<16xf32, #tile.columns>, tensor<16xi64>, memref<?xf32>
  return
}

// -----

// Its places are dealt like it.
func.func @places(%t: tensor<16xf32>, %p: tensor<16xi64, #tile.columns>, %m: memref<?xf32>) {
  // expected-error @+1 {{'tile.scatter_add' op operand #1 must be tile of static shape in registers, dealt by rows}}
  tile.scatter_add %t at %p, %m[] : tensor<16xf32>, tensor<16xi64, #tile.columns>, memref<?xf32>
  return
}

// -----

// has_nonfinite_c1: nobody knows the elements of a left operand.
func.func @places(%t: tensor<16x16xbf16, #tile.left_operand>) {
  // expected-error @+1 {{expects no left operand, got 'tensor<16x16xbf16, #tile.left_operand>'}}
  %x = tile.has_nonfinite %t : tensor<16x16xbf16, #tile.left_operand>
  return
}

// -----

// What is cleared is in shared memory.
func.func @places(%t: tensor<16x16xbf16>) {
  // expected-error @+1 {{'tile.clear_nonfinite' op operand #0 must be tile of static shape in shared memory, but got 'tensor<16x16xbf16>'}}
  tile.clear_nonfinite %t : tensor<16x16xbf16>
  return
}

// -----

// Values are read key by key.
func.func @places(%w: tensor<16x16xbf16>, %i: tensor<16x16xf32>) {
  // expected-error @+1 {{'tile.add_nonfinite' op operand #1 must be tile of static shape in shared memory, but got 'tensor<16x16xbf16>'}}
  %x = tile.add_nonfinite %w, %w, %i : tensor<16x16xbf16>, tensor<16x16xbf16>, tensor<16x16xf32>
  return
}

// -----

// Weights are those of the threads.
func.func @places(%w: tensor<16x16xbf16, #tile.slot>, %i: tensor<16x16xf32>) {
  // expected-error @+1 {{'tile.add_nonfinite' op operand #0 must be tile of static shape in registers}}
  %x = tile.add_nonfinite %w, %w, %i : tensor<16x16xbf16, #tile.slot>, tensor<16x16xbf16, #tile.slot>, tensor<16x16xf32>
  return
}

// -----

// A bound for each row of a thread.
func.func @places(%t: tensor<16x16xf32>, %v: tensor<16xf32, #tile.columns>) {
  // expected-error @+1 {{'tile.any_above' op operand #1 must be tile of static shape in registers, dealt by rows}}
  %a = tile.any_above %t, %v : tensor<16x16xf32>, tensor<16xf32, #tile.columns>
  return
}

// -----

// Columns are no rows.
func.func @places(%v: tensor<16xf32, #tile.columns>, %b: i1) {
  // expected-error @+1 {{'tile.any_beyond' op operand #0 must be tile of static shape in registers, dealt by rows}}
  %a = tile.any_beyond %v or %b {bound = 1.0 : f32} : tensor<16xf32, #tile.columns>
  return
}

// -----

// The threads of a row add up its sum.
func.func @places(%v: tensor<16xf32, #tile.columns>) {
  // expected-error @+1 {{'tile.combine_threads' op operand #0 must be tile of static shape in registers, dealt by rows}}
  %s = tile.combine_threads %v : tensor<16xf32, #tile.columns>
  return
}

// -----

// What is read stays where it is.
func.func @places(%r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{'tile.read' op result #0 must be tile of static shape in a slot of a ring, but got 'tensor<64x64xbf16>'}}
  %t = tile.read %r at %n : !tile.ring<2 x tensor<64x64xbf16>> -> tensor<64x64xbf16>
  return
}

// -----

// What is shared is in registers before.
func.func @places(%t: tensor<64x64xbf16, #tile.slot>, %r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32) {
  // expected-error @+1 {{'tile.share' op operand #0 must be tile of static shape in registers, dealt by rows}}
  %s = tile.share %t into %r at %n : tensor<64x64xbf16, #tile.slot>, !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

// So is what is put there.
func.func @places(%t: tensor<64x64xf32, #tile.padded<68>>, %r: !tile.ring<1 x tensor<64x64xf32>>, %n: i32) {
  // expected-error @+1 {{'tile.put' op operand #0 must be tile of static shape in registers, but got}}
  tile.put %t into %r at %n : tensor<64x64xf32, #tile.padded<68>>, !tile.ring<1 x tensor<64x64xf32>>
  return
}

// -----

// A warp drains its own rows.
func.func @places(%t: tensor<64x64xbf16, #tile.column_groups>, %r: !tile.ring<2 x tensor<64x64xbf16>>, %n: i32, %map: !llvm.ptr, %i: index) {
  // expected-error @+1 {{'tile.drain' op operand #0 must be tile of static shape in registers, dealt by rows}}
  tile.drain %t through %r at %n to %map[%i] : tensor<64x64xbf16, #tile.column_groups>, !tile.ring<2 x tensor<64x64xbf16>>
  return
}

// -----

// Products end in registers.
// expected-error @+1 {{expects a matrix of f32 in registers, got 'tensor<64x64xf32, #tile.padded<68>>'}}
func.func @places(%t: !tile.started<tensor<64x64xf32, #tile.padded<68>>>) {
  return
}

// -----

// Numbers are sent about tiles that others wait for.
func.func @places(%t: tensor<64x64xbf16>, %d: i1, %r: !tile.ring<2 x tensor<1xi64>>, %n: i32) {
  // expected-error @+1 {{operand #1 must be tile of static shape in a slot of a ring}}
  tile.send %d : i1 about %t : tensor<64x64xbf16> into %r at %n : !tile.ring<2 x tensor<1xi64>>
  return
}

// -----

// And received.
func.func @places(%t: tensor<64x64xbf16>, %r: !tile.ring<2 x tensor<1xi64>>, %n: i32) {
  // expected-error @+1 {{operand #2 must be tile of static shape in a slot of a ring}}
  %d = tile.receive [0] of %r at %n about %t : tensor<64x64xbf16> : !tile.ring<2 x tensor<1xi64>> -> i1
  return
}
