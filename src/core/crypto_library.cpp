#include "core/crypto_library.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <atomic>
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

/// Whole, or nullptr: a context that ran out of memory while its provider was set up never finds it again, so
/// it goes, and the next call makes another one.
const Library* library() noexcept {
  static std::atomic<const Library*> made{nullptr};
  const Library* known = made.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  const Library* const fresh = new (std::nothrow) Library;
  if (fresh == nullptr) return nullptr;
  if (fresh->sha256 != nullptr && made.compare_exchange_strong(known, fresh)) return fresh;
  delete fresh;  // or another thread was faster
  return known;
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
