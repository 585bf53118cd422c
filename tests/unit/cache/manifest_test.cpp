#include "cache/manifest.h"

#include <gtest/gtest.h>

#include "json_spoil.h"
#include "whole_manifest.h"

namespace skua::test::manifest_tests {
namespace {

testing::AssertionResult malformed(const std::string& text) {
  return refused(decode_manifest(text), ErrorCode::kManifest, Reason::kManifestMalformed);
}

bool is_free_map(const std::string& path) { return path.ends_with("options") || path.ends_with("/proof"); }

TEST(Manifest, ComesBackAsItWas) {
  Manifest manifest = whole_manifest();
  for (int i = 0; i < 2; ++i) {
    const std::string text = encode_manifest(manifest);
    const auto decoded = decode_manifest(text);
    ASSERT_TRUE(accepted(decoded));
    EXPECT_EQ(*decoded, manifest);
    EXPECT_EQ(encode_manifest(*decoded), text);
    manifest.not_after.reset();
  }
}

TEST(Manifest, EveryMissingFieldIsRefused) {
  const Json json = Json::parse(encode_manifest(whole_manifest()));
  std::size_t tried = 0;
  for (const Member& member : members_of(json)) {
    if (is_free_map(member.object.to_string())) continue;
    EXPECT_TRUE(malformed(without(json, member).dump())) << member.text();
    ++tried;
  }
  EXPECT_GT(tried, 150U);
}

TEST(Manifest, EveryFieldOfAnotherTypeIsRefused) {
  const Json json = Json::parse(encode_manifest(whole_manifest()));
  for (const Member& member : members_of(json)) {
    const bool may_be_null = member.key == "not_after" || member.key == "calibration";
    for (const Json& spoiled : with_other_types(json, member, !may_be_null)) {
      EXPECT_TRUE(malformed(spoiled.dump())) << member.text() << " = " << spoiled[member.object][member.key];
    }
  }
}

TEST(Manifest, UnknownAndDoubledFieldsAreRefused) {
  const Json json = Json::parse(encode_manifest(whole_manifest()));
  for (const Member& member : members_of(json)) {
    EXPECT_TRUE(malformed(doubled(json, member))) << member.text();
    if (is_free_map(member.object.to_string())) continue;
    EXPECT_TRUE(malformed(with_unknown(json, member.object).dump())) << member.object.to_string();
  }
  EXPECT_TRUE(accepted(decode_manifest(json.dump()))) << "the control";
}

TEST(Manifest, EveryShorterTextIsRefused) {
  const std::string text = encode_manifest(whole_manifest());
  for (std::size_t length = 0; length + 1 < text.size(); length += 7)
    ASSERT_TRUE(malformed(text.substr(0, length))) << length;
  EXPECT_TRUE(malformed(text + "{}"));
  EXPECT_TRUE(malformed("\xff" + text));
}

TEST(Manifest, BoundsDepthAndSize) {
  std::string deep(5000, '[');
  EXPECT_TRUE(malformed(deep));
  const std::string text = encode_manifest(whole_manifest());
  EXPECT_TRUE(accepted(decode_manifest(text + std::string(kManifestMaxBytes - text.size(), ' '))));
  EXPECT_TRUE(refused(decode_manifest(text + std::string(kManifestMaxBytes - text.size() + 1, ' ')),
                      ErrorCode::kManifest, Reason::kManifestTooLarge));
}

TEST(Manifest, AnotherSchemaVersionHasItsOwnCodeWhateverElseIsThere) {
  Json json = Json::parse(encode_manifest(whole_manifest()));
  json["schema"] = 2;
  json["field_of_schema_2"] = true;
  json.erase("files");
  EXPECT_TRUE(refused(decode_manifest(json.dump()), ErrorCode::kManifest, Reason::kManifestSchemaVersion));
  json["schema"] = 0;
  EXPECT_TRUE(refused(decode_manifest(json.dump()), ErrorCode::kManifest, Reason::kManifestSchemaVersion));
  json["schema"] = "1";
  EXPECT_TRUE(malformed(json.dump()));
}

template <typename Change>
testing::AssertionResult malformed_after(Change change) {
  Manifest manifest = whole_manifest();
  if (!decode_manifest(encode_manifest(manifest)).ok())
    return testing::AssertionFailure() << "the control is refused";
  change(manifest);
  return malformed(encode_manifest(manifest));
}

TEST(Manifest, IllegalIdsDatesAndNamesAreRefused) {
  EXPECT_TRUE(malformed_after([](auto& m) { m.set_id = "../x"; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.release_sequence = 0; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.release_sequence = (1ULL << 53U) + 1; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.created = "now"; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.not_after = "never"; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].name = "Alpha"; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts.clear(); }));
}

TEST(Manifest, ListsAreSortedAndHaveNoDoubles) {
  EXPECT_TRUE(malformed_after([](auto& m) { std::swap(m.artifacts[0], m.artifacts[1]); }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[1].name = m.artifacts[0].name; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[1].engine = m.artifacts[0].engine; }));
  EXPECT_TRUE(malformed_after([](auto& m) { std::swap(m.files[0], m.files[1]); }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.files.insert(m.files.begin(), m.files[0]); }));
}

