#include "core/crypto_library.h"

#include <openssl/crypto.h>

#include <atomic>

namespace skua {

OSSL_LIB_CTX* crypto_library() noexcept {
  static std::atomic<OSSL_LIB_CTX*> made{nullptr};
  OSSL_LIB_CTX* library = made.load(std::memory_order_acquire);
  if (library != nullptr) return library;
  OSSL_LIB_CTX* const fresh = OSSL_LIB_CTX_new();
  if (fresh == nullptr) return nullptr;
  if (made.compare_exchange_strong(library, fresh)) return fresh;
  OSSL_LIB_CTX_free(fresh);  // another thread was faster
  return library;
}

}  // namespace skua
