// See TileFinder.h. In the order of the functions: parts, leaders, classes,
// pairs; lists are those of TileRows.
#include "TileFinder.h"

#include "TileRows.h"

#include "attn/Analysis/PositionClasses.h"
#include "attn/Analysis/TileClass.h"
#include "attn/Conversion/TileLists.h"
#include "attn/Dialect/Attn/IR/Captures.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

namespace {

class TileFinder : TileRows {
public:
  TileFinder(ModuleOp module, Team &team, const TileFinderSpec &spec)
      : TileRows(team), module(module), spec(spec), logic(spec.mask),
        classes(logic) {
    MLIRContext *context = module.getContext();
    int64_t dynamic = ShapedType::kDynamic;
    Type i32 = b.getI32Type(), i64 = b.getI64Type(), index = b.getIndexType();
    for (auto [role, type] : llvm::zip_equal(spec.captureRoles, spec.captures))
      parameters.add(role, captureArgumentType(type, /*anyStride=*/true));
    for (Role size : {Role::QueryCount, Role::KeyCount, Role::SearcherCount})
      parameters.add(size, index);
    Type parts = MemRefType::get({dynamic, dynamic, dynamic, dynamic, 2}, i32);
    for (Role part : {Role::QueryParts, Role::KeyParts})
      parameters.add(part, parts);
    Type words = MemRefType::get({dynamic, dynamic, dynamic, dynamic}, i32);
    for (Role bits : {Role::QueryLeaders, Role::KeyLeaders, Role::KeptTiles,
                      Role::FullTiles})
      parameters.add(bits, words);
    for (auto [role, type] : tileListParameters(context))
      parameters.add(role, type);
    parameters.add(Role::ListTotal, MemRefType::get({dynamic}, i64));
    parameters.add(Role::ListPairs,
                   MemRefType::get({dynamic, dynamic, dynamic}, i64));
  }

  void buildLists() {
    kernel(
        tile_lists::queryParts,
        [&] {
          return dims(queryParts, {1, 2, 3});
        },
        [&](ValueRange ids) { buildParts(ids, /*ofQueries=*/true); });
    kernel(
        tile_lists::keyParts,
        [&] {
          return dims(keyParts, {1, 2, 3});
        },
        [&](ValueRange ids) { buildParts(ids, /*ofQueries=*/false); });
    kernel(
        tile_lists::classify,
        [&] {
          SmallVector<Value> sizes = dims(kept, {0, 1, 2, 3});
          sizes.push_back(searchers);
          return sizes;
        },
        [&](ValueRange ids) { buildClasses(ids); });
    buildCountAndFill(tile_lists::count, tile_lists::fill,
                      /*transposed=*/false);
  }

  void buildTransposed() {
    buildCountAndFill(tile_lists::countTransposed, tile_lists::fillTransposed,
                      /*transposed=*/true);
  }

  void buildPairCounts() {
    kernel(
        tile_lists::countPairs,
        [&] {
          return dims(pairs, {0, 1, 2});
        },
        [&](ValueRange ids) { buildPairs(ids); });
  }

private:
  void kernel(const char *suffix,
              llvm::function_ref<SmallVector<Value>()> sizes,
              llvm::function_ref<void(ValueRange)> body) {
    team.kernel(
        module, (spec.name + suffix).str(), parameters,
        [&](FunctionOpInterface func) {
          bind(func);
          return sizes();
        },
        body);
  }

  void buildCountAndFill(const char *count, const char *fill, bool transposed) {
    auto rows = [&] { return dims(order, {0, 1, 2}); };
    kernel(count, rows, [&](ValueRange ids) { buildCounts(ids, transposed); });
    kernel(fill, rows, [&](ValueRange ids) { buildRow(ids, transposed); });
  }

  void bind(FunctionOpInterface func) {
    captures = llvm::map_to_vector(spec.captureRoles, [&](RoleAttr role) {
      return parameterOf(func, role.getRole(), role.getNumber());
    });
    captures = unpackCaptures(b, b.getLoc(), spec.captures, captures);
    const std::pair<Role, Value *> targets[] = {
        {Role::QueryCount, &queries},      {Role::KeyCount, &keys},
        {Role::SearcherCount, &searchers}, {Role::QueryParts, &queryParts},
        {Role::KeyParts, &keyParts},       {Role::QueryLeaders, &queryLeaders},
        {Role::KeyLeaders, &keyLeaders},   {Role::KeptTiles, &kept},
        {Role::FullTiles, &full},          {Role::ListOrder, &order},
        {Role::ListFirsts, &firsts},       {Role::ListCounts, &counts},
        {Role::ListTiles, &tiles},         {Role::ListTotal, &total},
        {Role::ListPairs, &pairs}};
    for (auto [role, target] : targets)
      *target = parameterOf(func, role);
  }

