// Tables in Markdown and CSV.
#include "report/Table.h"

#include <algorithm>

using namespace attn::bench;

/// A cell's text on one line, with what would end the cell made harmless.
static std::string escaped(const std::string &cell) {
  std::string text;
  for (char c : cell) {
    if (c == '|')
      text += '\\';
    text += c == '\n' ? ' ' : c;
  }
  return text;
}

/// The characters of UTF-8, as a terminal counts them, of most scripts.
static size_t widthOf(const std::string &text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (c & 0xc0) != 0x80; });
}

std::string attn::bench::markdownTable(const Cells &header,
                                       const std::vector<Cells> &rows) {
  std::vector<Cells> lines = {header};
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<size_t> widths(header.size(), 3);
  for (Cells &line : lines)
    for (size_t i = 0; i < line.size(); ++i) {
      line[i] = escaped(line[i]);
      widths[i] = std::max(widths[i], widthOf(line[i]));
    }
  std::string text;
  for (size_t l = 0; l < lines.size(); ++l) {
    for (size_t i = 0; i < widths.size(); ++i)
      text += "| " + lines[l][i] +
              std::string(widths[i] - widthOf(lines[l][i]) + 1, ' ');
    text += "|\n";
    if (l)
      continue;
    for (size_t width : widths)
      text += "|" + std::string(width + 2, '-');
    text += "|\n";
  }
  return text;
}

std::string attn::bench::csvLine(const Cells &cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i)
      line += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (char c : cells[i]) {
      if (c == '"')
        line += '"';
      line += c;
    }
    line += '"';
  }
  return line + "\n";
}
