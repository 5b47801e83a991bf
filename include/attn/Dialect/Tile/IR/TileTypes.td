#ifndef TILE_TYPES_TD
#define TILE_TYPES_TD

include "attn/Dialect/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"

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
      a word of 64 bits for each: `tensor<3xi64>`.
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
  }];
}

def Tile_ColumnsAttr : AttrDef<Tile_Dialect, "Columns"> {
  let mnemonic = "columns";
  let summary = "the encoding of a vector that is dealt to threads like columns";
  let description = [{
    Each thread holds the elements whose columns it holds of a matrix in registers.
    Without an encoding a vector is dealt like rows. `tile-assign-layouts` says which
    are.

    Example: `tensor<64xf32, #tile.columns>`
  }];
}

def Tile_ColumnGroupsAttr : AttrDef<Tile_Dialect, "ColumnGroups"> {
  let mnemonic = "column_groups";
  let summary = "the encoding of a matrix whose columns are dealt to groups of warps";
  let description = [{
    A matrix in registers of 64 rows, which each group of four warps has all of, for
    its share of the columns: as many for each group, one after the other. Without an
    encoding the rows are dealt to groups. `tile-assign-layouts` says which are.

    Example: `tensor<64x128xf32, #tile.column_groups>`
  }];
}

#endif // TILE_TYPES_TD
