// Mutations of model.sig around the payload: every field, every laxity of the public tool that must not be
// ours, and signatures that do not hold.
#include <gtest/gtest.h>

#include "cache/base64.h"
#include "json_spoil.h"
#include "trust_mutations.h"

namespace skua::test {
namespace {

constexpr auto kManifest = ErrorCode::kManifest;
using Pointer = Json::json_pointer;

const char* const kSig = "/dsseEnvelope/signatures/0/sig";
const char* const kPayload = "/dsseEnvelope/payload";
const char* const kHint = "/verificationMaterial/publicKey/hint";

Mutation text(const std::string& name, Reason reason, std::function<std::string(const std::string&)> change) {
  return {"bundle: " + name, kManifest, reason,
          [change = std::move(change)](SignedSet& s) { s.write("model.sig", change(s.read("model.sig"))); }};
}

Mutation field(const std::string& name, Reason reason, std::function<void(Json&)> change) {
  return {"bundle: " + name, kManifest, reason, [change = std::move(change)](SignedSet& s) {
            Json json = s.bundle();
            change(json);
            s.put_bundle(json);
          }};
}

Mutation malformed(const std::string& name, std::function<void(Json&)> change) {
  return field(name, Reason::kSignatureMalformed, std::move(change));
}

/// One text of the bundle, changed.
Mutation malformed_text(const std::string& name, const char* pointer,
                        std::function<std::string(const std::string&)> change) {
  return malformed(name, [=](Json& json) {
    Json& value = json[Pointer(pointer)];
    value = change(value.get<std::string>());
  });
}

void add_every_field(std::vector<Mutation>& table) {
  const Json sample = Json::parse(encode_bundle(signed_bundle("x")));
  for (const Member& member : members_of(sample)) {
    table.push_back(
        malformed(member.text() + " absent", [=](Json& json) { json[member.object].erase(member.key); }));
    table.push_back(text(member.text() + " doubled", Reason::kSignatureMalformed,
                         [=](const std::string& whole) { return doubled(Json::parse(whole), member); }));
    table.push_back(malformed(member.text() + " of another type",
                              [=](Json& json) { json[member.object][member.key] = 7; }));
    table.push_back(
        malformed(member.text() + " null", [=](Json& json) { json[member.object][member.key] = nullptr; }));
  }
  for (const char* const object : {"", "/verificationMaterial", "/verificationMaterial/publicKey",
                                   "/dsseEnvelope", "/dsseEnvelope/signatures/0"}) {
    table.push_back(malformed(std::string(object) + "/unknown",
                              [=](Json& json) { json[Pointer(object)]["unknown"] = "x"; }));
  }
}

/// What model_signing 1.1.1 accepts and Skua does not.
void add_laxities(std::vector<Mutation>& table) {
  table.push_back(malformed("a second signature, good", [](Json& json) {
    auto& list = json["dsseEnvelope"]["signatures"];
    list.push_back(Json(list[0]));
  }));
  table.push_back(malformed("a second signature, garbage", [](Json& json) {
    json["dsseEnvelope"]["signatures"].push_back({{"sig", "AAAA"}, {"keyid", ""}});
  }));
  table.push_back(
      malformed("no signature", [](Json& json) { json["dsseEnvelope"]["signatures"] = Json::array(); }));
  table.push_back(
      malformed("a key id", [](Json& json) { json["dsseEnvelope"]["signatures"][0]["keyid"] = "key 1"; }));
  table.push_back(malformed("names in snake case", [](Json& json) {
    json["media_type"] = json["mediaType"];
    json.erase("mediaType");
  }));
  table.push_back(malformed("timestamps", [](Json& json) {
    json["verificationMaterial"]["timestampVerificationData"] = Json::object();
  }));
  table.push_back(malformed("a certificate beside the key", [](Json& json) {
    json["verificationMaterial"]["certificate"] = {{"rawBytes", "AAAA"}};
  }));
  table.push_back(malformed("a log entry", [](Json& json) {
    json["verificationMaterial"]["tlogEntries"].push_back(Json::object());
  }));
  table.push_back(malformed("an empty hint", [](Json& json) { json[Pointer(kHint)] = ""; }));
  table.push_back(malformed("a hint in upper case", [](Json& json) {
    std::string hint = json[Pointer(kHint)];
    for (char& c : hint) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    hint[0] = 'A';
    json[Pointer(kHint)] = hint;
  }));
  for (const char* const type : {"application/vnd.dev.sigstore.bundle+json;version=0.3",
                                 "application/vnd.dev.sigstore.bundle.v0.2+json", "application/json", ""}) {
    table.push_back(
        malformed(std::string("media type '") + type + "'", [=](Json& json) { json["mediaType"] = type; }));
  }
  for (const char* const type : {"application/vnd.in-toto", "application/json", ""}) {
    table.push_back(malformed(std::string("payload type '") + type + "'",
                              [=](Json& json) { json["dsseEnvelope"]["payloadType"] = type; }));
  }
}

void add_base64(std::vector<Mutation>& table) {
  for (const char* const pointer : {kSig, kPayload}) {
    const std::string what = pointer == kSig ? "signature" : "payload";
    const auto add = [&](const std::string& name, std::function<std::string(const std::string&)> change) {
      table.push_back(malformed_text(what + " " + name, pointer, std::move(change)));
    };
    add("in the URL alphabet", [](std::string base64) {
      base64[0] = '-';
      base64[1] = '_';
      return base64;
    });
    add("with a line end", [](const std::string& base64) { return base64 + "\n"; });
    add("with a space inside", [](std::string base64) { return base64.insert(4, " "); });
    add("with padding too much", [](const std::string& base64) { return base64 + "===="; });
    add("without its last character", [](std::string base64) {
      base64.pop_back();
      return base64;
    });
    add("in hex", [](const std::string& base64) { return "0x" + base64; });
  }
  // Bits behind the last byte: the same bytes in another text. The payload is made to end so.
  table.push_back(
      {"bundle: payload with bits behind its end", kManifest, Reason::kSignatureMalformed, [](SignedSet& s) {
         std::string payload = s.payload();
         payload += std::string(payload.size() % 3 == 1 ? 3 : (4 - payload.size() % 3) % 3, ' ');
         Json json = Json::parse(encode_bundle(signed_bundle(payload)));
         std::string base64 = json[Pointer(kPayload)];
         ASSERT_TRUE(base64.ends_with("A==") || base64.ends_with("g==")) << base64.substr(base64.size() - 8);
         ++base64[base64.size() - 3];
         json[Pointer(kPayload)] = base64;
         s.put_bundle(json);
       }});
  table.push_back(
      {"bundle: payload without its padding", kManifest, Reason::kSignatureMalformed, [](SignedSet& s) {
         std::string payload = s.payload();
         payload += std::string(payload.size() % 3 == 0 ? 1 : 0, ' ');
         Json json = Json::parse(encode_bundle(signed_bundle(payload)));
         std::string base64 = json[Pointer(kPayload)];
         json[Pointer(kPayload)] = base64.substr(0, base64.find('='));
         s.put_bundle(json);
       }});
  table.push_back(malformed_text("a signature of 257 characters", kSig,
                                 [](const std::string&) { return std::string(257, 'A'); }));
}

void add_texts(std::vector<Mutation>& table) {
  constexpr auto kMalformed = Reason::kSignatureMalformed;
  table.push_back(text("empty", kMalformed, [](const std::string&) { return std::string(); }));
  table.push_back(text("cut by its last two bytes", kMalformed,
                       [](const std::string& whole) { return whole.substr(0, whole.size() - 2); }));
  table.push_back(text("text behind it", kMalformed, [](const std::string& whole) { return whole + "x"; }));
  table.push_back(text("twice", kMalformed, [](const std::string& whole) { return whole + whole; }));
  table.push_back(text("a NUL behind it", kMalformed,
                       [](const std::string& whole) { return whole + std::string(1, '\0'); }));
  table.push_back(
      text("a byte order mark", kMalformed, [](const std::string& whole) { return "\xef\xbb\xbf" + whole; }));
  table.push_back(
      text("a list of bundles", kMalformed, [](const std::string& whole) { return "[" + whole + "]"; }));
  table.push_back(
      text("nested 5000 deep", kMalformed, [](const std::string&) { return std::string(5000, '['); }));
  table.push_back(text("a signature alone", kMalformed, [](const std::string& whole) {
    return Json::parse(whole)[Pointer(kSig)].get<std::string>();
  }));
  table.push_back(text("a byte over its limit", Reason::kSignatureTooLarge, [](const std::string& whole) {
    return whole + std::string(kSignatureMaxBytes + 1 - whole.size(), ' ');
  }));
}

void add_forged(std::vector<Mutation>& table) {
  const auto forged = [&](const std::string& name, std::function<void(DsseBundle&)> change,
                          Reason reason = Reason::kSignatureInvalid) {
    table.push_back({"bundle: " + name, kManifest, reason, [change = std::move(change)](SignedSet& s) {
                       DsseBundle bundle = decode_bundle(s.read("model.sig")).value();
                       change(bundle);
                       s.write("model.sig", encode_bundle(bundle));
                     }});
  };
  forged("payload with a space behind it", [](DsseBundle& b) { b.payload += " "; });
  forged("payload's first byte", [](DsseBundle& b) { b.payload[0] = '['; });
  forged("payload's last byte", [](DsseBundle& b) { b.payload.back() = ']'; });
  forged("empty payload", [](DsseBundle& b) { b.payload.clear(); });
  forged("payload that is no JSON", [](DsseBundle& b) { b.payload = "not JSON"; });
  forged("another digest in the payload", [](DsseBundle& b) {
    const std::size_t at = b.payload.find("\"digest\":\"") + 10;
    b.payload[at] = b.payload[at] == '0' ? '1' : '0';
  });
  forged("empty signature", [](DsseBundle& b) { b.signature.clear(); });
  forged("signature's first byte", [](DsseBundle& b) { b.signature[0] ^= std::byte{1}; });
  forged("signature's last byte", [](DsseBundle& b) { b.signature.back() ^= std::byte{1}; });
  forged("signature with a byte behind it", [](DsseBundle& b) { b.signature.push_back({}); });
  forged("signature of zeros", [](DsseBundle& b) { b.signature.assign(70, {}); });
  forged("signature by another key under the trusted hint", [](DsseBundle& b) {
    b.signature = other_key().sign(bytes_of(pre_authentication_encoding(b.payload))).value();
  });
  forged("signature over the payload alone",
         [](DsseBundle& b) { b.signature = signing_key().sign(bytes_of(b.payload)).value(); });
  forged("signature over the old encoding DSSEV1", [](DsseBundle& b) {
    std::string old = pre_authentication_encoding(b.payload);
    old[4] = 'V';
    b.signature = signing_key().sign(bytes_of(old)).value();
  });
  forged("signature over another payload type", [](DsseBundle& b) {
    const std::string other =
        "DSSEv1 16 application/json " + std::to_string(b.payload.size()) + " " + b.payload;
    b.signature = signing_key().sign(bytes_of(other)).value();
  });
  forged("signature over the base64 of the payload", [](DsseBundle& b) {
    const std::string base64 = to_base64(bytes_of(b.payload));
    b.signature = signing_key().sign(bytes_of(pre_authentication_encoding(base64))).value();
  });
  forged("signature of the set before", [](DsseBundle& b) {
    b.signature = signing_key().sign(bytes_of(pre_authentication_encoding(b.payload + "\n"))).value();
  });
  forged(
      "wrong hint", [](DsseBundle& b) { b.key_hint.bytes[0] ^= 1U; }, Reason::kSignatureKeyUnknown);
  forged(
      "hint of another key", [](DsseBundle& b) { b.key_hint = other_key().public_key()->fingerprint(); },
      Reason::kSignatureKeyUnknown);
  forged(
      "signed by another key", [](DsseBundle& b) { b = signed_bundle(b.payload, other_key()); },
      Reason::kSignatureKeyUnknown);
}

}  // namespace

std::vector<Mutation> bundle_mutations() {
  std::vector<Mutation> table;
  add_every_field(table);
  add_laxities(table);
  add_base64(table);
  add_texts(table);
  add_forged(table);
  return table;
}

namespace {

TEST(TrustMutations, OfTheBundleAreRefused) { expect_refused(bundle_mutations()); }

}  // namespace
}  // namespace skua::test
