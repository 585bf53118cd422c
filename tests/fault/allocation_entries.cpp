#include "allocation_stage.h"
#include "bytes_of.h"
#include "cache/base64.h"
#include "cache/build_record.h"
#include "cache/collect_sets.h"
#include "cache/engine_gate.h"
#include "cache/engine_verify.h"
#include "cache/manifest_check.h"
#include "cache/plan_header.h"
#include "cache/record_tensors.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "cache/staged_copy.h"
#include "cache/utc_text.h"
#include "skua/engine_filename.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

#define SKUA_READS(name, ...)             \
  CacheEntry {                            \
    name, false, [](Stage& s) -> Status { \
      static_cast<void>(s);               \
      return as_status(__VA_ARGS__);      \
    }                                     \
  }
#define SKUA_WRITES(name, ...)                                            \
  CacheEntry {                                                            \
    name, true, [](Stage& s) -> Status { return as_status(__VA_ARGS__); } \
  }

FileSystem& files() { return posix_file_system(); }

std::unique_ptr<ReadFile> opened(Folder& folder, const std::string& name) {
  return folder.open_read(name).value();
}

/// Runs `use` on a reader of the record's JSON.
template <typename Use>
Status with_reader(Stage& s, Use use) {
  ObjectReader reader(s.record_json, "record");
  use(reader);
  return reader.ok() ? Status() : reader.finish();
}

Status with_lock(Stage& s, const std::function<Status(WriterLock&)>& use) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files(), s.world.sets()));
  return use(lock);
}

Status publish_again(Stage& s) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files(), s.world.cache()));
  SKUA_ASSIGN_OR_RETURN(const std::string staging, lock.make_staging());
  for (const auto& [name, bytes] :
       {std::pair(s.record.file, &s.engine_bytes), {s.record.golden.file, &s.golden_bytes}}) {
    SKUA_ASSIGN_OR_RETURN(const auto folder, lock.folder().open_folder(staging));
    SKUA_RETURN_IF_ERROR(write_new(*folder, name, *bytes));
  }
  return as_status(publish_engine(lock, staging, s.record));
}

Status digest_and_write(Stage& s) {
  DigestCache digests(s.clock);
  SKUA_RETURN_IF_ERROR(digests.digest_of(files(), s.world.cache() / s.record.file));
  return digests.write(*s.cache_folder);
}

Status copy_engine(Stage& s) {
  SKUA_ASSIGN_OR_RETURN(const auto source, s.cache_folder->open_read(s.record.file));
  return as_status(copy_new(*source, *s.cache_folder, ".tmp-copy"));
}

Status compare(Stage& s) {
  return as_status(
      compare_golden("y", s.golden.outputs.find("y")->view(), s.golden.outputs.find("y")->view(), {}));
}

/// Set 1, signed, is too old beside set 5; set 4 is damaged, and goes as asked for; set 2, which is not
/// signed, would end it.
Status collect_all(Stage& s) {
  for (const std::uint64_t number : {4, 5}) {
    SKUA_RETURN_IF_ERROR(publish_number(files(), s.world, s.record, number));
  }
  SKUA_RETURN_IF_ERROR(remove_tree(*s.open(s.world.sets()), set_id_of(2)));
  fs::resize_file(s.world.sets() / set_id_of(4) / s.record.file, 1);
  CollectOptions options;
  options.keep = 0;
  options.removes_damaged = true;
  options.policy = flight_policy();
  return as_status(collect_sets(files(), s.world.sets(), options));
}

const Error& some_error() {
  static const Error error =
      make_error(ErrorCode::kIo, Reason::kDiskFull, "a disk that is full, as an example");
  return error;
}

