#ifndef TILE_TYPES_TD
#define TILE_TYPES_TD

include "attn/Dialect/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/TensorEncoding.td"

def Tile_Ring : TypeDef<Tile_Dialect, "Ring"> {
  let mnemonic = "ring";
  let summary = "tiles or numbers in shared memory that warps hand to each other";
  let description = [{
    `stages` tiles and their barriers. Producer and readers count the tiles that
    pass through: tile number n is at stage n mod `stages`.

    Example: `!tile.ring<2 x tensor<128x128xbf16>>`

    Constraints:
    - C1: 1 to 64 stages.
    - C2: a matrix of f16, bf16 or f32 with 8 to 256 rows, a multiple of 8, and 1 to 256
      columns; a vector of f32, 8 to 256 elements, a multiple of 8; or 1 to 64 numbers,
      a word of 64 bits for each: `tensor<3xi64>`. All without an encoding: how tiles lie
      in a ring, it says itself.
  }];
  let parameters = (ins "int64_t":$stages, "::mlir::RankedTensorType":$tile);
  let assemblyFormat = "`<` $stages `x` $tile `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether its elements are tiles; else they are numbers.
    bool hasTiles() const;
    /// Whether its tiles are vectors.
    bool hasVectors() const;
    /// What one stage takes of shared memory.
    int64_t getStageBytes() const;
    /// The type of a tile in a slot of the ring.
    ::mlir::RankedTensorType getTileInSlot() const;
  }];
}

def Tile_Started : TypeDef<Tile_Dialect, "Started"> {
  let mnemonic = "started";
  let summary = "a product that runs, whose result is not there yet";
  let description = [{
    `tile.start` makes one, `tile.await` has its result. Nothing else takes it: until it
    is awaited nobody can read what the matrix unit is still writing.

    Example: `!tile.started<tensor<128x64xf32>>`

    Constraints:
    - C1: a matrix of f32 in registers.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$tile);
  let assemblyFormat = "`<` $tile `>`";
  let genVerifyDecl = 1;
}

//===--- where a tile lies -----------------------------------------------------//
//
// Without an encoding threads have a tile in registers, dealt by rows: see
// lib/Conversion/TileToNVVM/Distribution.h. An encoding says what is different.

class Tile_Encoding<string name, string encodingMnemonic>
    : AttrDef<Tile_Dialect, name, [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = encodingMnemonic;
}

def Tile_ColumnsAttr : Tile_Encoding<"Columns", "columns"> {
  let summary = "the encoding of a vector that is dealt to threads like columns";
  let description = [{
    Each thread holds the elements whose columns it holds of a matrix in registers.
    Without an encoding a vector is dealt like rows. `tile-assign-layouts` says which
    are.

    Example: `tensor<64xf32, #tile.columns>`

    Constraints:
    - C1: a vector of 8 to 256 elements, a multiple of 8.
  }];
}

def Tile_ColumnGroupsAttr : Tile_Encoding<"ColumnGroups", "column_groups"> {
  let summary = "the encoding of a matrix whose columns are dealt to groups of warps";
  let description = [{
    A matrix in registers of 64 rows, which each group of four warps has all of, for
    its share of the columns: as many for each group, one after the other. Without an
    encoding the rows are dealt to groups. `tile-assign-layouts` says which are.

    Example: `tensor<64x128xf32, #tile.column_groups>`

    Constraints:
    - C1: a matrix of 64 rows and a multiple of 16 columns, at most 256.
  }];
}

def Tile_LeftOperandAttr : Tile_Encoding<"LeftOperand", "left_operand"> {
  let summary = "the encoding of a matrix in registers that is a left operand only";
  let description = [{
    Each thread holds what mma.sync takes of the left operand: for 16 rows by 16
    columns four registers of two elements, which ldmatrix reads.

    Example: `tensor<64x64xbf16, #tile.left_operand>`

    Constraints:
    - C1: a matrix of f16 or bf16 with a multiple of 16 columns.
  }];
}

def Tile_PaddedAttr : Tile_Encoding<"Padded", "padded"> {
  let summary = "the encoding of a matrix in shared memory whose rows are padded";
  let description = [{
    In a buffer of its own, each row `width` elements behind the one before.

    Example: `tensor<64x64xbf16, #tile.padded<72>>`

    Constraints:
    - C1: a matrix of f32, f16 or bf16, at most `width` wide.
  }];
  let parameters = (ins "int64_t":$width);
  let assemblyFormat = "`<` $width `>`";
}

def Tile_SlotAttr : Tile_Encoding<"Slot", "slot"> {
  let summary = "the encoding of a tile in a slot of a ring";
  let description = [{
    In shared memory, as `tile.ring` says: a matrix in chunks of 64 columns with a
    128-byte swizzle, a vector element by element. A vector is dealt to nobody: it may be
    read at rows and at columns.

    Example: `tensor<128x64xbf16, #tile.slot>`

    Constraints:
    - C1: a matrix of f16 or bf16, or a vector of f32.
  }];
}

def Tile_DiagonalsAttr : Tile_Encoding<"Diagonals", "diagonals"> {
  let summary = "the encoding of a vector with an element for each diagonal of a tile";
  let description = [{
    Element i of R + C - 1 is that of the elements (r, c) of an R x C tile with r - c = i -
    (C - 1). Each warp has those of its own rows: in shared memory, one behind the other, or,
    with `lanes`, in registers, dealt to its lanes one by one.

    Examples: of a 128 x 64 tile, `tensor<191xf32, #tile.diagonals>` and
    `tensor<191xf32, #tile.diagonals<lanes>>`

    Constraints:
    - C1: a vector of numbers of 32 bits, or of 64 in lanes.
  }];
  let parameters = (ins DefaultValuedParameter<"bool", "false">:$lanes);
  let hasCustomAssemblyFormat = 1;
}

#endif // TILE_TYPES_TD
