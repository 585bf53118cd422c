#include "bootstrap/sign_set.h"

#include "bootstrap/published_sets.h"
#include "bootstrap/verify_set.h"
#include "cache/set_signature.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

Result<SignedSet> sign(FileSystem& files, const fs::path& folder, std::uint64_t limit_bytes,
                       const PrivateKey& key) {
  SignedSet result;
  SKUA_ASSIGN_OR_RETURN(const fs::path before, find_set(files, folder));
  SKUA_ASSIGN_OR_RETURN(WriterLock sets, WriterLock::take(files, before.parent_path()));
  // Again: CURRENT may have moved while nobody held the lock.
  SKUA_ASSIGN_OR_RETURN(result.set_dir, find_set(files, folder));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, verify_whole_set(files, result.set_dir, limit_bytes));
  SKUA_RETURN_IF_ERROR(add_signature(sets, set, key));
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
  result.signer = public_key.fingerprint();
  result.is_added = set.is_unsigned;
  result.manifest = std::move(set.manifest);
  return result;
}

}  // namespace

Result<SignedSet> sign_set(FileSystem& files, const fs::path& folder, std::uint64_t limit_bytes,
                           const PrivateKey& key) {
  auto result = sign(files, folder.has_filename() ? folder : folder.parent_path(), limit_bytes, key);
  if (result.ok()) return result;
  // Nothing was built: a folder that cannot be written, or is being written, is the caller's to look at.
  Error error = std::move(result).error();
  if (error.code == ErrorCode::kEngineBuild || error.code == ErrorCode::kIo)
    error.code = ErrorCode::kInvalidArgument;
  return error;
}

}  // namespace skua
