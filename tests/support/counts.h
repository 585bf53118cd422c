// Counts of repetitions, from the one table tests/counts.txt, for the depth that SKUA_DEPTH names; and how
// many of them a test has reached, for the table of scripts/trust_table.sh.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace skua_test {

// The figure of row `name` in `table` for `depth` (test, ci or prove). Throws on an unknown name or depth.
inline std::int64_t count_from(std::istream& table, std::string_view name, std::string_view depth) {
  if (depth != "test" && depth != "ci" && depth != "prove") {
    throw std::invalid_argument("SKUA_DEPTH is '" + std::string(depth) + "': use test, ci or prove");
  }
  for (std::string line; std::getline(table, line);) {
    std::istringstream row(line);
    std::string row_name;
    std::int64_t test = 0;
    std::int64_t ci = 0;
    std::int64_t prove = 0;
    if (!(row >> row_name) || row_name.front() == '#' || row_name != name) continue;
    if (!(row >> test >> ci >> prove)) {
      throw std::runtime_error("tests/counts.txt: row '" + row_name + "' needs three figures");
    }
    return depth == "test" ? test : depth == "ci" ? ci : prove;
  }
  throw std::out_of_range("tests/counts.txt has no row '" + std::string(name) + "'");
}

// The figure of row `name` for the depth of this run; SKUA_DEPTH unset means test.
inline std::int64_t count(std::string_view name) {
  const char* const depth = std::getenv("SKUA_DEPTH");
  std::ifstream table(SKUA_SOURCE_DIR "/tests/counts.txt");
  return count_from(table, name, depth != nullptr && *depth != '\0' ? depth : "test");
}

// Prints "reached <row> <n>", and appends that line to the file that SKUA_REACHED names, where it names one.
// A row that several tests or processes share is the sum of what they reached.
inline void reached(std::string_view row, std::int64_t n) {
  const std::string line = "reached " + std::string(row) + " " + std::to_string(n) + "\n";
  std::cout << line << std::flush;
  const char* const path = std::getenv("SKUA_REACHED");
  if (path == nullptr || *path == '\0') return;
  std::ofstream file(path, std::ios::app);
  file << line << std::flush;  // one write: processes that run at the same time do not mix their lines
  if (!file) throw std::runtime_error("cannot append to SKUA_REACHED, " + std::string(path));
}

}  // namespace skua_test