  SmallVector<Value> dims(Value memory, ArrayRef<int64_t> which) {
    return llvm::map_to_vector(which, [&](int64_t i) -> Value {
      return memref::DimOp::create(b, memory, i);
    });
  }

  //===--- the program ----------------------------------------------------===//
  /// What a cloned part of the program is computed from.
  SliceCloner slice(Value batch, Value head) {
    SliceCloner slice(b, loadFromMemory);
    ProgramDependence &positions = *logic.dependence();
    slice.map(positions.batch, toI32(batch));
    slice.map(positions.head, toI32(head));
    Block &body = spec.mask.front();
    for (auto [argument, value] : llvm::zip(body.getArguments(), captures))
      slice.map(argument, value);
    return slice;
  }

  Value evaluate(Value batch, Value head, Value query, Value key) {
    if (spec.mask.empty())
      return arith::ConstantIntOp::create(b, 1, 1);
    return inlineProgram(b, spec.mask, captures,
                         {toI32(batch), toI32(head), toI32(query), toI32(key)},
                         loadFromMemory);
  }

  //===--- parts ----------------------------------------------------------===//
  SmallVector<Value> partsOf(bool ofQueries) {
    return llvm::filter_to_vector(logic.parts, [&](Value part) {
      return logic.dependence()->isRow(part) == ofQueries;
    });
  }

  void buildParts(ValueRange ids, bool ofQueries) {
    buildExtremes(ids, ofQueries);
    buildLeaders(ids, ofQueries);
  }

  void buildExtremes(ValueRange ids, bool ofQueries) {
    SmallVector<Value> parts = partsOf(ofQueries);
    if (parts.empty())
      return;
    Value memory = ofQueries ? queryParts : keyParts;
    auto [first, end] = ofQueries ? queriesOf(ids[2]) : keysOf(ids[2]);
    SmallVector<Value> extremes;
    for (Value part : parts) {
      bool isFloat = isa<FloatType>(part.getType());
      double infinity = std::numeric_limits<double>::infinity();
      extremes.push_back(isFloat ? f32(infinity) : i32(INT32_MAX));
      extremes.push_back(isFloat ? f32(-infinity) : i32(INT32_MIN));
    }
    Value start = add(first, team.lane);
    auto results =
        loop(start, end, team.width, extremes,
             [&](Value position, ValueRange state) {
               SliceCloner cloner = slice(ids[0], ids[1]);
               ProgramDependence &positions = *logic.dependence();
               cloner.map(ofQueries ? positions.query : positions.key,
                          toI32(position));
               SmallVector<Value> next;
               for (auto [i, part] : llvm::enumerate(parts)) {
                 Value value = toWord(cloner.get(part));
                 next.push_back(
                     team.combine(state[2 * i], value, Team::Combine::Least));
                 next.push_back(team.combine(state[2 * i + 1], value,
                                             Team::Combine::Greatest));
               }
               return next;
             });
    for (auto [i, extreme] : llvm::enumerate(results)) {
      Value value = team.combine(extreme, i % 2 ? Team::Combine::Greatest
                                                : Team::Combine::Least);
      if (isa<FloatType>(value.getType()))
        value = arith::BitcastOp::create(b, b.getI32Type(), value);
      team.once([&, i = i] {
        memref::StoreOp::create(
            b, value, memory,
            ValueRange{index(i / 2), ids[0], ids[1], ids[2], index(i % 2)});
      });
    }
  }

  /// The value of a part as 32 bits, an i32 or f32, in the same order. Integers
  /// of 64 bits beyond that range stop at its ends.
  Value toWord(Value value) {
    Type type = value.getType(), i32Type = b.getI32Type();
    if (type.isF32() || type.isInteger(32))
      return value;
    if (isa<FloatType>(type))
      return arith::ExtFOp::create(b, b.getF32Type(), value);
    if (type.isInteger(1))
      return arith::ExtUIOp::create(b, i32Type, value);
    if (!type.isInteger(64))
      return arith::ExtSIOp::create(b, i32Type, value);
    auto i64 = [&](int64_t x) -> Value {
      return arith::ConstantIntOp::create(b, x, 64);
    };
    value = arith::MinSIOp::create(
        b, arith::MaxSIOp::create(b, value, i64(INT32_MIN)), i64(INT32_MAX));
    return arith::TruncIOp::create(b, i32Type, value);
  }