TEST(Manifest, AnArtifactIsCalledAsItsEnginesModel) {
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].name = "aleph"; })) << "still legal and sorted";
}

TEST(Manifest, FilePathsArePlain) {
  for (const std::string name : {"/etc/passwd", "../up", "a/../b", "a//b", "a/", ".hidden", "a/.hidden",
                                 "a\\b", "a b", "", "flight-manifest.json", "model.sig"}) {
    EXPECT_TRUE(malformed_after([&](auto& m) {
      m.files.push_back({name, 1, digest_of("x")});
      std::sort(m.files.begin(), m.files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    })) << name;
  }
}

TEST(Manifest, EveryArtifactsFilesAreListedWithItsDigests) {
  for (std::size_t i = 0; i < whole_manifest().files.size(); ++i) {
    EXPECT_TRUE(malformed_after([&](auto& m) {
      m.files.erase(m.files.begin() + static_cast<std::ptrdiff_t>(i));
    })) << i;
  }
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].engine.engine_sha256 = digest_of("other"); }));
  EXPECT_TRUE(malformed_after([](auto& m) { ++m.artifacts[0].engine.size_bytes; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].engine.golden.sha256 = digest_of("other"); }));
  EXPECT_TRUE(malformed_after([](auto& m) { ++m.artifacts[0].engine.golden.size_bytes; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].engine.runtime_label = "pytorch_fp16"; }));
  EXPECT_TRUE(malformed_after([](auto& m) { m.artifacts[0].engine.created = ""; }));
}

TEST(Manifest, SetIdsAndPaths) {
  for (const char* const good : {"a", "set-1", "2026.01_x"}) EXPECT_TRUE(is_legal_set_id(good)) << good;
  EXPECT_TRUE(is_legal_set_id(std::string(100, 'a')));
  EXPECT_FALSE(is_legal_set_id(std::string(101, 'a')));
  for (const char* const bad : {"", ".", "..", ".a", "A", "a/b", "a b", "a\n", "CURRENT"}) {
    EXPECT_FALSE(is_legal_set_id(bad)) << bad;
  }
  EXPECT_TRUE(is_plain_relative("golden/a.B-c_1"));
  EXPECT_TRUE(is_plain_relative(std::string(200, 'a')));
  EXPECT_FALSE(is_plain_relative(std::string(201, 'a')));
  EXPECT_FALSE(is_plain_relative(std::string_view("a\0b", 3)));
}

TEST(Manifest, ContentDigestCoversContentAlone) {
  const Manifest manifest = whole_manifest();
  const Sha256 digest = content_digest(manifest);
  Manifest other = manifest;
  other.set_id = "set-2";
  other.release_sequence = 99;
  other.created = "2030-01-01T00:00:00Z";
  other.not_after.reset();
  other.files.clear();
  other.artifacts[0].engine.created = "2031-01-01T00:00:00Z";
  EXPECT_EQ(content_digest(other), digest);
  const auto changed = [&](auto change) {
    Manifest spoiled = manifest;
    change(spoiled);
    return content_digest(spoiled) != digest;
  };
  EXPECT_TRUE(changed([](auto& m) { m.artifacts[0].engine.engine_sha256 = digest_of("x"); }));
  EXPECT_TRUE(changed([](auto& m) { m.artifacts[1].criticality = 9; }));
  EXPECT_TRUE(changed([](auto& m) { m.artifacts[0].engine.golden.sha256 = digest_of("x"); }));
  EXPECT_TRUE(changed([](auto& m) { m.runtime_options["device"] = "cpu"; }));
  EXPECT_TRUE(changed([](auto& m) { m.host.sm = 86; }));
  EXPECT_TRUE(changed([](auto& m) { m.builder = "skua 9"; }));
}

}  // namespace
}  // namespace skua::test::manifest_tests
