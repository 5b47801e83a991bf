// Numbers for remarks.
#include "report/Notes.h"

#include <algorithm>
#include <set>

using namespace attn::bench;

using Texts = std::vector<std::string>;

static bool contains(const Texts &texts, const std::string &text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

Notes::Notes(const std::vector<Texts> &remarks) {
  auto isCommon = [&](const std::string &text) {
    return std::all_of(remarks.begin(), remarks.end(),
                       [&](const Texts &row) { return contains(row, text); });
  };
  for (const Texts &row : remarks) {
    std::set<size_t> numbers;
    for (const std::string &text : row) {
      if (contains(common, text))
        continue;
      auto found = std::find(numbered.begin(), numbered.end(), text);
      if (found == numbered.end() && isCommon(text)) {
        common.push_back(text);
        continue;
      }
      numbers.insert(found - numbered.begin() + 1);
      if (found == numbered.end())
        numbered.push_back(text);
    }
    std::string &cell = cells.emplace_back();
    for (size_t number : numbers)
      cell += (cell.empty() ? "" : ", ") + std::to_string(number);
  }
}

std::string Notes::text() const {
  if (common.empty() && numbered.empty())
    return "";
  std::string text = "\nNotes:\n";
  for (const std::string &note : common)
    text += "  " + note + "\n";
  for (size_t i = 0; i < numbered.size(); ++i)
    text += "  " + std::to_string(i + 1) + ": " + numbered[i] + "\n";
  return text;
}
