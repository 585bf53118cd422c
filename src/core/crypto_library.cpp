#include "core/crypto_library.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <new>
#include <optional>

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

/// Whole, or nullptr: a context that ran out of memory while its provider was set up never finds it again, so
/// it goes, and the next call makes another one. Never destroyed: others may still be hashing at the very
/// end.
const Library* library() noexcept {
  static std::mutex mutex;
  alignas(std::optional<Library>) static std::array<std::byte, sizeof(std::optional<Library>)> place;
  static auto& made = *new (place.data()) std::optional<Library>;
  const std::lock_guard lock(mutex);
  if (!made) made.emplace();
  if (made->sha256 != nullptr) return &*made;
  made.reset();
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
