#include "cache/set_statement.h"

#include <algorithm>
#include <set>

#include "cache/dsse_bundle.h"
#include "cache/json_fields.h"
#include "cache/set_files.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://model_signing/signature/v1.0";
constexpr std::size_t kMaxResources = 8193;  // the files of a manifest, and the manifest
constexpr std::size_t kMaxSubject = 4096;

Error malformed(const Error& cause) {
  return make_error(ErrorCode::kManifest, Reason::kStatementMalformed,
                    "signed statement: " + cause.message +
                        "; sign with skua sign, or with model_signing and --no-ignore-git-paths");
}

Error different(const std::string& what) {
  return make_error(ErrorCode::kManifest, Reason::kStatementFilesMismatch,
                    "the signature and the manifest disagree: " + what +
                        "; do not fly it, provision and sign the set again");
}

/// What the subject's digest is: over the raw digests, in the order listed.
Sha256 root_digest(const std::vector<SignedFile>& files) {
  Sha256Hasher hasher;
  for (const SignedFile& file : files) hasher.update(std::as_bytes(std::span(file.sha256.bytes)));
  return hasher.finish();
}

/// "a/z" before "a-b": the tool sorts paths by their components.
bool is_path_before(const SignedFile& left, const SignedFile& right) {
  const auto as_key = [](std::string text) {
    std::replace(text.begin(), text.end(), '/', '\0');
    return text;
  };
  return as_key(left.name) < as_key(right.name);
}

Result<SignedFile> read_resource(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  SignedFile file;
  file.name = reader.text("name", kMaxNameBytes);
  expect_text(reader, "algorithm", "sha256");
  file.sha256 = reader.digest("digest");
  if (reader.ok() && !is_plain_relative(file.name))
    reader.fail("name", "a plain relative path", quote(file.name));
  SKUA_RETURN_IF_ERROR(reader.finish());
  return file;
}

Result<std::string> read_ignored(const Json& json, const std::string& path) {
  if (json.is_string() && json.get_ref<const std::string&>() == kSignatureName)
    return std::string(kSignatureName);
  return make_error(ErrorCode::kIo, Reason::kMalformed,
                    path + ": expected 'model.sig' and nothing else to be ignored, found another path");
}

/// The method, spelled out: whatever would leave a file or a link unchecked is refused.
Result<bool> read_serialization(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  expect_text(reader, "method", "files");
  expect_text(reader, "hash_type", "sha256");
  if (reader.boolean("allow_symlinks")) reader.fail("allow_symlinks", "false", "true");
  const auto ignored = read_list<std::string>(reader, "ignore_paths", 1, read_ignored);
  if (reader.ok() && ignored.empty()) reader.fail("ignore_paths", "exactly 'model.sig'", "none");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return true;
}

Result<std::vector<SignedFile>> read_predicate(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  static_cast<void>(read_object<bool>(reader, "serialization", read_serialization));
  auto files = read_list<SignedFile>(reader, "resources", kMaxResources, read_resource);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return files;
}

struct Subject {
  std::string name;
  Sha256 digest;
};

Result<Subject> read_subject(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  Subject subject;
  subject.name = reader.text("name", kMaxSubject);
  ObjectReader digest(reader.object("digest"), reader.path_of("digest"));
  subject.digest = digest.digest("sha256");
  if (const Status read = digest.finish(); reader.ok() && !read.ok()) reader.fail(read.error());
  SKUA_RETURN_IF_ERROR(reader.finish());
  return subject;
}

Status check_different(const std::vector<SignedFile>& files) {
  std::set<std::string_view> names;
  for (const SignedFile& file : files) {
    if (names.insert(file.name).second) continue;
    return make_error(ErrorCode::kIo, Reason::kMalformed,
                      "predicate.resources: expected different names, found " + quote(file.name) + " twice");
  }
  return {};
}