std::vector<CacheEntry> format_entries() {
  return {
      SKUA_READS("base64.h: to_base64", to_base64(s.golden_bytes)),
      SKUA_READS("base64.h: from_base64", from_base64("c2t1YSBza3VhIHNrdWE=").value()),
      SKUA_READS("build_record.h: build_record_name", build_record_name(s.record.file)),
      SKUA_READS("build_record.h: check_record", check_record(s.record, "a place with a long enough name")),
      SKUA_READS("dsse_bundle.h: decode_bundle", decode_bundle(s.bundle_text)),
      SKUA_READS("dsse_bundle.h: encode_bundle", encode_bundle(s.bundle)),
      SKUA_READS("dsse_bundle.h: pre_authentication_encoding", pre_authentication_encoding(s.bundle.payload)),
      SKUA_READS("engine_filename.h: build", EngineFilenameSchema::parse(s.record.file)->build()),
      SKUA_READS("engine_filename.h: parse", EngineFilenameSchema::parse(s.record.file)),
      SKUA_READS("engine_gate.h: engine_gate_stages", engine_gate_stages()),
      SKUA_READS("engine_record.h: build_key", build_key(BuildConfig(), RuntimeConfig())),
      SKUA_READS("engine_record.h: decode_build_record", decode_build_record(s.record_text)),
      SKUA_READS("engine_record.h: encode_build_record", encode_build_record(s.record)),
      SKUA_READS("engine_record.h: engine_record_from_json",
                 engine_record_from_json(s.record_json, "record")),
      SKUA_READS("engine_record.h: to_entry", to_entry(s.record, s.world.cache())),
      SKUA_READS("engine_record.h: to_json", to_json(s.record)),
      SKUA_READS("golden.h: compare_golden", compare(s)),
      SKUA_READS("golden.h: decode_golden", decode_golden(s.golden_bytes)),
      SKUA_READS("golden.h: default_tolerance", default_tolerance(s.record.precision, s.record.outputs[0])),
      SKUA_READS("golden.h: encode_golden", encode_golden(s.golden.inputs, s.golden.outputs)),
      SKUA_READS("json_fields.h: expect_text",
                 with_reader(s, [&](ObjectReader& r) { expect_text(r, "model", s.record.model); })),
      SKUA_READS("json_fields.h: file_text_of", file_text_of(s.record_json)),
      SKUA_READS("json_fields.h: list_to_json",
                 list_to_json(s.record.sources, [](const SourceFile& file) { return Json(file.name); })),
      SKUA_READS("json_fields.h: read_list", with_reader(s,
                                                         [](ObjectReader& r) {
                                                           read_list<std::string>(
                                                               r, "sources", 9,
                                                               [](const Json&, const std::string& path) {
                                                                 return Result<std::string>(path);
                                                               });
                                                         })),
      SKUA_READS("json_fields.h: read_object", with_reader(s,
                                                           [](ObjectReader& r) {
                                                             read_object<std::string>(
                                                                 r, "golden",
                                                                 [](const Json&, const std::string& path) {
                                                                   return Result<std::string>(path);
                                                                 });
                                                           })),
      SKUA_READS("json_fields.h: read_text_map",
                 with_reader(s, [](ObjectReader& r) { read_text_map(r, "options"); })),
      SKUA_READS("json_fields.h: text_map_to_json", text_map_to_json(s.record.options)),
      SKUA_READS("manifest.h: content_digest", content_digest(s.manifest)),
      SKUA_READS("manifest.h: decode_manifest", decode_manifest(s.manifest_text)),
      SKUA_READS("manifest.h: encode_manifest", encode_manifest(s.manifest)),
      SKUA_READS("manifest_check.h: check_manifest", check_manifest(s.manifest)),
      SKUA_READS(
          "plan_header.h: check_plan_header",
          check_plan_header(std::vector<std::byte>(28), fake_host(), "a place with a long enough name").ok()),
      SKUA_READS("record_tensors.h: check_tensors",
                 check_tensors(s.record, "a place with a long enough name")),
      SKUA_READS("release_ratchet.h: decode_ratchet", decode_ratchet(encode_ratchet(7)).value()),
      SKUA_READS("release_ratchet.h: encode_ratchet", encode_ratchet(7)),
      SKUA_READS("set_files.h: golden_path", golden_path(s.record)),
      SKUA_READS("set_statement.h: check_statement", check_statement(s.statement, s.manifest)),
      SKUA_READS("set_statement.h: decode_statement", decode_statement(s.statement_text)),
      SKUA_READS("set_statement.h: encode_statement", encode_statement(s.statement)),
      SKUA_READS("set_statement.h: statement_of", statement_of(s.manifest, s.manifest_sha256)),
      SKUA_READS("sidecar_file.h: parse_sidecar", parse_sidecar(s.record.engine_sha256.hex(), "a place")),
      SKUA_READS("sidecar_file.h: sidecar_name", sidecar_name(s.record.file)),
      SKUA_READS("staged_copy.h: as_build_error",
                 as_build_error(some_error(), "an example of a long action")),
      SKUA_READS("staged_copy.h: random_name", random_name(kTemporaryPrefix)),
      SKUA_READS("utc_text.h: utc_text", utc_text(1'700'000'000'000'000)),
  };
}

std::vector<CacheEntry> key_entries() {
  return {
      SKUA_READS("p256.h: from_pem", PrivateKey::from_pem(s.private_pem)),
      SKUA_READS("p256.h: generate", PrivateKey::generate()),
      SKUA_READS("p256.h: is_signed_by",
                 is_signed_by(trusted_key(), bytes_of(pre_authentication_encoding(s.bundle.payload)),
                              s.bundle.signature)),
      SKUA_READS("p256.h: public_key", signing_key().public_key()),
      SKUA_READS("p256.h: sign", signing_key().sign(bytes_of(s.statement_text))),
      SKUA_READS("p256.h: to_pem", signing_key().to_pem()),
      SKUA_READS("public_key.h: from_pem", PublicKey::from_pem(s.public_pem)),
      SKUA_READS("set_signature.h: judge_signature",
                 judge_signature(*s.set_folder, flight_policy().trusted_keys)),
      SKUA_READS("set_signature.h: sign_manifest",
                 sign_manifest(signing_key(), s.manifest, s.manifest_sha256)),
      SKUA_WRITES("set_signature.h: add_signature", sign_number(s.world, 2)),
  };
}

std::vector<CacheEntry> gate_entries() {
  return {
      SKUA_READS("engine_gate.h: admit",
                 [&] {
                   BufferPool pool(1);
                   return as_status(EngineGate::admit(*s.set_folder, s.expectation(), pool));
                 }()),
      SKUA_READS("engine_gate.h: judge", EngineGate::judge(*s.set_folder, s.expectation(), s.piece)),
      SKUA_READS("engine_verify.h: admit_cached",
                 [&] {
                   BufferPool pool(1);
                   return as_status(admit_cached(*s.cache_folder, s.expectation(), pool));
                 }()),
      SKUA_READS("engine_verify.h: judge_cached", judge_cached(*s.cache_folder, s.expectation(), s.piece)),
      SKUA_READS("engine_verify.h: read_build_record", read_build_record(*s.cache_folder, s.record.file)),
      SKUA_READS("release_ratchet.h: read_ratchet", read_ratchet(files(), s.world.state())),
      SKUA_READS("safe_file.h: as_load_error",
                 as_load_error(some_error(), "a place with a long enough name")),
      SKUA_READS("safe_file.h: check_safe", check_safe(s.set_folder->info(s.record.file).value(), "a place")),
      SKUA_READS("safe_file.h: check_safe_folder", check_safe_folder(*s.set_folder)),
      SKUA_READS("safe_file.h: file_text", file_text(*s.set_folder, s.record.file)),
      SKUA_READS("safe_file.h: missing_file",
                 missing_file(Reason::kEngineMissing, "a place with a long enough name")),
      SKUA_READS("safe_file.h: read_at_most",
                 read_at_most(*opened(*s.set_folder, s.record.file), 10000, "a place")),
      SKUA_READS("set_files.h: admit_folder", admit_folder(s.open(s.set()), set_id_of(1), flight_policy())),
      SKUA_READS("set_files.h: admit_whole", admit_whole(s.open(s.set()), set_id_of(1), kSetLimit)),
      SKUA_READS("set_files.h: judge_listed_file",
                 judge_listed_file(*s.set_folder, s.manifest.files[0], s.piece)),
      SKUA_READS("set_files.h: verify_all_files", verify_all_files(*s.admitted)),
      SKUA_READS("set_files.h: verify_listed_files", verify_listed_files(*s.admitted)),
      SKUA_READS("set_gate.h: admit_set", admit_set(files(), s.set(), flight_policy())),
      SKUA_READS("set_gate.h: current_set", current_set(files(), s.world.sets())),
      SKUA_READS("set_gate.h: open_safe", open_safe(*s.set_folder, s.record.file, Reason::kEngineMissing)),
      SKUA_READS("set_judge.h: judge_files", judge_whole(*s.admitted)),
      SKUA_READS("sidecar.h: aggregate_hash", Sha256Sidecar::aggregate_hash(s.files_of_set())),
      SKUA_READS("sidecar.h: digest", Sha256Sidecar::digest(s.golden_bytes)),
      SKUA_READS("sidecar.h: digest_file", Sha256Sidecar::digest_file(s.set() / s.record.file)),
      SKUA_READS("sidecar.h: path_of", Sha256Sidecar::path_of(s.set() / s.record.file)),
      SKUA_READS("sidecar.h: verify", Sha256Sidecar::verify(s.set() / s.record.file)),
      SKUA_READS("sidecar_file.h: read_sidecar", read_sidecar(*s.set_folder, s.record.file)),
  };
}

std::vector<CacheEntry> writer_entries() {
  return {
      SKUA_READS("digest_cache.h: DigestCache", [&] { return DigestCache(s.clock).bytes_hashed(); }()),
      SKUA_READS("digest_cache.h: digest_of",
                 DigestCache(s.clock).digest_of(files(), s.set() / s.record.file)),
      SKUA_READS("digest_cache.h: read", (DigestCache(s.clock).read(*s.cache_folder), 0)),
      SKUA_WRITES("digest_cache.h: write", digest_and_write(s)),
      SKUA_WRITES("collect_sets.h: collect_sets", collect_all(s)),
      SKUA_WRITES("publish.h: settle_sets", settle_sets(*s.open(s.world.sets()), std::array{set_id_of(1)})),
      SKUA_WRITES("publish.h: add_engine", as_status(publish_number(files(), s.world, s.record, 3))),
      SKUA_WRITES("publish.h: begin",
                  with_lock(s, [](WriterLock& lock) { return as_status(SetWriter::begin(lock)); })),
      SKUA_WRITES("publish.h: clear_leftovers", (clear_leftovers(files(), s.world.sets()), 0)),
      SKUA_WRITES("publish.h: commit", as_status(publish_number(files(), s.world, s.record, 3))),
      SKUA_WRITES("publish.h: make_staging", with_lock(s,
                                                       [](WriterLock& lock) -> Status {
                                                         SKUA_ASSIGN_OR_RETURN(const std::string staging,
                                                                               lock.make_staging());
                                                         lock.discard(staging);
                                                         return {};
                                                       })),
      SKUA_WRITES("publish.h: publish_engine", publish_again(s)),
      SKUA_WRITES("publish.h: publish_file", publish_file(*s.cache_folder, "file", s.golden_bytes)),
      SKUA_WRITES("publish.h: take", WriterLock::take(files(), s.world.sets())),
      SKUA_WRITES("release_ratchet.h: accept_sequence", accept_sequence(files(), s.world.state(), 3)),
      SKUA_WRITES("release_ratchet.h: reset_ratchet", reset_ratchet(files(), s.world.state(), 3)),
      SKUA_READS("release_ratchet.h: bound_sequence",
                 [] {
                   GatePolicy policy;
                   bound_sequence(policy, {}, 1);
                   return 0;
                 }()),
      SKUA_WRITES("sidecar.h: write_atomic",
                  Sha256Sidecar::write_atomic(s.world.cache() / "file", s.golden_bytes)),
      SKUA_WRITES("sidecar.h: write_atomic_and_sidecar",
                  Sha256Sidecar::write_atomic_and_sidecar(s.world.cache() / "file", s.golden_bytes)),
      SKUA_WRITES("staged_copy.h: TemporaryFile",
                  [&] { return TemporaryFile(*s.cache_folder, ".tmp-none").name(); }()),
      SKUA_WRITES("staged_copy.h: copy_new", copy_engine(s)),
      SKUA_WRITES("staged_copy.h: write_new", write_new(*s.cache_folder, "file", s.golden_bytes)),
      SKUA_WRITES("staged_copy.h: write_new_private",
                  write_new_private(*s.cache_folder, "file", s.golden_bytes)),
  };
}

std::string text_at(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::byte> bytes_at(const fs::path& path) {
  const std::string text = text_at(path);
  const auto bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Stage::Stage(const World& place, const EngineRecord& engine) : world(place), record(engine), piece(65536) {
  record_text = encode_build_record(record);
  record_json = to_json(record);
  manifest_text = text_at(set() / kManifestName);
  manifest = decode_manifest(manifest_text).value();
  manifest_sha256 = Sha256Sidecar::digest(bytes_of(manifest_text));
  statement = statement_of(manifest, manifest_sha256);
  statement_text = encode_statement(statement);
  bundle_text = text_at(set() / kSignatureName);
  bundle = decode_bundle(bundle_text).value();
  public_pem = trusted_key().pem();
  private_pem = signing_key().to_pem().value();
  golden_bytes = bytes_at(set() / golden_path(record));
  golden = decode_golden(golden_bytes).value();
  engine_bytes = bytes_at(set() / record.file);
  cache_folder = open(world.cache());
  set_folder = open(set());
  admitted = admit_set(files(), set(), flight_policy()).value();
}

std::vector<CacheEntry> cache_entries() {
  std::vector<CacheEntry> entries;
  for (const auto& part : {format_entries(), key_entries(), gate_entries(), writer_entries()}) {
    entries.insert(entries.end(), part.begin(), part.end());
  }
  return entries;
}

}  // namespace skua::test
