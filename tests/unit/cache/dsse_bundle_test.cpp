#include "cache/dsse_bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json_spoil.h"
#include "signed_set.h"

namespace skua::test {
namespace {

testing::AssertionResult malformed(const std::string& text) {
  return refused(decode_bundle(text), ErrorCode::kManifest, Reason::kSignatureMalformed);
}

std::string bundle_text() { return encode_bundle(signed_bundle("any payload")); }

Json bundle_json() { return Json::parse(bundle_text()); }

TEST(DsseBundle, ComesBackAsItWas) {
  const DsseBundle bundle = signed_bundle(std::string("any\0payload\xff", 12));
  const auto decoded = decode_bundle(encode_bundle(bundle));
  ASSERT_TRUE(accepted(decoded));
  EXPECT_EQ(decoded->payload, bundle.payload);
  EXPECT_EQ(decoded->signature, bundle.signature);
  EXPECT_EQ(decoded->key_hint, bundle.key_hint);
}

TEST(DsseBundle, EveryFieldIsWantedOnceAndOfItsType) {
  const Json json = bundle_json();
  EXPECT_EQ(expect_every_member_once(json, malformed), 11U)
      << "of mediaType, verificationMaterial and dsseEnvelope with what is in them";
  EXPECT_TRUE(accepted(decode_bundle(json.dump()))) << "the control";
}

TEST(DsseBundle, TextsThatNameSomethingElseAreRefused) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = bundle_json();
    json[Json::json_pointer(pointer)] = value;
    return json.dump();
  };
  const Json signature = bundle_json()["dsseEnvelope"]["signatures"][0];
  EXPECT_TRUE(malformed(with("/mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.3")));
  EXPECT_TRUE(malformed(with("/mediaType", "application/vnd.dev.sigstore.bundle.v0.2+json")));
  EXPECT_TRUE(malformed(with("/dsseEnvelope/payloadType", "application/vnd.in-toto+xml")));
  EXPECT_TRUE(malformed(with("/verificationMaterial/publicKey/hint", "")));
  EXPECT_TRUE(malformed(with("/verificationMaterial/publicKey/hint", std::string(64, 'A'))));
  EXPECT_TRUE(malformed(with("/verificationMaterial/tlogEntries", Json::array({Json::object()}))));
  EXPECT_TRUE(malformed(with("/dsseEnvelope/signatures", Json::array())));
  EXPECT_TRUE(malformed(with("/dsseEnvelope/signatures", Json::array({signature, signature}))));
  EXPECT_TRUE(malformed(with("/dsseEnvelope/signatures/0/keyid", "a")));
  EXPECT_TRUE(malformed(with("/dsseEnvelope/signatures/0/sig", std::string(260, 'A'))));
  EXPECT_TRUE(accepted(decode_bundle(with("/dsseEnvelope/signatures", Json::array({signature})))));
}

TEST(DsseBundle, BoundsItsSizeAndDepth) {
  const std::string text = bundle_text();
  EXPECT_TRUE(accepted(decode_bundle(text + std::string(kSignatureMaxBytes - text.size(), ' '))));
  EXPECT_TRUE(refused(decode_bundle(text + std::string(kSignatureMaxBytes - text.size() + 1, ' ')),
                      ErrorCode::kManifest, Reason::kSignatureTooLarge));
  EXPECT_TRUE(malformed(std::string(5000, '[')));
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    ASSERT_TRUE(malformed(text.substr(0, length))) << length;
  }
}

TEST(DsseBundle, TheLargestManifestFits) {
  Manifest manifest;
  for (int i = 0; i < 8192; ++i) {
    std::string name = std::to_string(100000 + i);
    manifest.files.push_back({name + std::string(200 - name.size(), 'n'), 1, digest_of(name)});
  }
  const auto text = sign_manifest(signing_key(), manifest, digest_of("manifest"));
  ASSERT_TRUE(accepted(text));
  const auto bundle = decode_bundle(*text);
  ASSERT_TRUE(accepted(bundle));
  EXPECT_EQ(decode_statement(bundle->payload)->files.size(), 8193U);
  // The public tool writes the same statement with two spaces of indentation.
  DsseBundle spaced = *bundle;
  spaced.payload = Json::parse(bundle->payload).dump(2);
  EXPECT_TRUE(accepted(decode_bundle(encode_bundle(spaced))));
}

/// The form of DSSE v1 (protocol.md), with lengths in bytes.
TEST(DsseBundle, ThePreAuthenticationEncodingCountsBytes) {
  EXPECT_EQ(pre_authentication_encoding("hello world"),
            "DSSEv1 28 application/vnd.in-toto+json 11 hello world");
  EXPECT_EQ(pre_authentication_encoding(""), "DSSEv1 28 application/vnd.in-toto+json 0 ");
  EXPECT_EQ(pre_authentication_encoding("\xc3\xa9"), "DSSEv1 28 application/vnd.in-toto+json 2 \xc3\xa9");
}

}  // namespace
}  // namespace skua::test
