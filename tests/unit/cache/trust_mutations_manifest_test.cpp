// Mutations of the manifest: every kind of field absent, doubled, unknown, empty, too long, too large and of
// another type, signed again with the right key, so that the parser is what refuses; and changes that were
// not signed again, which nobody parses.
#include <gtest/gtest.h>

#include "json_spoil.h"
#include "trust_mutations.h"

namespace skua::test {
namespace {

constexpr auto kManifest = ErrorCode::kManifest;
using Pointer = Json::json_pointer;

Mutation malformed(const std::string& name, std::function<std::string(const Json&)> text) {
  return {"manifest: " + name, kManifest, Reason::kManifestMalformed,
          [text = std::move(text)](SignedSet& s) { s.put_manifest(text(s.manifest())); }};
}

Mutation value(const std::string& pointer, const std::string& what, const Json& other) {
  return malformed(pointer + " " + what, [=](const Json& json) {
    Json spoiled = json;
    spoiled[Pointer(pointer)] = other;
    return spoiled.dump();
  });
}

/// One of every field that a manifest has: of the first artifact and the first file where there are several.
std::vector<std::string> fields() {
  std::vector<std::string> fields = {"/kind",    "/schema",    "/set_id",        "/release_sequence",
                                     "/created", "/not_after", "/runtime_label", "/runtime_options",
                                     "/host",    "/artifacts", "/builder",       "/builder_options",
                                     "/files"};
  for (const char* const key : {"name", "criticality", "engine", "accuracy"})
    fields.push_back(std::string("/artifacts/0/") + key);
  for (const char* const key : {"output", "metric", "value", "threshold"})
    fields.push_back(std::string("/artifacts/0/accuracy/0/") + key);
  for (const char* const key : {"name", "size_bytes", "sha256"})
    fields.push_back(std::string("/files/0/") + key);
  for (const char* const key : {"sm", "jetpack", "tensorrt", "l4t", "module_name", "sm_count",
                                "tensorrt_build", "cuda_driver", "cuda_runtime", "cpu_arch", "cpu_features"})
    fields.push_back(std::string("/host/") + key);
  for (const char* const key : {"file",           "model",
                                "runtime_label",  "host",
                                "precision",      "engine_sha256",
                                "size_bytes",     "device_memory_bytes",
                                "model_sha256",   "build_config_sha256",
                                "calibration",    "inputs",
                                "outputs",        "profiles",
                                "options",        "proof",
                                "arithmetic",     "model_id",
                                "weights_sha256", "exporter",
                                "sources",        "golden",
                                "proven",         "builder",
                                "created"})
    fields.push_back(std::string("/artifacts/0/engine/") + key);
  for (const char* const key : {"file", "sha256", "size_bytes", "origin", "tolerances"})
    fields.push_back(std::string("/artifacts/0/engine/golden/") + key);
  return fields;
}

Member member_of(const std::string& field) {
  const Pointer pointer(field);
  return {pointer.parent_pointer(), pointer.back()};
}

/// A value of a type that is right nowhere this field stands.
Json of_another_type(const Json& value) {
  if (value.is_string()) return 7;
  if (value.is_boolean()) return "true";
  if (value.is_number() || value.is_null()) return Json::array();
  return "text";
}

void add_every_field(std::vector<Mutation>& table) {
  for (const std::string& field : fields()) {
    const Member member = member_of(field);
    table.push_back(
        malformed(field + " absent", [=](const Json& json) { return without(json, member).dump(); }));
    table.push_back(malformed(field + " doubled", [=](const Json& json) { return doubled(json, member); }));
    table.push_back(malformed(field + " of another type", [=](const Json& json) {
      Json spoiled = json;
      spoiled[Pointer(field)] = of_another_type(json[Pointer(field)]);
      return spoiled.dump();
    }));
  }
}

void add_unknown_fields(std::vector<Mutation>& table) {
  for (const char* const object :
       {"", "/host", "/artifacts/0", "/artifacts/0/accuracy/0", "/artifacts/0/engine",
        "/artifacts/0/engine/host", "/artifacts/0/engine/golden", "/artifacts/0/engine/golden/tolerances/y",
        "/artifacts/0/engine/inputs/0", "/artifacts/0/engine/sources/0", "/files/0"}) {
    table.push_back(malformed(std::string(object) + "/unknown",
                              [=](const Json& json) { return with_unknown(json, Pointer(object)).dump(); }));
  }
}

void add_numbers(std::vector<Mutation>& table) {
  for (const char* const field :
       {"/release_sequence", "/artifacts/0/criticality", "/artifacts/0/engine/size_bytes",
        "/artifacts/0/engine/device_memory_bytes", "/artifacts/0/engine/golden/size_bytes",
        "/artifacts/0/engine/sources/0/size_bytes", "/files/0/size_bytes", "/host/sm", "/host/sm_count",
        "/schema"}) {
    table.push_back(value(field, "= 2^63", Json(std::uint64_t{1} << 63U)));
    table.push_back(value(field, "= 2^53 + 1", Json((std::uint64_t{1} << 53U) + 1)));
    table.push_back(value(field, "= -1", Json(-1)));
    table.push_back(value(field, "= 1.5", Json(1.5)));
  }
  table.push_back(value("/release_sequence", "= 0", Json(0)));
  table.push_back(value("/artifacts/0/engine/size_bytes", "= 0", Json(0)));
}

void add_empty(std::vector<Mutation>& table) {
  for (const char* const field :
       {"/kind", "/set_id", "/created", "/not_after", "/runtime_label", "/artifacts/0/name",
        "/artifacts/0/engine/file", "/artifacts/0/engine/model", "/artifacts/0/engine/precision",
        "/artifacts/0/engine/engine_sha256", "/artifacts/0/engine/golden/file", "/files/0/name",
        "/files/0/sha256"}) {
    table.push_back(value(field, "empty", Json("")));
  }
  for (const char* const list :
       {"/artifacts", "/files", "/artifacts/0/engine/outputs", "/artifacts/0/engine/sources"}) {
    table.push_back(value(list, "empty", Json::array()));
  }
  for (const char* const object : {"/host", "/artifacts/0/engine", "/artifacts/0/engine/golden",
                                   "/artifacts/0/engine/golden/tolerances"}) {
    table.push_back(value(object, "empty", Json::object()));
  }
}

void add_too_long(std::vector<Mutation>& table) {
  table.push_back(value("/set_id", "of 101 characters", std::string(101, 'a')));
  table.push_back(value("/builder", "of 4097 bytes", std::string(4097, 'a')));
  table.push_back(value("/host/module_name", "of 4097 bytes", std::string(4097, 'a')));
  table.push_back(value("/artifacts/0/name", "of 65 characters", std::string(65, 'a')));
  table.push_back(value("/files/0/name", "of 201 bytes", std::string(201, 'a')));
  table.push_back(value("/runtime_options", "with a text of 65537 bytes", {{"a", std::string(65537, 'a')}}));
  for (const auto& [list, length] :
       std::vector<std::pair<std::string, std::size_t>>{{"/artifacts", 257},
                                                        {"/files", 8193},
                                                        {"/artifacts/0/accuracy", 257},
                                                        {"/artifacts/0/engine/inputs", 65},
                                                        {"/artifacts/0/engine/sources", 4097}}) {
    table.push_back(malformed(list + " of " + std::to_string(length), [=](const Json& json) {
      Json spoiled = json;
      spoiled[Pointer(list)] = Json::array_t(length, json[Pointer(list)][0]);
      return spoiled.dump();
    }));
  }
  table.push_back(malformed("/builder_options of 257", [](const Json& json) {
    Json spoiled = json;
    for (int i = 0; i < 257; ++i) spoiled["builder_options"][std::to_string(i)] = "x";
    return spoiled.dump();
  }));
}

void add_texts(std::vector<Mutation>& table) {
  for (const char* const name : {"/etc/passwd", "../up", "golden/../x", "./x", "x//y", ".hidden", "a\\b",
                                 "a b", "flight-manifest.json", "model.sig", "\xc3\xa9"}) {
    table.push_back(value("/files/0/name", std::string("= ") + name, Json(name)));
  }
  for (const char* const date : {"2027-13-01T00:00:00Z", "2027-02-30T00:00:00Z", "2027-01-01 00:00:00Z",
                                 "2027-01-01T00:00:00", "2027-01-01T00:00:00+00:00", "never"}) {
    table.push_back(value("/not_after", std::string("= ") + date, Json(date)));
  }
  table.push_back(value("/set_id", "with a path", Json("../set-1")));
  table.push_back(value("/set_id", "with a NUL", Json(std::string("set-1\0x", 7))));
  table.push_back(value("/kind", "of a build record", Json("skua.build-record")));
  table.push_back(value("/artifacts/0/engine/precision", "= fp8", Json("fp8")));
  table.push_back(value("/files/0/sha256", "in upper case", Json(std::string(64, 'A'))));
  table.push_back(malformed("cut by its last byte", [](const Json& json) {
    std::string text = json.dump();
    text.pop_back();
    return text;
  }));
  table.push_back(malformed("with text behind it", [](const Json& json) { return json.dump() + "{}"; }));
  table.push_back(
      malformed("with a byte order mark", [](const Json& j) { return "\xef\xbb\xbf" + j.dump(); }));
  table.push_back(malformed("that is no UTF-8", [](const Json& json) {
    std::string text = json.dump();
    return text.replace(text.find("skua test"), 1, "\xff");
  }));
  table.push_back(malformed("that is empty", [](const Json&) { return std::string(); }));
  table.push_back(malformed("nested 5000 deep", [](const Json&) { return std::string(5000, '['); }));
}

void add_other_codes(std::vector<Mutation>& table) {
  for (const std::uint64_t schema : {0U, 2U, 4000000000U}) {
    table.push_back({"manifest: schema " + std::to_string(schema), kManifest, Reason::kManifestSchemaVersion,
                     [=](SignedSet& s) {
                       Json json = s.manifest();
                       json["schema"] = schema;
                       s.put_manifest(json.dump());
                     }});
  }
  table.push_back({"manifest: set id of another folder", kManifest, Reason::kSetIdMismatch,
                   [](SignedSet& s) { s.edit_manifest([](Manifest& m) { m.set_id = "set-2"; }); }});
  table.push_back({"manifest: a byte over its limit", kManifest, Reason::kManifestTooLarge, [](SignedSet& s) {
                     const std::string text = s.manifest_text();
                     s.put_manifest(text + std::string(kManifestMaxBytes + 1 - text.size(), ' '));
                   }});
}

}  // namespace

std::vector<Mutation> manifest_mutations() {
  std::vector<Mutation> table;
  add_every_field(table);
  add_unknown_fields(table);
  add_numbers(table);
  add_empty(table);
  add_too_long(table);
  add_texts(table);
  add_other_codes(table);
  return table;
}

std::vector<Mutation> unsigned_mutations() {
  std::vector<Mutation> table;
  const auto add = [&](const std::string& name, std::function<std::string(std::string)> change) {
    table.push_back({"unsigned: " + name, kManifest, Reason::kManifestNotSigned,
                     [change = std::move(change)](SignedSet& s) {
                       s.write("flight-manifest.json", change(s.manifest_text()));
                     }});
  };
  for (const char* const key : {"set_id", "release_sequence", "created", "not_after", "runtime_label", "host",
                                "artifacts", "builder", "files"}) {
    add(std::string(key) + " changed", [=](const std::string& text) {
      Json json = Json::parse(text);
      json[key] = "changed";
      return json.dump(2) + "\n";
    });
  }
  add("a later sequence", [](std::string text) {
    return text.replace(text.find("\"release_sequence\": 1"), 21, "\"release_sequence\": 9");
  });
  add("a space at its end", [](const std::string& text) { return text + " "; });
  add("without its line end", [](const std::string& text) { return text.substr(0, text.size() - 1); });
  add("without white space", [](const std::string& text) { return Json::parse(text).dump(); });
  add("emptied", [](const std::string&) { return std::string(); });
  add("its first byte", [](std::string text) { return text.replace(0, 1, "["); });
  add("text behind it", [](const std::string& text) { return text + "{}"; });
  add("half of it", [](const std::string& text) { return text.substr(0, text.size() / 2); });
  return table;
}

namespace {

TEST(TrustMutations, OfTheManifestAreRefused) { expect_refused(manifest_mutations()); }

TEST(TrustMutations, OfAManifestThatWasNotSignedAgainAreRefused) { expect_refused(unsigned_mutations()); }

}  // namespace
}  // namespace skua::test
