#include "skua/sha256.h"

#include <gtest/gtest.h>

#include "check.h"

namespace skua {
namespace {

using test::is_error;

constexpr char kHex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(Sha256, HexReadsBack) {
  const Sha256 digest = Sha256::from_hex(kHex).value();
  EXPECT_EQ(digest.bytes[0], 0x01);
  EXPECT_EQ(digest.bytes[7], 0xef);
  EXPECT_EQ(digest.hex(), kHex);
}

TEST(Sha256, RefusesEveryOtherForm) {
  const std::string good = kHex;
  std::string upper = good;
  upper[10] = 'A';
  std::string foreign = good;
  foreign[63] = 'g';
  for (const std::string& text : {std::string(), good.substr(1), good + "0", good + "\n",
                                  " " + good.substr(1), upper, foreign, "0x" + good.substr(2)}) {
    EXPECT_TRUE(is_error(Sha256::from_hex(text), ErrorCode::kInvalidArgument, Reason::kMalformed, "64"))
        << text;
  }
}

TEST(Sha256, EqualityIsOfBytes) {
  Sha256 digest = Sha256::from_hex(kHex).value();
  EXPECT_EQ(digest, Sha256::from_hex(kHex).value());
  digest.bytes[31] ^= 1U;
  EXPECT_NE(digest, Sha256::from_hex(kHex).value());
}

}  // namespace
}  // namespace skua
