// What a signature over a flight set says: an in-toto Statement v1 with the predicate of OpenSSF model
// signing v1.0. It lists every file of the set but `model.sig` with its digest. docs/formats/signature.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/manifest.h"
#include "skua/result.h"
#include "skua/sha256.h"

namespace skua {

struct SignedFile {
  std::string name;  ///< plain relative path (is_plain_relative)
  Sha256 sha256;
  friend bool operator==(const SignedFile&, const SignedFile&) = default;
};

struct SetStatement {
  std::string subject;            ///< what the signer called the set; free text, compared with nothing
  std::vector<SignedFile> files;  ///< in the order in which their digests go into the root digest
};

/// Every file of `manifest` and the manifest itself, in the order that the public tool uses (by path
/// components).
SetStatement statement_of(const Manifest& manifest, const Sha256& manifest_sha256);

std::string encode_statement(const SetStatement& statement);
/// Strict and bounded: exactly one subject, whose digest is the root digest of the listed files; method
/// `files`, SHA-256, no links, an ignore list of exactly `model.sig`; plain names, none twice; no other
/// field. ManifestError (statement_malformed). Call it only with bytes whose signature holds.
Result<SetStatement> decode_statement(std::string_view json);

/// Whether `statement` lists exactly the files of `manifest` and the manifest itself, with the same digests.
/// ManifestError: statement_files_mismatch, naming the first difference.
Status check_statement(const SetStatement& statement, const Manifest& manifest);

}  // namespace skua
