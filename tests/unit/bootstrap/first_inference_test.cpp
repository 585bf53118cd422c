// The example of README.md compiles, is what README.md quotes, and fails with a typed exception where there
// is no set.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "cache/p256.h"
#include "skua/error.h"
#include "temp_folder.h"

#define main first_inference
#include "../../../docs/examples/first_inference.cpp"
#undef main

namespace skua {
namespace {

std::string text_of(const std::string& name) {
  std::ifstream stream(std::string(SKUA_SOURCE_DIR) + "/" + name);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The one block of C++ on the page, or nothing.
std::string block_of(const std::string& page) {
  const std::string fence = "```cpp\n";
  const std::size_t begin = page.find(fence);
  if (begin == std::string::npos || page.find(fence, begin + 1) != std::string::npos) return {};
  const std::size_t from = begin + fence.size();
  return page.substr(from, page.find("```", from) - from);
}

/// The same as it stands in a function: two blanks before each line.
std::string indented(const std::string& lines) {
  std::string text;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) text += "  " + line + "\n";
  return text;
}

TEST(FirstInference, ReadmeQuotesTheExampleWordForWord) {
  const std::string quoted = block_of(text_of("README.md"));
  ASSERT_NE(quoted, "");
  EXPECT_THAT(text_of("docs/examples/first_inference.cpp"), ::testing::HasSubstr("\n" + indented(quoted)));
}

TEST(FirstInference, MissingSetIsATypedException) {
  const test::TempFolder folder;
  const PrivateKey key = PrivateKey::generate().value();
  std::string program = "first_inference", set = "/no/such/set", model = "net",
              trusted = folder.write("k.pub", key.public_key().value().pem());
  char* arguments[] = {program.data(), set.data(), model.data(), trusted.data()};
  EXPECT_EQ(first_inference(1, arguments), 2);
  EXPECT_THROW(first_inference(4, arguments), ManifestError);  // the set's absence, not the key's
}

}  // namespace
}  // namespace skua
