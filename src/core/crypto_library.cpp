#include "core/crypto_library.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <new>

namespace skua {
namespace {

struct Library {
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  EVP_MD* sha256 = context != nullptr ? EVP_MD_fetch(context, "SHA256", nullptr) : nullptr;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    EVP_MD_free(sha256);
    OSSL_LIB_CTX_free(context);
  }
};

/// Never destroyed: others may still be hashing at the very end.
constinit std::mutex making;
alignas(Library) constinit std::array<std::byte, sizeof(Library)> place{};
constinit const Library* made = nullptr;

/// Whole, or nullptr: a context that ran out of memory while its provider was set up never finds it again, so
/// it goes, and the next call makes another one.
const Library* library() noexcept {
  const std::lock_guard lock(making);
  if (made != nullptr) return made;
  auto* const fresh = new (place.data()) Library;
  if (fresh->sha256 != nullptr) return made = fresh;
  fresh->~Library();
  return nullptr;
}

}  // namespace

OSSL_LIB_CTX* crypto_library() noexcept {
  const Library* const known = library();
  return known != nullptr ? known->context : nullptr;
}

const EVP_MD* crypto_sha256() noexcept {
  const Library* const known = library();
  return known != nullptr ? known->sha256 : nullptr;
}

}  // namespace skua
