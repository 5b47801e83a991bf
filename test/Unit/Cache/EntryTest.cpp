// What the bytes of an entry prove of themselves.
#include "attn/Cache/Entry.h"

#include <gtest/gtest.h>

using namespace attn::cache;

static const std::string key = "module {\n  a key of some lines\n}\n";
static const std::string payload("kernel\0\xff code\n", 14);

TEST(Entry, IsWhatWasEncoded) {
  for (Kind kind : kinds) {
    std::string file = encode(kind, key, payload);
    EXPECT_EQ(decode(file, kind, key), payload);
    EXPECT_EQ(kindOf(file.substr(0, kindBytes)), kind);
  }
  EXPECT_EQ(decode(encode(Kind::CPU, "", ""), Kind::CPU, ""), "");
}

/// The format is what other builds read.
TEST(Entry, BeginsWithText) {
  EXPECT_EQ(encode(Kind::PTX, "key", "payload"),
            "attn-cache 1\nkind ptx\nkey 3\npayload 7 " + digestOf("payload") +
                "\nkeypayload");
  EXPECT_EQ(digestOf(""), "af1349b9f5f9a1a6a0404dea36dcc949"
                          "9bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(Entry, NoBitMayDiffer) {
  std::string file = encode(Kind::CPU, key, payload);
  for (size_t i = 0; i < file.size() * 8; ++i) {
    std::string flipped = file;
    flipped[i / 8] ^= 1 << i % 8;
    EXPECT_EQ(decode(flipped, Kind::CPU, key), std::nullopt) << "bit " << i;
  }
}

TEST(Entry, NoEndMayBeMissing) {
  std::string file = encode(Kind::CPU, key, payload);
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_EQ(decode(file.substr(0, size), Kind::CPU, key), std::nullopt);
  EXPECT_EQ(decode(file + "x", Kind::CPU, key), std::nullopt);
}

TEST(Entry, IsOfOneKeyAndKind) {
  std::string file = encode(Kind::CPU, key, payload);
  EXPECT_EQ(decode(file, Kind::PTX, key), std::nullopt);
  EXPECT_EQ(decode(file, Kind::CPU, key + " "), std::nullopt);
  EXPECT_EQ(decode(file, Kind::CPU, key.substr(1)), std::nullopt);
  // Where a key ends is not moved: "ab" and "c" are not "a" and "bc".
  EXPECT_EQ(decode(encode(Kind::CPU, "ab", "c"), Kind::CPU, "a"), std::nullopt);
}

TEST(Entry, HasNamesOfItsOwn) {
  std::string name = fileNameOf(Kind::CPU, key);
  EXPECT_TRUE(isFileName(name));
  EXPECT_NE(name, fileNameOf(Kind::PTX, key));
  EXPECT_NE(name, fileNameOf(Kind::CPU, key + " "));
  EXPECT_FALSE(isFileName("tmp-1-2"));
  EXPECT_FALSE(isFileName(name + "x"));
  EXPECT_FALSE(isFileName("g" + name.substr(1)));
  EXPECT_EQ(kindOf(""), std::nullopt);
  EXPECT_EQ(kindOf("attn-cache 1\nkind wasm\n"), std::nullopt);
  EXPECT_EQ(kindOf("attn-cache 2\nkind cpu\n"), std::nullopt);
}