  /// A bound of a part of `type` from the word that toWord made of it.
  /// `atEnd`: what the end of the range, where wider integers stop, stands for.
  Value fromWord(Value word, Type type, int32_t end, int64_t atEnd) {
    if (auto real = dyn_cast<FloatType>(type)) {
      Value value = arith::BitcastOp::create(b, b.getF32Type(), word);
      return real.isF32() ? value
                          : Value(arith::TruncFOp::create(b, real, value));
    }
    Value value = toIndex(word);
    if (!type.isInteger(64))
      return value;
    Value stopped =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, word, i32(end));
    return select(stopped, index(atEnd), value);
  }

  /// What buildParts has found of a part on one tile.
  Interval loadPart(Value part, Value batch, Value head, Value queryTile,
                    Value keyTile) {
    bool ofQueries = logic.dependence()->isRow(part);
    SmallVector<Value> all = partsOf(ofQueries);
    int64_t number = llvm::find(all, part) - all.begin();
    if (number == static_cast<int64_t>(all.size()))
      return unbounded(part.getType());
    auto load = [&](int64_t which) -> Value {
      return memref::LoadOp::create(b, ofQueries ? queryParts : keyParts,
                                    ValueRange{index(number), batch, head,
                                               ofQueries ? queryTile : keyTile,
                                               index(which)});
    };
    return {fromWord(load(0), part.getType(), INT32_MIN, INT64_MIN),
            fromWord(load(1), part.getType(), INT32_MAX, INT64_MAX),
            {}};
  }

  Interval unbounded(Type type) {
    if (type.isInteger(64))
      return {index(INT64_MIN), index(INT64_MAX), {}};
    if (!isa<FloatType>(type))
      return {index(INT32_MIN), index(INT32_MAX), {}};
    Value nan = arith::ConstantOp::create(
        b, b.getFloatAttr(type, std::numeric_limits<double>::quiet_NaN()));
    return {nan, nan, {}};
  }

