// YAML to settings. yaml-cpp throws, so this file is compiled with exceptions
// and lets none of them out.
#include "config/ConfigFile.h"

#include "attn/Support/Try.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

using namespace attn;
using namespace attn::bench;

static std::string place(const std::string &path, const YAML::Mark &mark) {
  if (mark.is_null())
    return path;
  return path + ":" + std::to_string(mark.line + 1) + ":" +
         std::to_string(mark.column + 1);
}

static Result<Setting> readSetting(const std::string &path,
                                   const YAML::Node &key,
                                   const YAML::Node &value) {
  if (!key.IsScalar())
    return errorAt(place(path, key.Mark()), "expects a name as key");
  Setting setting{{key.Scalar(), place(path, key.Mark())}, {}};
  if (value.IsScalar()) {
    setting.values.push_back({value.Scalar(), place(path, value.Mark())});
  } else if (value.IsSequence()) {
    for (const YAML::Node &item : value) {
      if (!item.IsScalar())
        return errorAt(place(path, item.Mark()),
                       "expects plain values in the list '" + setting.key.text +
                           "'");
      setting.values.push_back({item.Scalar(), place(path, item.Mark())});
    }
    if (setting.values.empty())
      return errorAt(place(path, value.Mark()),
                     "expects a value in the list '" + setting.key.text +
                         "', got none");
  } else if (!value.IsNull()) {
    return errorAt(place(path, value.Mark()),
                   "expects a value or a list for '" + setting.key.text +
                       "', got a map");
  }
  return setting;
}

static Result<std::vector<Setting>> readRoot(const std::string &path,
                                             const YAML::Node &root) {
  std::vector<Setting> settings;
  if (root.IsNull())
    return settings;
  if (!root.IsMap())
    return errorAt(place(path, root.Mark()), "expects a map of settings");
  for (const auto &entry : root) {
    ATTN_TRY_ASSIGN(Setting setting,
                    readSetting(path, entry.first, entry.second));
    for (const Setting &other : settings)
      if (other.key.text == setting.key.text)
        return errorAt(setting.key.where, "key '" + other.key.text +
                                              "' is there twice, first at " +
                                              other.key.where);
    settings.push_back(std::move(setting));
  }
  return settings;
}

/// All of a file. Errors: it cannot be opened, or not read to its end.
static Result<std::string> textOf(const std::string &path) {
  auto failed = [&] {
    return errorAt(path,
                   std::string("cannot be read: ") + std::strerror(errno));
  };
  std::FILE *file = std::fopen(path.c_str(), "r");
  if (!file)
    return failed();
  std::string text;
  char part[4096];
  while (size_t count = std::fread(part, 1, sizeof(part), file))
    text.append(part, count);
  bool whole = !std::ferror(file);
  Error error = failed();
  std::fclose(file);
  return whole ? Result<std::string>(text) : error;
}

Result<std::vector<Setting>>
attn::bench::readConfigFile(const std::string &path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    return errorAt(path, "cannot be read: it is a folder");
  ATTN_TRY_ASSIGN(std::string text, textOf(path));
  try {
    std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1)
      return errorAt(place(path, documents[1].Mark()),
                     "expects one YAML document, got another one");
    return readRoot(path, documents.empty() ? YAML::Node() : documents[0]);
  } catch (const YAML::Exception &exception) {
    return errorAt(place(path, exception.mark), exception.msg);
  }
}
