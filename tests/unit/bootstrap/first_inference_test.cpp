// The example of README.md compiles, is what README.md quotes, and fails with a typed exception where there
// is no set.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
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

TEST(FirstInference, ReadmeQuotesTheExampleWordForWord) {
  const std::string example = text_of("docs/examples/first_inference.cpp");
  ASSERT_FALSE(example.empty());
  EXPECT_THAT(text_of("README.md"), ::testing::HasSubstr("```cpp\n" + example + "```"));
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
