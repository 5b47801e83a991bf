// Images are saved and loaded bit for bit, and nothing else is taken for one.
#include "attn/Runtime/KernelImage.h"

#include <gtest/gtest.h>

#include <cstdio>

using namespace attn;

namespace {

KernelImage example() {
  KernelImage image;
  image.kind = KernelImage::Code::Cubin;
  image.target = "sm_90a";
  image.code = std::string("\0\n kernel x\ncode\xff", 17);
  KernelEntry entry;
  entry.name = "attention";
  entry.threads = 384, entry.sharedBytes = 198656;
  entry.queryTile = 128, entry.keyTile = 64;
  entry.schedule = "#attn.schedule<tiling = <q = 128, kv = 64>>";
  entry.signature = {
      {Parameter::Kind::Memory, {Role::Query}, 4, {}, 0},
      {Parameter::Kind::Scalar, {Role::Capture, 3}, 0, {}, 0},
      {Parameter::Kind::Scalar, {Role::Counter}, 0, {}, 0},
      {Parameter::Kind::TensorMap, {Role::TensorMap}, 0, {Role::Key}, 64},
      {Parameter::Kind::TensorMap,
       {Role::TensorMap},
       0,
       {Role::Workspace, 1},
       16}};
  image.entries.push_back(entry);
  KernelEntry other;
  other.name = "other";
  image.entries.push_back(other);
  return image;
}

TEST(KernelImage, IsLoadedAsItWasSaved) {
  KernelImage image = example();
  std::string bytes = image.save();
  auto loaded = KernelImage::load(bytes);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->save(), bytes);
  EXPECT_EQ(loaded->kind, image.kind);
  EXPECT_EQ(loaded->target, image.target);
  EXPECT_EQ(loaded->code, image.code);
  ASSERT_EQ(loaded->entries.size(), 2u);
  const KernelEntry &entry = loaded->entries[0], &from = image.entries[0];
  EXPECT_EQ(entry.name, from.name);
  EXPECT_EQ(entry.threads, from.threads);
  EXPECT_EQ(entry.sharedBytes, from.sharedBytes);
  EXPECT_EQ(entry.queryTile, from.queryTile);
  EXPECT_EQ(entry.keyTile, from.keyTile);
  EXPECT_EQ(entry.schedule, from.schedule);
  EXPECT_EQ(entry.signature, from.signature);
  EXPECT_TRUE(entry.isPersistent());
  EXPECT_EQ(loaded->find("other"), &loaded->entries[1]);
  EXPECT_FALSE(loaded->entries[1].isPersistent());
  EXPECT_EQ(loaded->find("nothing"), nullptr);
}

TEST(KernelImage, OfNothing) {
  auto loaded = KernelImage::load(KernelImage().save());
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_TRUE(loaded->entries.empty());
  EXPECT_TRUE(loaded->code.empty());
}

TEST(KernelImage, IsRefusedWithoutItsBytes) {
  std::string bytes = example().save();
  EXPECT_EQ(KernelImage::load("").error(), "this is no image of a kernel");
  EXPECT_EQ(KernelImage::load("#!/bin/sh\n").error(),
            "this is no image of a kernel");
  std::string newer = bytes;
  newer[newer.find('1')] = '2';
  EXPECT_EQ(KernelImage::load(newer).error(),
            "expects an image of version 1, got 2");
  // Each prefix, each byte changed: never taken, never read past its end.
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(KernelImage::load(bytes.substr(0, size))) << size;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string broken = bytes;
    broken[i] ^= 1;
    EXPECT_FALSE(KernelImage::load(broken)) << i;
  }
  EXPECT_FALSE(KernelImage::load(bytes + " "));
}

/// With the right checksum: what remains is to understand the lines.
std::string withBody(const std::string &body) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char byte : body)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(hash));
  return "attn-image 1\nchecksum " + std::string(text) + "\n" + body;
}

TEST(KernelImage, IsRefusedWithLinesThatMeanNothing) {
  std::string end = "code ptx 1\n;";
  ASSERT_TRUE(KernelImage::load(withBody("target a b\nkernel k\n" + end)));
  for (const char *line :
       {"", "colour red", "threads 3", "kernel ", "parameter query memory 4"})
    EXPECT_EQ(
        KernelImage::load(withBody(std::string(line) + "\n" + end)).error(),
        "line 3 of the image means nothing: '" + std::string(line) + "'");
  for (const char *line :
       {"threads", "threads -1", "threads 1 2", "threads 1x", "tiles 3",
        "threads 99999999999999999999", "parameter", "parameter querry scalar",
        "parameter query", "parameter query memory",
        "parameter query memory 65", "parameter capture memory 3",
        "parameter query tensor 3", "parameter tensor_map of query",
        "parameter tensor_map of query rows", "parameter query scalar 1",
        "parameter tensor_map of key rows 3 4"})
    EXPECT_FALSE(KernelImage::load(
        withBody("kernel k\n" + std::string(line) + "\n" + end)))
        << line;
  for (const char *code : {"code ptx 2\n;", "code ptx 0\n;", "code c 1\n;",
                           "code ptx\n;", "code ptx 1 1\n;"})
    EXPECT_FALSE(KernelImage::load(withBody(code))) << code;
  EXPECT_FALSE(KernelImage::load(withBody("target x\n")));
}

} // namespace
