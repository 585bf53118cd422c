// The library context of OpenSSL that everything of ours uses.
#pragma once

#include <openssl/types.h>

namespace skua {

/// One of our own, made at the first call and never freed. It reads neither openssl.cnf nor the environment,
/// and whatever the host program does to the default one changes nothing here. nullptr when there is no
/// memory for it; the next call tries again. Thread-safe.
OSSL_LIB_CTX* crypto_library() noexcept;

/// SHA-256 of that library, fetched once: that costs more than hashing a page. nullptr as above.
const EVP_MD* crypto_sha256() noexcept;

}  // namespace skua
