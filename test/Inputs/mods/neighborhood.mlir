// The pixels of an image, 100 in a row: each sees those at most 6 rows and 6 columns away.

attn.mod @neighborhood
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %width = arith.constant 100 : i32
    %reach = arith.constant 6 : i32
    %qRow = arith.divui %q, %width : i32
    %kvRow = arith.divui %kv, %width : i32
    %qColumn = arith.remui %q, %width : i32
    %kvColumn = arith.remui %kv, %width : i32
    %down = arith.subi %qRow, %kvRow : i32
    %right = arith.subi %qColumn, %kvColumn : i32
    %downBack = arith.subi %zero, %down : i32
    %rows = arith.maxsi %down, %downBack : i32
    %rightBack = arith.subi %zero, %right : i32
    %columns = arith.maxsi %right, %rightBack : i32
    %nearRow = arith.cmpi sle, %rows, %reach : i32
    %nearColumn = arith.cmpi sle, %columns, %reach : i32
    %keep = arith.andi %nearRow, %nearColumn : i1
    attn.yield %keep : i1
  }
