#include "cache/base64.h"

#include <gtest/gtest.h>

#include <random>

#include "cache_fixture.h"

namespace skua::test {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string decoded(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes) return "refused";
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

TEST(Base64, HoldsToTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xfb\xff\xbf", "+/+/"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes_of(bytes)), text);
    EXPECT_EQ(decoded(text), bytes) << text;
  }
}

TEST(Base64, EveryByteStringComesBack) {
  std::mt19937 random(9001);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text = to_base64(bytes_of(bytes));
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    ASSERT_EQ(decoded(text), bytes) << size;
  }
}

/// Of all the texts of four characters over the alphabet and what stands near it, exactly those decode that
/// the encoder would have written.
TEST(Base64, ExactlyOneTextStandsForGivenBytes) {
  const std::string characters = "AQgwZ/+=-_ \n";
  std::size_t accepted_count = 0;
  const std::size_t n = characters.size();
  for (std::size_t i = 0; i < n * n * n * n; ++i) {
    const std::string text = {characters[i % n], characters[i / n % n], characters[i / n / n % n],
                              characters[i / n / n / n]};
    const auto bytes = from_base64(text);
    if (!bytes) continue;
    ++accepted_count;
    EXPECT_EQ(to_base64(*bytes), text);
  }
  // Seven digits; behind the last byte only zero bits: four of them before "==", two before "=".
  std::size_t expected_count = 7 * 7 * 7 * 7;
  for (const char last : std::string("AQgwZ/+")) {
    const std::size_t value = kDigits.find(last);
    expected_count += value % 4 == 0 ? 7 * 7 : 0;
    expected_count += value % 16 == 0 ? 7 : 0;
  }
  EXPECT_EQ(accepted_count, expected_count);
}

TEST(Base64, OtherTextsAreRefused) {
  for (const std::string text :
       {"Z",    "Zg",     "Zg=",   "Zg===", "=",      "====", "Z===",   "=Zg=", "Zg==Zg==", "Zh==",
        "Zm9=", "Zm9v\n", " Zm9v", "Zm9v ", "Zm\n9v", "-_-_", "Zm9vYg", "Zg=A", "Zm9v====", "\xc3\xa9g="}) {
    EXPECT_FALSE(from_base64(text).has_value()) << text;
  }
  EXPECT_FALSE(from_base64(std::string_view("Zm\0v", 4)).has_value());
}

}  // namespace
}  // namespace skua::test
