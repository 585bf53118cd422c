#include "cache/set_statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json_spoil.h"
#include "signed_set.h"
#include "whole_manifest.h"

namespace skua::test::set_statement_tests {
namespace {

testing::AssertionResult malformed(const std::string& text) {
  return refused(decode_statement(text), ErrorCode::kManifest, Reason::kStatementMalformed);
}

SetStatement whole_statement() { return statement_of(whole_manifest(), digest_of("manifest")); }

Json whole_json() { return Json::parse(encode_statement(whole_statement())); }

/// With the root digest of what it lists, so that this is not why it is refused.
std::string rooted(Json json) {
  std::string digests;
  for (const Json& file : json["predicate"]["resources"]) {
    const Sha256 digest = Sha256::from_hex(file["digest"].get<std::string>()).value();
    digests.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  }
  json["subject"][0]["digest"]["sha256"] = digest_of(digests).hex();
  return json.dump();
}

TEST(SetStatement, ComesBackAsItWas) {
  const SetStatement statement = whole_statement();
  const auto decoded = decode_statement(encode_statement(statement));
  ASSERT_TRUE(accepted(decoded));
  EXPECT_EQ(decoded->subject, "set-1");
  EXPECT_EQ(decoded->files, statement.files);
  EXPECT_EQ(decoded->files.size(), whole_manifest().files.size() + 1);
  EXPECT_TRUE(accepted(check_statement(*decoded, whole_manifest())));
}

TEST(SetStatement, ListsFilesByTheComponentsOfTheirPaths) {
  Manifest manifest;
  for (const char* const name : {"a-b", "a.txt", "a/z", "b", "a/b/c", "a/b-c", "flight-n"}) {
    manifest.files.push_back({name, 1, digest_of(name)});
  }
  std::vector<std::string> names;
  for (const SignedFile& file : statement_of(manifest, digest_of("m")).files) names.push_back(file.name);
  EXPECT_THAT(names, testing::ElementsAre("a/b/c", "a/b-c", "a/z", "a-b", "a.txt", "b",
                                          "flight-manifest.json", "flight-n"));
}

TEST(SetStatement, EveryFieldIsWantedOnceAndOfItsType) {
  const Json json = whole_json();
  EXPECT_EQ(expect_every_member_once(json, malformed), 13U + 3U * (whole_manifest().files.size() + 1));
  EXPECT_TRUE(accepted(decode_statement(rooted(json)))) << "the control";
}

TEST(SetStatement, TheRootDigestIsThatOfTheFilesInTheirOrder) {
  Json json = whole_json();
  auto& files = json["predicate"]["resources"];
  std::swap(files[0], files[1]);
  EXPECT_TRUE(malformed(json.dump())) << "another order is another root digest";
  EXPECT_TRUE(accepted(decode_statement(rooted(json)))) << "an order is free as long as its digest follows";
}

TEST(SetStatement, NamesArePlainAndDifferent) {
  for (const std::string name : {"./a.txt", "/a.txt", "../a.txt", "a/../b", "a//b", "a/", "", ".", ".git/x",
                                 ".hidden", "a b", "a\\b", "a\nb", "\xc3\xa9"}) {
    Json json = whole_json();
    json["predicate"]["resources"][0]["name"] = name;
    EXPECT_TRUE(malformed(rooted(json))) << name;
  }
  Json twice = whole_json();
  twice["predicate"]["resources"].push_back(twice["predicate"]["resources"][0]);
  EXPECT_TRUE(malformed(rooted(twice)));
  Json other = whole_json();
  other["predicate"]["resources"][0]["name"] = "another-name";
  EXPECT_TRUE(accepted(decode_statement(rooted(other)))) << "the control";
}

TEST(SetStatement, ADifferenceToTheManifestIsNamed) {
  const auto difference = [](auto change) {
    SetStatement statement = whole_statement();
    change(statement);
    const Status checked = check_statement(statement, whole_manifest());
    EXPECT_TRUE(refused(checked, ErrorCode::kManifest, Reason::kStatementFilesMismatch));
    return checked.ok() ? std::string() : checked.error().message;
  };
  using testing::HasSubstr;
  EXPECT_THAT(difference([](auto& s) { s.files.push_back({"zzz", digest_of("z")}); }), HasSubstr("'zzz'"));
  EXPECT_THAT(difference([](auto& s) {
                s.files.push_back({"model.sig", digest_of("z")});
              }),
              HasSubstr("'model.sig'"));
  for (std::size_t i = 0; i < whole_statement().files.size(); ++i) {
    const std::string name = whole_statement().files[i].name;
    const bool is_manifest = name == "flight-manifest.json";
    const auto at = static_cast<std::ptrdiff_t>(i);
    EXPECT_THAT(difference([&](auto& s) { s.files.erase(s.files.begin() + at); }),
                HasSubstr(is_manifest ? "the manifest itself" : name));
    if (is_manifest) continue;  // its digest is compared with the bytes, before they are parsed
    EXPECT_THAT(difference([&](auto& s) { s.files[i].sha256 = digest_of("other"); }), HasSubstr(name));
    EXPECT_THAT(difference([&](auto& s) { s.files[i].name += "x"; }), HasSubstr(name + "x"));
  }
}

}  // namespace
}  // namespace skua::test::set_statement_tests
