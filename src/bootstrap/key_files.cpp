#include "bootstrap/key_files.h"

#include "bootstrap/owned_file.h"
#include "cache/safe_file.h"
#include "cache/staged_copy.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyBytes = 16384;
constexpr std::size_t kMaxPassphraseBytes = 1000;  // OpenSSL's limit is 1024
constexpr std::uint32_t kReadableByOthers = 077;
constexpr std::string_view kKey = "key";
constexpr std::string_view kPassphrase = "passphrase file";

Result<std::string> read_secret(FileSystem& files, const fs::path& file, std::string_view what) {
  SKUA_ASSIGN_OR_RETURN(OwnedText secret, read_owned(files, file, what, kMaxKeyBytes));
  if ((secret.info.mode & kReadableByOthers) == 0) return std::move(secret.text);
  const Error others =
      make_error(ErrorCode::kInvalidArgument, Reason::kFileMode,
                 "expected a file that only its owner may read, found one that others may; chmod 600, and "
                 "take what is in it for known by whoever could read it");
  return owned_file_error(what, file, others);
}

Result<std::string> one_line(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  const bool is_line =
      !text.empty() && text.find_first_of(std::string_view("\n\r\0", 3)) == std::string::npos;
  if (is_line && text.size() <= kMaxPassphraseBytes) return text;
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed,
                    "expected a passphrase in one line of 1 to " + std::to_string(kMaxPassphraseBytes) +
                        " bytes, found something else");
}

Status check_absent(Folder& folder, const std::string& name) {
  const auto there = folder.info(name);
  if (!there.ok() && there.error().reason == Reason::kNotFound) return {};
  if (!there.ok()) return there.error();
  return make_error(ErrorCode::kInvalidArgument, Reason::kKeyExists,
                    "expected no such file yet, found one; keys are never overwritten: choose another name");
}

}  // namespace

Result<PublicKey> read_public_key(FileSystem& files, const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const OwnedText owned, read_owned(files, file, kKey, kMaxKeyBytes));
  auto key = PublicKey::from_pem(owned.text);
  if (!key.ok()) return owned_file_error(kKey, file, key.error());
  return key;
}

Result<PrivateKey> read_private_key(FileSystem& files, const fs::path& file, std::string_view passphrase) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_secret(files, file, kKey));
  auto key = PrivateKey::from_pem(text, passphrase);
  if (!key.ok()) return owned_file_error(kKey, file, key.error());
  return key;
}

Result<bool> is_private_key_encrypted(FileSystem& files, const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_secret(files, file, kKey));
  return PrivateKey::is_encrypted(text);
}

Result<std::string> read_passphrase(FileSystem& files, const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(std::string text, read_secret(files, file, kPassphrase));
  auto line = one_line(std::move(text));
  if (!line.ok()) return owned_file_error(kPassphrase, file, line.error());
  return line;
}

Status write_key_pair(FileSystem& files, const fs::path& file, const fs::path& public_file,
                      const PrivateKey& key, std::string_view passphrase) {
  const auto write = [&]() -> Status {
    SKUA_ASSIGN_OR_RETURN(const FilePlace secret, open_place(files, file));
    SKUA_ASSIGN_OR_RETURN(const FilePlace shared, open_place(files, public_file));
    // Keys in a folder that others may write to would be refused when they are read.
    SKUA_RETURN_IF_ERROR(check_safe_folder(*secret.folder));
    SKUA_RETURN_IF_ERROR(check_safe_folder(*shared.folder));
    SKUA_RETURN_IF_ERROR(check_absent(*secret.folder, secret.name));
    SKUA_RETURN_IF_ERROR(check_absent(*shared.folder, shared.name));
    SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
    SKUA_ASSIGN_OR_RETURN(const std::string pem, key.to_pem(passphrase));
    SKUA_RETURN_IF_ERROR(write_new(*shared.folder, shared.name, std::as_bytes(std::span(public_key.pem()))));
    TemporaryFile undo(*shared.folder, shared.name);  // a public half alone is of no use
    SKUA_RETURN_IF_ERROR(write_new_private(*secret.folder, secret.name, std::as_bytes(std::span(pem))));
    TemporaryFile undo_secret(*secret.folder, secret.name);
    SKUA_RETURN_IF_ERROR(secret.folder->sync());
    SKUA_RETURN_IF_ERROR(shared.folder->sync());
    undo_secret.release();
    undo.release();
    return {};
  };
  const Status written = write();
  if (written.ok()) return {};
  return owned_file_error(kKey, file, written.error());
}

}  // namespace skua
