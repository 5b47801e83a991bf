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
  entry.registers = 168, entry.spilledBytes = 16;
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
  other.queryTile = other.keyTile = 16, other.packsHeads = true;
  other.chunk = 12, other.isDependent = true;
  image.entries.push_back(other);
  return image;
}

KernelImage exampleOfCPU() {
  KernelImage image;
  image.kind = KernelImage::Code::SharedObject;
  image.target = "x86-64-v3";
  image.features = {"sse4.2", "avx2"};
  image.code = "\x7f"
               "ELF";
  KernelEntry entry;
  entry.name = "attention";
  entry.taskCount = "attention_tasks";
  entry.signature = {{Parameter::Kind::Memory, {Role::Out}, 4, {}, 0},
                     {Parameter::Kind::Scalar, {Role::Task}, 0, {}, 0}};
  image.entries.push_back(entry);
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
  EXPECT_EQ(entry.registers, from.registers);
  EXPECT_EQ(entry.spilledBytes, from.spilledBytes);
  EXPECT_EQ(entry.queryTile, from.queryTile);
  EXPECT_EQ(entry.keyTile, from.keyTile);
  EXPECT_EQ(entry.schedule, from.schedule);
  EXPECT_EQ(entry.signature, from.signature);
  EXPECT_TRUE(entry.isPersistent());
  EXPECT_EQ(loaded->find("other"), &loaded->entries[1]);
  EXPECT_FALSE(loaded->entries[1].isPersistent());
  EXPECT_FALSE(entry.packsHeads);
  EXPECT_TRUE(loaded->entries[1].packsHeads);
  EXPECT_EQ(entry.chunk, 0);
  EXPECT_EQ(loaded->entries[1].chunk, 12);
  EXPECT_FALSE(entry.isDependent);
  EXPECT_TRUE(loaded->entries[1].isDependent);
  EXPECT_EQ(loaded->find("nothing"), nullptr);
}

TEST(KernelImage, OfACPUIsLoadedAsItWasSaved) {
  KernelImage image = exampleOfCPU();
  std::string bytes = image.save();
  EXPECT_NE(bytes.find("\ntarget x86-64-v3\nfeatures sse4.2 avx2\n"
                       "kernel attention\ntask-count attention_tasks\n"),
            std::string::npos)
      << bytes;
  auto loaded = KernelImage::load(bytes);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->save(), bytes);
  EXPECT_EQ(loaded->kind, image.kind);
  EXPECT_EQ(loaded->features, image.features);
  ASSERT_EQ(loaded->entries.size(), 1u);
  EXPECT_EQ(loaded->entries[0].taskCount, "attention_tasks");
  EXPECT_EQ(loaded->entries[0].signature, image.entries[0].signature);
  EXPECT_EQ(loaded->code, image.code);
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
  for (char other : {'1', '3'}) {
    std::string versions = bytes;
    versions[versions.find('2')] = other;
    EXPECT_EQ(KernelImage::load(versions).error(),
              std::string("expects an image of version 2, got ") + other);
  }
  // Each prefix, each byte changed: never taken, never read past its end.
  for (const std::string &whole : {bytes, exampleOfCPU().save()}) {
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(KernelImage::load(whole.substr(0, size))) << size;
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string broken = whole;
      broken[i] ^= 1;
      EXPECT_FALSE(KernelImage::load(broken)) << i;
    }
    EXPECT_FALSE(KernelImage::load(whole + " "));
  }
}

/// With the right checksum: what remains is to understand the lines.
std::string withBody(const std::string &body) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (char byte : body)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(hash));
  return "attn-image 2\nchecksum " + std::string(text) + "\n" + body;
}

TEST(KernelImage, IsRefusedWithLinesThatMeanNothing) {
  std::string end = "code ptx 1\n;";
  ASSERT_TRUE(KernelImage::load(withBody("target a b\nkernel k\n" + end)));
  for (const char *line :
       {"", "colour red", "threads 3", "kernel ", "parameter query memory 4",
        "features", "features ", "task-count x"})
    EXPECT_EQ(
        KernelImage::load(withBody(std::string(line) + "\n" + end)).error(),
        "line 3 of the image means nothing: '" + std::string(line) + "'");
  for (const char *line : {"task-count",
                           "registers",
                           "registers x",
                           "spilled-bytes 1 2",
                           "threads",
                           "threads -1",
                           "threads 1 2",
                           "threads 1x",
                           "tiles 3",
                           "threads 99999999999999999999",
                           "parameter",
                           "parameter querry scalar",
                           "parameter query",
                           "parameter query memory",
                           "parameter query memory 65",
                           "parameter capture memory 3",
                           "parameter query tensor 3",
                           "parameter tensor_map of query",
                           "parameter tensor_map of query rows",
                           "parameter query scalar 1",
                           "parameter tensor_map of key rows 3 4"})
    EXPECT_FALSE(KernelImage::load(
        withBody("kernel k\n" + std::string(line) + "\n" + end)))
        << line;
  for (const char *code :
       {"code ptx 2\n;", "code ptx 0\n;", "code c 1\n;", "code ptx\n;",
        "code ptx 1 1\n;", "code object 1\n;"})
    EXPECT_FALSE(KernelImage::load(withBody(code))) << code;
  EXPECT_FALSE(KernelImage::load(withBody("target x\n")));
}

} // namespace
