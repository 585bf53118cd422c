// Runs a fuzz target over files, where no libFuzzer drives it: every file of the corpus is a test of every
// build. Prints how many; none at all is an error. usage: fuzz_NAME FILE-OR-FOLDER...
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz.h"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(int count, char** arguments) {
  std::vector<fs::path> files;
  for (int i = 1; i < count; ++i) {
    if (!fs::is_directory(arguments[i])) files.emplace_back(arguments[i]);
    if (!fs::is_directory(arguments[i])) continue;
    for (const auto& entry : fs::directory_iterator(arguments[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool run(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return false;
  std::fprintf(stderr, "%s\n", file.c_str());  // the last one shown is the one that failed
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const auto files = files_of(count, arguments);
  for (const fs::path& file : files) {
    if (run(file)) continue;
    std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
    return 2;
  }
  std::printf("%zu inputs, 0 findings\n", files.size());
  return files.empty() ? 2 : 0;
}