Result<SetStatement> read_statement(const Json& json) {
  ObjectReader reader(json, "");
  SetStatement statement;
  expect_text(reader, "_type", kStatementType);
  const auto subjects = read_list<Subject>(reader, "subject", 1, read_subject);
  if (reader.ok() && subjects.empty()) reader.fail("subject", "exactly one", "none");
  expect_text(reader, "predicateType", kPredicateType);
  statement.files = read_object<std::vector<SignedFile>>(reader, "predicate", read_predicate);
  SKUA_RETURN_IF_ERROR(reader.finish());
  SKUA_RETURN_IF_ERROR(check_different(statement.files));
  statement.subject = subjects.front().name;
  if (subjects.front().digest == root_digest(statement.files)) return statement;
  return make_error(ErrorCode::kIo, Reason::kMalformed,
                    "subject[0].digest.sha256: expected the digest over all listed digests, " +
                        root_digest(statement.files).hex() + ", found " + subjects.front().digest.hex());
}

Json subject_json(const SetStatement& statement) {
  Json digest = Json::object();
  digest["sha256"] = root_digest(statement.files).hex();
  Json json = Json::object();
  json["name"] = statement.subject;
  json["digest"] = std::move(digest);
  return json;
}

Json resource_json(const SignedFile& file) {
  Json json = Json::object();
  json["name"] = file.name;
  json["algorithm"] = "sha256";
  json["digest"] = file.sha256.hex();
  return json;
}

Json predicate_json(const SetStatement& statement) {
  Json serialization = Json::object();
  serialization["method"] = "files";
  serialization["hash_type"] = "sha256";
  serialization["allow_symlinks"] = false;
  serialization["ignore_paths"] = Json::array();
  serialization["ignore_paths"].push_back(kSignatureName);
  Json json = Json::object();
  json["serialization"] = std::move(serialization);
  json["resources"] = Json::array();
  for (const SignedFile& file : statement.files) json["resources"].push_back(resource_json(file));
  return json;
}

}  // namespace

SetStatement statement_of(const Manifest& manifest, const Sha256& manifest_sha256) {
  SetStatement statement;
  statement.subject = manifest.set_id;
  for (const ManifestFile& file : manifest.files) statement.files.push_back({file.name, file.sha256});
  statement.files.push_back({std::string(kManifestName), manifest_sha256});
  std::sort(statement.files.begin(), statement.files.end(), is_path_before);
  return statement;
}

std::string encode_statement(const SetStatement& statement) {
  Json json = Json::object();
  json["_type"] = kStatementType;
  json["subject"] = Json::array();
  json["subject"].push_back(subject_json(statement));
  json["predicateType"] = kPredicateType;
  json["predicate"] = predicate_json(statement);
  return json.dump();
}

Result<SetStatement> decode_statement(std::string_view json) {
  const Result<Json> parsed = parse_json(json, {.max_bytes = kSignatureMaxBytes, .max_depth = 6});
  if (!parsed.ok()) return malformed(parsed.error());
  Result<SetStatement> statement = read_statement(*parsed);
  if (!statement.ok()) return malformed(statement.error());
  return statement;
}

Status check_statement(const SetStatement& statement, const Manifest& manifest) {
  for (const SignedFile& file : statement.files) {
    if (file.name == kManifestName) continue;  // its digest was compared with the bytes that were parsed
    const ManifestFile* const listed = find_listed(manifest, file.name);
    if (listed == nullptr) return different(quote(file.name, 200) + " is signed and not listed");
    if (listed->sha256 != file.sha256) {
      return different(quote(file.name, 200) + " was signed with SHA-256 " + file.sha256.hex() +
                       " and is listed with " + listed->sha256.hex());
    }
  }
  if (statement.files.size() == manifest.files.size() + 1) return {};
  for (const ManifestFile& listed : manifest.files) {
    const auto is_it = [&](const SignedFile& file) { return file.name == listed.name; };
    if (std::none_of(statement.files.begin(), statement.files.end(), is_it))
      return different(quote(listed.name, 200) + " is listed and not signed");
  }
  return different("the manifest itself is not signed");
}

}  // namespace skua
