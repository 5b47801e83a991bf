// What was compiled, as JSON: for build systems and for people.
#include "../../Launch/PackageImpl.h"
#include "Interface.h"

#include "attn/API/Version.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace attn;
using namespace attn::aot;
using llvm::json::OStream;

static void writeSpec(OStream &json, const KernelSpec &spec) {
  json.attribute("type", toString(spec.type));
  json.attribute("headDim", spec.headDim);
  json.attribute("valueDim", spec.valueDim);
  json.attribute("lse", spec.lse);
  if (spec.scale)
    json.attribute("scale", *spec.scale);
  else
    json.attribute("scale", nullptr);
  json.attribute("schedule", spec.schedule);
  json.attribute("exact", spec.exact);
  json.attribute("deterministic", spec.deterministic);
  json.attribute("raggedQueries", spec.raggedQueries);
  json.attribute("raggedKeys", spec.raggedKeys);
  json.attribute("paged", spec.paged);
  json.attribute("invariant", spec.invariant);
  json.attribute("checked", spec.checked);
  json.attribute("stridedCaptures", spec.stridedCaptures);
  json.attribute("shares", spec.shares);
}

static void writeCapture(OStream &json, const CaptureInfo &capture) {
  json.object([&] {
    json.attribute("name", capture.name);
    json.attribute("type", toString(capture.type));
    json.attribute("rank", capture.rank);
    json.attribute("isScalar", capture.isScalar);
    json.attribute("isQueryOffset", capture.isQueryOffset);
    json.attribute("isLengths", capture.isLengths);
  });
}

static void writeImage(OStream &json, const KernelImage &image) {
  static constexpr const char *kinds[] = {"ptx", "cubin", "shared-object"};
  json.object([&] {
    json.attribute("code", kinds[static_cast<size_t>(image.kind)]);
    json.attribute("target", image.target);
    json.attribute("bytes", static_cast<int64_t>(image.code.size()));
    json.attributeArray("kernels", [&] {
      for (const KernelEntry &entry : image.entries)
        json.object([&] {
          json.attribute("name", entry.name);
          json.attribute("threads", entry.threads);
          json.attribute("sharedBytes", entry.sharedBytes);
          json.attribute("registers", entry.registers);
          json.attribute("spilledBytes", entry.spilledBytes);
        });
    });
  });
}

static void writeKernels(OStream &json, const PackagedKernels &kernels) {
  json.attributeArray("variants", [&] {
    for (size_t i = 0; i < kernels.variants.size(); ++i)
      json.object([&] {
        json.attribute("guard", toString(kernels.description.plan[i]));
        json.attribute("schedule", kernels.variants[i].schedule);
        json.attributeArray("images", [&] {
          for (const KernelImage &image : kernels.variants[i].images)
            writeImage(json, image);
        });
      });
  });
  json.attributeArray("tiles", [&] {
    for (const PackagedTiles &tiles : kernels.tiles)
      json.object([&] {
        json.attribute("functions", toString(tiles.group));
        json.attribute("queryTile", tiles.queryTile);
        json.attribute("keyTile", tiles.keyTile);
        json.attributeBegin("image");
        writeImage(json, tiles.image);
        json.attributeEnd();
      });
  });
}

std::string aot::descriptionOf(const Interface &interface) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OStream json(stream, 2);
  const KernelPackage &package = interface.first();
  json.object([&] {
    json.attribute("version", version());
    json.attribute("prefix", interface.prefix);
    json.attribute("mod", package.modName());
    json.attributeObject("kernel", [&] { writeSpec(json, package.spec()); });
    json.attributeArray("captures", [&] {
      for (const CaptureInfo &capture : package.captures())
        writeCapture(json, capture);
    });
    json.attributeArray("wrt", [&] {
      for (int64_t number : package.wrt())
        json.value(package.captures()[number].name);
    });
    json.attributeArray("targets", [&] {
      for (const KernelPackage &each : interface.packages)
        json.object([&] {
          json.attribute("target", each.made());
          json.attributeObject(
              "forward", [&] { writeKernels(json, each.impl().forward); });
          if (each.hasGradients())
            json.attributeObject("backward", [&] {
              writeKernels(json, *each.impl().gradients);
            });
        });
    });
  });
  return text + "\n";
}