  //===--- leaders --------------------------------------------------------===//
  /// Takes the first position of those that are left and all that are equal to
  /// it, until none is left or the classes are so many that they do not pay.
  void buildLeaders(ValueRange ids, bool ofQueries) {
    ArrayRef<Value> values = ofQueries ? classes.ofQuery : classes.ofKey;
    if (values.empty())
      return;
    int64_t size = ofQueries ? spec.queryTile : spec.keyTile;
    auto [first, end] = ofQueries ? queriesOf(ids[2]) : keysOf(ids[2]);
    Value last = sub(end, index(1));
    auto valuesAt = [&, first = first](Value offset) {
      Value position = arith::MinSIOp::create(b, add(first, offset), last);
      SliceCloner cloner = slice(ids[0], ids[1]);
      ProgramDependence &positions = *logic.dependence();
      cloner.map(ofQueries ? positions.query : positions.key, toI32(position));
      return llvm::map_to_vector(
          values, [&](Value value) { return bitsOf(cloner.get(value)); });
    };
    int64_t words = wordsOf(size), most = std::max<int64_t>(size / 4, 1);
    // State: turns, leaders..., remaining...
    SmallVector<Value> initial{index(0)};
    initial.append(words, i32(0));
    for (int64_t word = 0; word < words; ++word)
      initial.push_back(existing(index(word), sub(end, first)));
    auto search = scf::WhileOp::create(
        b, ValueRange(initial).getTypes(), initial,
        [&](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            Value some = i32(0);
            for (Value word : state.take_back(words))
              some = arith::OrIOp::create(b, some, word);
            some = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, some,
                                         i32(0));
            scf::ConditionOp::create(b, both(some, less(state[0], index(most))),
                                     state);
          });
        },
        [&](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            auto [offset, rest] = takeFirst(state.take_back(words));
            SmallVector<Value> own = valuesAt(offset);
            SmallVector<Value> next{add(state[0], index(1))};
            for (int64_t word = 0; word < words; ++word) {
              Value taken = arith::XOrIOp::create(b, rest[word],
                                                  state.take_back(words)[word]);
              next.push_back(arith::OrIOp::create(b, state[1 + word], taken));
            }
            for (int64_t word = 0; word < words; ++word) {
              Value equal = team.ballot(1, [&](Value lane) {
                Value isEqual = arith::ConstantIntOp::create(b, 1, 1);
                SmallVector<Value> others =
                    valuesAt(add(lane, index(32 * word)));
                for (auto [x, y] : llvm::zip(own, others))
                  isEqual = both(
                      isEqual,
                      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y));
                return SmallVector<Value>{isEqual};
              })[0];
              next.push_back(arith::AndIOp::create(
                  b, rest[word], arith::XOrIOp::create(b, equal, i32(-1))));
            }
            scf::YieldOp::create(b, next);
          });
        });
    team.once([&] {
      for (int64_t word = 0; word < words; ++word)
        store(arith::OrIOp::create(b, search.getResult(1 + word),
                                   search.getResult(1 + words + word)),
              ofQueries ? queryLeaders : keyLeaders, ids, index(word));
    });
  }

  /// What two values have in common if they are equal.
  Value bitsOf(Value value) {
    auto type = dyn_cast<FloatType>(value.getType());
    return type ? Value(arith::BitcastOp::create(
                      b, b.getIntegerType(type.getWidth()), value))
                : value;
  }

  int64_t wordsOf(int64_t size) { return llvm::divideCeil(size, 32); }

  /// The bits of a word of a tile for the `length` positions that the tile has.
  Value existing(Value word, Value length) {
    Value left = sub(length, mul(word, index(32)));
    left = arith::MaxSIOp::create(b, index(0),
                                  arith::MinSIOp::create(b, left, index(32)));
    return toI32(sub(arith::ShLIOp::create(b, index(1), left), index(1)));
  }

  /// The number of the lowest bit that is set in `words`, -1 if none is, and
  /// the words without it.
  std::pair<Value, SmallVector<Value>> takeFirst(ValueRange words) {
    Value number = index(-1);
    for (int64_t word = words.size(); word-- > 0;) {
      Value bit = LLVM::CountTrailingZerosOp::create(
          b, b.getI32Type(), words[word], /*is_zero_poison=*/false);
      number = select(isZero(words[word]), number,
                      add(toIndex(bit), index(32 * word)));
    }
    SmallVector<Value> rest;
    Value isTaken = arith::ConstantIntOp::create(b, 0, 1);
    for (Value word : words) {
      Value without = arith::AndIOp::create(
          b, word, arith::SubIOp::create(b, word, i32(1)));
      rest.push_back(select(isTaken, word, without));
      isTaken = either(isTaken, negation(isZero(word)));
    }
    return {number, rest};
  }

  //===--- classes --------------------------------------------------------===//
  void buildClasses(ValueRange ids) {
    Value batch = ids[0], head = ids[1], row = ids[2], word = ids[3];
    Value count = tileCount(keys, spec.keyTile);
    Value firstTile = mul(word, index(32));
    SmallVector<Value> words = team.ballot(6, [&](Value lane) {
      Value tile = add(firstTile, lane);
      Value exists = less(tile, count);
      // The last tile stands in for those that do not exist.
      tile = select(exists, tile, sub(count, index(1)));
      TileClass found = classOf(batch, head, row, tile);
      Value unsure = either(both(found.canKeep, negation(found.doesKeep)),
                            both(found.canDrop, negation(found.doesDrop)));
      return SmallVector<Value>{
          both(exists, found.doesKeep), both(exists, found.doesDrop),
          both(exists, unsure),         found.difference.queries,
          found.difference.keys,        found.difference.distances};
    });
    Value own = bitsOfSearcher(ids[4]);
    auto found = forEachBit(
        arith::AndIOp::create(b, words[2], own), {words[0], words[1]},
        [&](Value bit, ValueRange state) {
          Value tile = add(firstTile, toIndex(bit));
          SearchedTile searched{batch,
                                head,
                                row,
                                tile,
                                {isSet(words[3], bit), isSet(words[4], bit),
                                 isSet(words[5], bit)}};
          return searchTile(searched, bit, state);
        });
    // Tiles that others search are for them to report.
    Value isFull =
        arith::AndIOp::create(b, arith::AndIOp::create(b, found[0], own),
                              arith::XOrIOp::create(b, found[1], i32(-1)));
    team.once([&] {
      for (auto [bits, memory] :
           {std::pair(found[0], kept), std::pair(isFull, full)})
        memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, bits, memory,
                                    ids.drop_back());
    });
  }

  /// Every `searchers`-th bit.
  Value bitsOfSearcher(Value number) {
    Value all = index(UINT32_MAX);
    Value one = sub(arith::ShLIOp::create(b, index(1), searchers), index(1));
    return toI32(
        arith::ShLIOp::create(b, arith::DivUIOp::create(b, all, one), number));
  }

  TileClass classOf(Value batch, Value head, Value row, Value tile) {
    auto [firstQuery, endOfQueries] = queriesOf(row);
    auto [firstKey, endOfKeys] = keysOf(tile);
    Value one = index(1);
    Box box{firstQuery, sub(endOfQueries, one), firstKey, sub(endOfKeys, one)};
    MaskContext context{batch, head, queries, keys, captures, loadFromMemory};
    TileClass found = emitTileClass(
        b, logic, context, box,
        [&](Value part) { return loadPart(part, batch, head, row, tile); },
        logic.isExact ? nullptr : &classes);
    if (logic.isExact) { // Only wrapping leaves a tile open.
      Value all = arith::ConstantIntOp::create(b, 1, 1);
      found.difference = {all, all, all};
    }
    return found;
  }

  struct SearchedTile {
    Value batch, head, row, tile;
    PositionClasses::Difference difference;
  };

  /// Evaluates the pairs of a tile that may differ, query by query, until one
  /// is kept and one is dropped; sets the tile's bits in the words {kept,
  /// dropped}. The last query comes first: where a document begins inside of
  /// the tile, it and the first one differ, and none between them needs a look.
  SmallVector<Value> searchTile(const SearchedTile &tile, Value bit,
                                ValueRange words) {
    auto [firstQuery, endOfQueries] = queriesOf(tile.row);
    auto [firstKey, endOfKeys] = keysOf(tile.tile);
    Value rows = sub(endOfQueries, firstQuery);
    Value columns = sub(endOfKeys, firstKey),
          lastKey = sub(endOfKeys, index(1));
    auto word = [&](bool ofQueries, Value number) {
      return wordOf(tile, ofQueries, number, rows, columns);
    };
    // State: query, whether a pair is kept, and dropped, other queries...
    SmallVector<Value> initial{sub(rows, index(1)), isSet(words[0], bit),
                               isSet(words[1], bit)};
    for (int64_t i = 0; i < wordsOf(spec.queryTile); ++i)
      initial.push_back(word(/*ofQueries=*/true, index(i)));
    auto search = scf::WhileOp::create(
        b, ValueRange(initial).getTypes(), initial,
        [&](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            Value exists = less(index(-1), state[0]);
            scf::ConditionOp::create(
                b, both(exists, negation(both(state[1], state[2]))), state);
          });
        },
        [&, firstQuery = firstQuery,
         firstKey = firstKey](OpBuilder &nested, Location, ValueRange state) {
          inside(nested, [&] {
            Value query = add(firstQuery, state[0]);
            Team::Found found = team.search(
                wordsOf(spec.keyTile),
                [&](Value i) { return word(/*ofQueries=*/false, i); },
                [&](Value offset) {
                  Value key =
                      arith::MinSIOp::create(b, add(firstKey, offset), lastKey);
                  return evaluate(tile.batch, tile.head, query, key);
                },
                {state[1], state[2]});
            auto [next, rest] = takeFirst(state.drop_front(3));
            SmallVector<Value> yielded{next, found.holds, found.fails};
            llvm::append_range(yielded, rest);
            scf::YieldOp::create(b, yielded);
          });
        });
    SmallVector<Value> next;
    for (auto [word, found] :
         llvm::zip(words, search.getResults().slice(1, 2))) {
      Value wide = arith::ExtUIOp::create(b, b.getI32Type(), found);
      next.push_back(
          arith::OrIOp::create(b, word, arith::ShLIOp::create(b, wide, bit)));
    }
    return next;
  }

  /// Bits for the queries or keys of a tile that need a look.
  Value wordOf(const SearchedTile &tile, bool ofQueries, Value number,
               Value rows, Value columns) {
    Value all = existing(number, ofQueries ? rows : columns);
    if (logic.isExact)
      return all;
    bool isOneClass = (ofQueries ? classes.ofQuery : classes.ofKey).empty();
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, index(0));
    Value leaders =
        isOneClass ? Value(arith::ExtUIOp::create(b, b.getI32Type(), isFirst))
                   : load(ofQueries ? queryLeaders : keyLeaders,
                          ValueRange{tile.batch, tile.head,
                                     ofQueries ? tile.row : tile.tile},
                          number);
    if (!ofQueries)
      return select(tile.difference.keys, all, leaders);
    // With all of its keys, and the last query, one query of as many as there
    // are keys has a pair of every distance.
    Value isWhole = negation(less(columns, index(spec.keyTile)));
    Value perDistance = arith::AndIOp::create(b, all, multiplesOfKeys(number));
    all = select(either(tile.difference.distances, negation(isWhole)), all,
                 perDistance);
    return select(tile.difference.queries, all, leaders);
  }

  /// Bits of word number `number` whose own number keyTile divides.
  Value multiplesOfKeys(Value number) {
    Value word = i32(0);
    SmallVector<uint32_t> bits(wordsOf(spec.queryTile));
    for (int64_t i = 0; i < spec.queryTile; i += spec.keyTile)
      bits[i / 32] |= uint32_t(1) << i % 32;
    for (auto [i, value] : llvm::enumerate(bits))
      word = select(
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, index(i)),
          i32(static_cast<int32_t>(value)), word);
    return word;
  }

  //===--- pairs ----------------------------------------------------------===//
  void buildPairs(ValueRange ids) {
    auto [firstQuery, endOfQueries] = queriesOf(ids[2]);
    Value rows = sub(endOfQueries, firstQuery);
    auto sums = loop(
        index(0), wordCount(/*transposed=*/false), 1, {index(0)},
        [&, first = firstQuery, end = endOfQueries](Value word,
                                                    ValueRange state) {
          auto [keptWord, fullWord] = rowWords(ids, word, /*transposed=*/false);
          Value partialWord = arith::XOrIOp::create(b, keptWord, fullWord);
          Value firstTile = mul(word, index(32));
          auto whole =
              forEachBit(fullWord, state, [&](Value bit, ValueRange sum) {
                auto [firstKey, endOfKeys] =
                    keysOf(add(firstTile, toIndex(bit)));
                return SmallVector<Value>{
                    add(sum[0], mul(rows, sub(endOfKeys, firstKey)))};
              });
          return forEachBit(partialWord, whole, [&](Value bit, ValueRange sum) {
            Value tile = add(firstTile, toIndex(bit));
            return SmallVector<Value>{
                add(sum[0], pairsOfTile(ids, first, end, tile))};
          });
        });
    team.once([&] {
      memref::StoreOp::create(
          b, arith::IndexCastOp::create(b, b.getI64Type(), sums[0]), pairs,
          ids);
    });
  }

  Value pairsOfTile(ValueRange ids, Value firstQuery, Value endOfQueries,
                    Value tile) {
    auto [firstKey, endOfKeys] = keysOf(tile);
    Value start = add(firstKey, team.lane);
    auto count = loop(
        firstQuery, endOfQueries, 1, {i32(0)},
        [&, end = endOfKeys](Value query, ValueRange rows) {
          return loop(start, end, team.width, rows,
                      [&](Value key, ValueRange state) {
                        Value keep = evaluate(ids[0], ids[1], query, key);
                        return SmallVector<Value>{arith::AddIOp::create(
                            b, state[0],
                            arith::ExtUIOp::create(b, b.getI32Type(), keep))};
                      });
        });
    return toIndex(team.combine(count[0], Team::Combine::Sum));
  }

  //===--- tiles
  //------------------------------------------------------------===//
  std::pair<Value, Value> span(Value tile, int64_t size, Value length) {
    Value first = mul(tile, index(size));
    return {first, arith::MinSIOp::create(b, add(first, index(size)), length)};
  }
  std::pair<Value, Value> queriesOf(Value tile) {
    return span(tile, spec.queryTile, queries);
  }
  std::pair<Value, Value> keysOf(Value tile) {
    return span(tile, spec.keyTile, keys);
  }

  ModuleOp module;
  const TileFinderSpec &spec;
  MaskLogic logic;
  PositionClasses classes;
  ParameterList parameters;
  // The arguments of the function that is being emitted.
  SmallVector<Value> captures;
  Value queries, keys, searchers, queryParts, keyParts, queryLeaders,
      keyLeaders, pairs;
};

} // namespace

void mlir::attn::buildTileLists(ModuleOp module, Team &team,
                                const TileFinderSpec &spec) {
  TileFinder(module, team, spec).buildLists();
}
void mlir::attn::buildTransposedLists(ModuleOp module, Team &team,
                                      const TileFinderSpec &spec) {
  TileFinder(module, team, spec).buildTransposed();
}
void mlir::attn::buildPairCounts(ModuleOp module, Team &team,
                                 const TileFinderSpec &spec) {
  TileFinder(module, team, spec).buildPairCounts();
}
