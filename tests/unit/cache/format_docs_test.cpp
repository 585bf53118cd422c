// The examples in docs/formats are read by the code that they describe.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "cache/dsse_bundle.h"
#include "cache/release_ratchet.h"
#include "cache/set_statement.h"
#include "cache_fixture.h"
#include "core/json_strict.h"
#include "core/json_types.h"
#include "skua/engine_filename.h"

namespace skua::test {
namespace {

std::string page(const std::string& name) {
  std::ifstream stream(fs::path(SKUA_SOURCE_DIR) / "docs" / "formats" / name, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

/// The first block of that language.
std::string block(const std::string& text, const std::string& language) {
  const std::string fence = "```" + language + "\n";
  const std::size_t begin = text.find(fence) + fence.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(FormatDocs, TheManifestExampleIsAManifest) {
  const auto manifest = decode_manifest(block(page("flight-manifest.md"), "json"));
  ASSERT_TRUE(accepted(manifest));
  EXPECT_EQ(manifest->files.size(), 4U);
}

TEST(FormatDocs, WhatAManifestMustSayIsInTheExample) {
  const std::string text = page("flight-manifest.md");
  const std::size_t begin = text.find("## What a set must say");
  const std::string table = text.substr(begin, text.find("\n## ", begin + 1) - begin);
  const Json example = Json::parse(block(text, "json"));
  const std::regex pointer("`(/[a-z0-9_/]+)`");
  int found = 0;
  for (std::sregex_iterator at(table.begin(), table.end(), pointer); at != std::sregex_iterator();
       ++at, ++found)
    EXPECT_TRUE(example.contains(Json::json_pointer((*at)[1].str()))) << (*at)[1];
  EXPECT_GE(found, 28);
  EXPECT_FALSE(example.contains(Json::json_pointer("/artifacts/0/engine/gone"))) << "the control";
}

TEST(FormatDocs, TheSignatureExampleHoldsAndSaysWhatIsPrinted) {
  const std::string text = page("signature.md");
  const auto key = PublicKey::from_pem(block(text, "pem"));
  ASSERT_TRUE(accepted(key));
  const auto bundle = decode_bundle(block(text, "json"));
  ASSERT_TRUE(accepted(bundle));
  EXPECT_EQ(bundle->key_hint, key->fingerprint());
  const std::string message = pre_authentication_encoding(bundle->payload);
  EXPECT_TRUE(is_signed_by(*key, bytes_of(message), bundle->signature).value());
  EXPECT_FALSE(is_signed_by(*key, bytes_of(message + " "), bundle->signature).value()) << "the control";
  const auto statement = decode_statement(bundle->payload);
  ASSERT_TRUE(accepted(statement));
  EXPECT_EQ(statement->files.size(), 2U);
  EXPECT_EQ(Json::parse(bundle->payload), Json::parse(block(text, "statement")));
}

TEST(FormatDocs, TheBuildRecordExampleIsABuildRecord) {
  EXPECT_TRUE(accepted(decode_build_record(block(page("build-record.md"), "json"))));
}

TEST(FormatDocs, TheBuildConfigExampleIsABuildConfig) {
  const auto json = parse_json(block(page("build-config.md"), "json"));
  ASSERT_TRUE(accepted(json));
  const auto config = build_config_from_json(*json, "");
  ASSERT_TRUE(accepted(config));
  EXPECT_TRUE(accepted(config->validate()));
}

TEST(FormatDocs, TheGoldenExampleIsAGoldenFile) {
  const std::string dump = block(page("golden.md"), "");
  std::string bytes;
  const std::regex row("[0-9a-f]{4} ((?: {1,2}[0-9a-f]{2})+) ");
  for (std::sregex_iterator at(dump.begin(), dump.end(), row); at != std::sregex_iterator(); ++at) {
    std::istringstream pairs((*at)[1].str());
    for (std::string pair; pairs >> pair;) bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
  }
  EXPECT_EQ(bytes.size(), 52U);
  const auto golden = decode_golden(bytes_of(bytes));
  ASSERT_TRUE(accepted(golden));
  EXPECT_EQ(golden->inputs.find("x")->view().shape, (Shape{1, 3}));
}

TEST(FormatDocs, TheRatchetExampleIsARatchet) {
  EXPECT_EQ(decode_ratchet(block(page("release-ratchet.md"), "")), 42U);
}

TEST(FormatDocs, TheFileNameExampleIsAFileName) {
  std::istringstream lines(block(page("engine-file-name.md"), ""));
  std::string form, example;
  ASSERT_TRUE(std::getline(lines, form) && std::getline(lines, example));
  EXPECT_TRUE(accepted(EngineFilenameSchema::parse(example)));
  EXPECT_FALSE(EngineFilenameSchema::parse(form).ok());
}

}  // namespace
}  // namespace skua::test
