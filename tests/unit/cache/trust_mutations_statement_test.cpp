// Mutations of the signed statement, each signed with the trusted key and with the root digest that it needs:
// what a signer may have said, and what is refused all the same.
#include <gtest/gtest.h>

#include "json_spoil.h"
#include "trust_mutations.h"

namespace skua::test {
namespace {

constexpr auto kManifest = ErrorCode::kManifest;
constexpr auto kMalformed = Reason::kStatementMalformed;

Json& files_of(Json& statement) { return statement["predicate"]["resources"]; }
Json& serialization_of(Json& statement) { return statement["predicate"]["serialization"]; }
Json file_json(const std::string& name) {
  return {{"name", name}, {"algorithm", "sha256"}, {"digest", digest_of(name).hex()}};
}

Mutation rooted(const std::string& name, Reason reason, std::function<void(Json&)> change) {
  return {"statement: " + name, kManifest, reason, [change = std::move(change)](SignedSet& s) {
            Json json = s.statement();
            change(json);
            s.put_statement(json);
          }};
}

/// The payload is signed as it is, without another root digest.
Mutation payload(const std::string& name, std::function<std::string(const Json&)> change) {
  return {"statement: " + name, kManifest, kMalformed,
          [change = std::move(change)](SignedSet& s) { s.put_payload(change(s.statement())); }};
}

void add_every_field(std::vector<Mutation>& table) {
  Json sample = Json::parse(encode_statement(statement_of(Manifest(), digest_of("m"))));
  for (const Member& member : members_of(sample)) {
    table.push_back(
        payload(member.text() + " absent", [=](const Json& json) { return without(json, member).dump(); }));
    table.push_back(
        payload(member.text() + " doubled", [=](const Json& json) { return doubled(json, member); }));
    table.push_back(payload(member.text() + " of another type", [=](const Json& json) {
      Json spoiled = json;
      spoiled[member.object][member.key] = 7;
      return spoiled.dump();
    }));
  }
  for (const char* const object : {"", "/subject/0", "/subject/0/digest", "/predicate",
                                   "/predicate/serialization", "/predicate/resources/0"}) {
    table.push_back(payload(std::string(object) + "/unknown", [=](const Json& json) {
      return with_unknown(json, Json::json_pointer(object)).dump();
    }));
  }
}

void add_serialization(std::vector<Mutation>& table) {
  const auto ignore = [&](const std::string& name, const Json& paths) {
    table.push_back(rooted("ignore_paths " + name, kMalformed,
                           [=](Json& json) { serialization_of(json)["ignore_paths"] = paths; }));
  };
  ignore("empty", Json::array());
  ignore("the whole folder", {"."});
  ignore("model.sig twice", {"model.sig", "model.sig"});
  ignore("another path beside model.sig", {"model.sig", "notes.txt"});
  ignore("a path below model.sig", {"model.sig/x"});
  ignore("./model.sig", {"./model.sig"});
  ignore("the tool's defaults", {"model.sig", ".git", ".gitattributes", ".gitignore", ".github"});
  ignore("an engine", {"alpha__sm87_jp6.2_trt10.3_fp16.engine"});
  table.push_back(rooted("the whole folder ignored and no files", kMalformed, [](Json& json) {
    serialization_of(json)["ignore_paths"] = {"."};
    files_of(json) = Json::array();
  }));
  table.push_back(rooted("links followed", kMalformed,
                         [](Json& json) { serialization_of(json)["allow_symlinks"] = true; }));
  table.push_back(rooted("method shards", kMalformed, [](Json& json) {
    serialization_of(json)["method"] = "shards";
    serialization_of(json)["shard_size"] = 1000000000;
  }));
  table.push_back(rooted("method shards without a size", kMalformed,
                         [](Json& json) { serialization_of(json)["method"] = "shards"; }));
  for (const char* const hash : {"blake2b", "blake3", "SHA256", "sha512"}) {
    table.push_back(rooted(std::string("hash_type ") + hash, kMalformed,
                           [=](Json& json) { serialization_of(json)["hash_type"] = hash; }));
  }
}

void add_names(std::vector<Mutation>& table) {
  for (const char* const name : {"./a.txt", "/etc/passwd", "../a.txt", "golden/../a", "golden//a", "golden/",
                                 "", ".", ".git/evil.so", ".gitignore", "a b", "a\\b", "a\nb", "\xc3\xa9"}) {
    table.push_back(rooted(std::string("a file called '") + name + "'", kMalformed,
                           [=](Json& json) { files_of(json)[0]["name"] = name; }));
  }
  table.push_back(rooted("a name of 201 bytes", kMalformed,
                         [](Json& json) { files_of(json)[0]["name"] = std::string(201, 'a'); }));
  table.push_back(rooted("a file twice", kMalformed,
                         [](Json& json) { files_of(json).push_back(Json(files_of(json)[0])); }));
  table.push_back(rooted("a file twice with two digests", kMalformed, [](Json& json) {
    files_of(json).push_back(Json(files_of(json)[0]));
    files_of(json).back()["digest"] = digest_of("other").hex();
  }));
  table.push_back(rooted("the manifest twice with two digests", kMalformed,
                         [](Json& json) { files_of(json).push_back(file_json("flight-manifest.json")); }));
  table.push_back(payload("a digest in upper case", [](Json json) {
    std::string digest = files_of(json)[0]["digest"];
    for (char& c : digest) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    digest[0] = 'A';
    files_of(json)[0]["digest"] = digest;
    return json.dump();
  }));
  table.push_back(payload("a digest of 63 digits", [](Json json) {
    files_of(json)[0]["digest"] = std::string(63, 'a');
    return json.dump();
  }));
  for (const char* const algorithm : {"sha512", "SHA256", ""}) {
    table.push_back(rooted(std::string("algorithm '") + algorithm + "'", kMalformed,
                           [=](Json& json) { files_of(json)[0]["algorithm"] = algorithm; }));
  }
  table.push_back(rooted("8194 files", kMalformed, [](Json& json) {
    while (files_of(json).size() < 8194)
      files_of(json).push_back(file_json(std::to_string(files_of(json).size())));
  }));
}

void add_heads(std::vector<Mutation>& table) {
  for (const char* const type :
       {"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1.1", ""}) {
    table.push_back(
        rooted(std::string("_type '") + type + "'", kMalformed, [=](Json& json) { json["_type"] = type; }));
  }
  for (const char* const type : {"https://model_signing/signature/v1.1", "https://model_signing/Digests/v0.1",
                                 "https://slsa.dev/provenance/v1", ""}) {
    table.push_back(rooted(std::string("predicateType '") + type + "'", kMalformed,
                           [=](Json& json) { json["predicateType"] = type; }));
  }
  table.push_back(payload("no subject", [](Json json) {
    json["subject"] = Json::array();
    return json.dump();
  }));
  table.push_back(rooted("two subjects", kMalformed,
                         [](Json& json) { json["subject"].push_back(Json(json["subject"][0])); }));
  table.push_back(payload("a wrong root digest", [](Json json) {
    json["subject"][0]["digest"]["sha256"] = digest_of("other").hex();
    return json.dump();
  }));
  table.push_back(payload("the root digest of another order", [](Json json) {
    std::swap(files_of(json)[0], files_of(json)[1]);
    return json.dump();
  }));
  table.push_back(payload("a second digest of the subject", [](Json json) {
    json["subject"][0]["digest"]["sha512"] = std::string(128, 'a');
    return json.dump();
  }));
  table.push_back(payload("empty", [](const Json&) { return std::string(); }));
  table.push_back(payload("text behind it", [](const Json& json) { return json.dump() + "x"; }));
  table.push_back(payload("a list of it", [](const Json& json) { return "[" + json.dump() + "]"; }));
  table.push_back(payload("nested 5000 deep", [](const Json&) { return std::string(5000, '['); }));
  table.push_back(
      payload("a byte order mark", [](const Json& json) { return "\xef\xbb\xbf" + json.dump(); }));
}

/// Well formed, and not what the manifest says.
void add_differences(std::vector<Mutation>& table) {
  constexpr auto kDifferent = Reason::kStatementFilesMismatch;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t at = i < 6 ? i : i + 1;  // engines and what is beside them, the manifest, golden
    table.push_back(rooted("file " + std::to_string(i) + " not listed", kDifferent, [=](Json& json) {
      ASSERT_NE(files_of(json).at(at)["name"], "flight-manifest.json");
      files_of(json).erase(at);
    }));
    table.push_back(
        rooted("file " + std::to_string(i) + " under another digest", kDifferent, [=](Json& json) {
          ASSERT_NE(files_of(json).at(at)["name"], "flight-manifest.json");
          files_of(json)[at]["digest"] = digest_of("other").hex();
        }));
  }
  table.push_back(rooted("a file that is not there", kDifferent,
                         [](Json& json) { files_of(json).push_back(file_json("zzz")); }));
  table.push_back(rooted("model.sig itself", kDifferent,
                         [](Json& json) { files_of(json).push_back(file_json("model.sig")); }));
  table.push_back(rooted("a listed file under another name", kDifferent,
                         [](Json& json) { files_of(json).back()["name"] = "zzz"; }));
  table.push_back(rooted("the manifest under another digest", Reason::kManifestNotSigned, [](Json& json) {
    for (Json& file : files_of(json)) {
      if (file["name"] == "flight-manifest.json") file["digest"] = digest_of("other").hex();
    }
  }));
  table.push_back(rooted("the manifest not listed", Reason::kManifestNotSigned, [](Json& json) {
    Json kept = Json::array();
    for (const Json& file : files_of(json)) {
      if (file["name"] != "flight-manifest.json") kept.push_back(file);
    }
    files_of(json) = kept;
  }));
  table.push_back(rooted("no files at all", Reason::kManifestNotSigned,
                         [](Json& json) { files_of(json) = Json::array(); }));
}

}  // namespace

std::vector<Mutation> statement_mutations() {
  std::vector<Mutation> table;
  add_every_field(table);
  add_serialization(table);
  add_names(table);
  add_heads(table);
  add_differences(table);
  return table;
}

namespace {

TEST(TrustMutations, OfTheStatementAreRefused) { expect_refused(statement_mutations()); }

}  // namespace
}  // namespace skua::test
