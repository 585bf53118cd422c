#include "cache/p256.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/proverr.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

#include "core/crypto_library.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua {
namespace {

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using Pkey = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, void (*)(PKCS8_PRIV_KEY_INFO*)>;
using EncryptedPkcs8 = std::unique_ptr<X509_SIG, void (*)(X509_SIG*)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

constexpr std::string_view kPublicBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kPublicEnd = "-----END PUBLIC KEY-----";
/// A P-256 key has under 300 bytes, encrypted under 600.
constexpr std::size_t kMaxPemBytes = 16384;
/// The room that OpenSSL gives to a passphrase when it reads a key (PEM_BUFSIZE).
constexpr std::size_t kMaxPassphrase = 1024;
constexpr std::size_t kSaltBytes = 16;
constexpr const char* kDigest = "SHA256";

/// What OpenSSL leaves in this thread's queue would be told for somebody else's failure later, and what is
/// there already for ours.
struct ClearedErrors {
  ClearedErrors() { ERR_clear_error(); }
  ClearedErrors(const ClearedErrors&) = delete;
  ClearedErrors& operator=(const ClearedErrors&) = delete;
  ~ClearedErrors() { ERR_clear_error(); }
};

/// Whether that is why OpenSSL has just failed: then nothing is known about the bytes. Empties the queue.
bool ran_out_of_memory() noexcept {
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const int reason = ERR_GET_REASON(code);
    if (reason == ERR_R_MALLOC_FAILURE) return true;
    if (ERR_GET_LIB(code) == ERR_LIB_BIO && reason == ERR_R_INIT_FAIL) return true;  // says no more than that
  }
  return crypto_library() == nullptr;
}

Error malformed(Reason reason, std::string_view what) {
  return make_error(ErrorCode::kInvalidArgument, reason,
                    "key: expected one P-256 " + std::string(what) + " in PEM, found something else");
}

Error no_memory() {
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "no memory for a P-256 operation");
}

/// Why OpenSSL has just failed at something that needs no more than memory and random numbers. It does not
/// hand on the system's own error. Empties the queue.
Error no_memory_or_random() {
  bool is_random = false;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) return no_memory();
    is_random |= ERR_GET_LIB(code) == ERR_LIB_PROV && ERR_GET_REASON(code) == PROV_R_ERROR_RETRIEVING_ENTROPY;
  }
  if (!is_random) return no_memory();
  return make_error(ErrorCode::kIo, Reason::kIo,
                    "key: expected random numbers from the system, found none (getrandom, /dev/urandom); "
                    "check the kernel and the sandbox that this program runs in");
}

Bio reader_of(std::string_view text) noexcept {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

/// By the named curve alone: parameters that are spelled out could describe another one, and OpenSSL gives
/// the curve's name also to those that happen to be its own.
bool is_p256(const EVP_PKEY* key) noexcept {
  std::array<char, 64> group{};
  std::size_t size = 0;
  int is_explicit = 1;
  const char* const type = EVP_PKEY_get0_type_name(key);  // EVP_PKEY_is_a says no where it has no memory
  return type != nullptr && std::string_view(type) == "EC" &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
         std::string_view(group.data(), size) == "prime256v1" &&
         EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit) == 1 &&
         is_explicit == 0;
}

using Check = int (*)(EVP_PKEY_CTX*);

/// OpenSSL reads keys that are none: the point at infinity, and a private half that does not belong to its
/// public one, which signs what nobody accepts.
bool passes(EVP_PKEY* key, Check check) noexcept {
  const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
      EVP_PKEY_CTX_new_from_pkey(crypto_library(), key, nullptr), EVP_PKEY_CTX_free);
  return context != nullptr && check(context.get()) == 1;
}

/// Never asks at the terminal, which OpenSSL's own callback would do.
int give_passphrase(char* buffer, int size, int /*is_writing*/, void* passphrase) {
  const auto& text = *static_cast<const std::string_view*>(passphrase);
  if (text.empty() || static_cast<std::size_t>(size) < text.size()) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

/// PBES2, written out because the PEM functions of OpenSSL derive the key with 2048 rounds.
bool write_encrypted(BIO* bio, PKCS8_PRIV_KEY_INFO* plain, std::string_view passphrase,
                     int derivations) noexcept {
  std::array<unsigned char, kSaltBytes> salt{};
  if (RAND_bytes_ex(crypto_library(), salt.data(), salt.size(), 0) != 1) return false;
  constexpr int kPbes2 = -1;
  const EncryptedPkcs8 encrypted(
      PKCS8_encrypt_ex(kPbes2, EVP_aes_256_cbc(), passphrase.data(), static_cast<int>(passphrase.size()),
                       salt.data(), static_cast<int>(salt.size()), derivations, plain, crypto_library(),
                       nullptr),
      X509_SIG_free);
  return encrypted != nullptr && PEM_write_bio_PKCS8(bio, encrypted.get()) == 1;
}

Pkey read_public(std::string_view pem) noexcept {
  const Bio bio = reader_of(pem);
  OSSL_LIB_CTX* const library = crypto_library();
  std::string_view no_passphrase;
  if (bio == nullptr || library == nullptr) return {nullptr, EVP_PKEY_free};
  return {PEM_read_bio_PUBKEY_ex(bio.get(), nullptr, give_passphrase, &no_passphrase, library, nullptr),
          EVP_PKEY_free};
}

Result<std::string> public_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), key) != 1) return no_memory();
  return text_of(bio.get());
}

std::size_t count_of(std::string_view what, std::string_view text) noexcept {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

/// OpenSSL ends a line at a NUL byte and reads on behind it.
bool is_readable(std::string_view pem) noexcept {
  return pem.size() <= kMaxPemBytes && pem.find('\0') == std::string_view::npos;
}

/// One block and nothing else: OpenSSL itself skips whatever stands around the first block.
bool is_one_public_block(std::string_view text) noexcept {
  return text.starts_with(kPublicBegin) && text.ends_with(kPublicEnd) && count_of("-----BEGIN", text) == 1;
}

/// One key. Parameters of the curve may stand before it, as `openssl ecparam -genkey` writes them.
bool is_one_private_block(std::string_view pem) noexcept {
  return is_readable(pem) && count_of("PRIVATE KEY-----", pem) == 2;
}

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const ClearedErrors cleared;
  const Error refusal = malformed(Reason::kTrustedKeyMalformed, "public key");
  const std::string_view text = trimmed(pem);
  if (!is_readable(pem) || !is_one_public_block(text)) return refusal;
  const Pkey key = read_public(text);
  const bool is_right = key != nullptr && is_p256(key.get()) && passes(key.get(), EVP_PKEY_public_check);
  if (!is_right) return ran_out_of_memory() ? no_memory() : refusal;
  SKUA_ASSIGN_OR_RETURN(std::string canonical, public_pem(key.get()));
  const Sha256 fingerprint = sha256_of(std::as_bytes(std::span(canonical)));
  return PublicKey(std::move(canonical), fingerprint);
}

struct PrivateKey::Key {
  Pkey pkey;
};

PrivateKey::PrivateKey(std::unique_ptr<Key> key) noexcept : key_(std::move(key)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate() {
  const ClearedErrors cleared;
  OSSL_LIB_CTX* const library = crypto_library();
  if (library == nullptr) return no_memory();
  Pkey key(EVP_PKEY_Q_keygen(library, nullptr, "EC", "P-256"), EVP_PKEY_free);
  if (key == nullptr) return no_memory_or_random();
  return PrivateKey(std::make_unique<Key>(Key{std::move(key)}));
}

bool PrivateKey::is_encrypted(std::string_view pem) noexcept {
  return pem.find(
             "-----BEGIN "
             "ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
         pem.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, std::string_view passphrase) {
  const ClearedErrors cleared;
  if (!is_one_private_block(pem)) return malformed(Reason::kPrivateKeyMalformed, "private key");
  const Bio bio = reader_of(pem);
  OSSL_LIB_CTX* const library = crypto_library();
  if (bio == nullptr || library == nullptr) return no_memory();
  Pkey key(PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, give_passphrase, &passphrase, library, nullptr),
           EVP_PKEY_free);
  if (key == nullptr && ran_out_of_memory()) return no_memory();
  if (key == nullptr && is_encrypted(pem)) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kPassphraseWrong,
                      std::string("key: expected the passphrase of an encrypted private key, found ") +
                          (passphrase.empty() ? "none" : "another one, or a key that is damaged") +
                          "; give the right one");
  }
  const bool is_right = key != nullptr && is_p256(key.get()) && passes(key.get(), EVP_PKEY_check);
  if (!is_right) {
    return ran_out_of_memory() ? no_memory() : malformed(Reason::kPrivateKeyMalformed, "private key");
  }
  return PrivateKey(std::make_unique<Key>(Key{std::move(key)}));
}

namespace {

/// A key that was written wrong, by whatever fault, would be missed when it is needed.
Status check_reads_back(const PrivateKey& key, std::string_view pem, std::string_view passphrase) {
  const auto again = PrivateKey::from_pem(pem, passphrase);
  if (!again.ok() && again.error().code == ErrorCode::kOutOfMemory) return again.error();
  SKUA_ASSIGN_OR_RETURN(const PublicKey expected, key.public_key());
  if (again.ok()) {
    SKUA_ASSIGN_OR_RETURN(const PublicKey found, again->public_key());
    if (found.pem() == expected.pem()) return {};
  }
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    "key: expected to read back the key that was just written, found another text; write it "
                    "again, and check this machine's memory if that happens twice");
}

}  // namespace

Result<std::string> PrivateKey::to_pem(std::string_view passphrase, int derivations) const {
  const ClearedErrors cleared;
  if (passphrase.size() > kMaxPassphrase) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "passphrase: expected at most " + std::to_string(kMaxPassphrase) + " bytes, found " +
                          std::to_string(passphrase.size()) + "; a longer one could never be read back");
  }
  const Bio bio(BIO_new(BIO_s_secmem()), BIO_free);
  const Pkcs8 plain(EVP_PKEY2PKCS8(key_->pkey.get()), PKCS8_PRIV_KEY_INFO_free);
  if (bio == nullptr || plain == nullptr) return no_memory();
  const bool is_written = passphrase.empty()
                              ? PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio.get(), plain.get()) == 1
                              : write_encrypted(bio.get(), plain.get(), passphrase, derivations);
  if (!is_written) return no_memory_or_random();
  std::string pem = text_of(bio.get());
  SKUA_RETURN_IF_ERROR(check_reads_back(*this, pem, passphrase));
  return pem;
}

Result<PublicKey> PrivateKey::public_key() const {
  const ClearedErrors cleared;
  SKUA_ASSIGN_OR_RETURN(const std::string pem, public_pem(key_->pkey.get()));
  return PublicKey::from_pem(pem);
}

namespace {

/// What was signed wrong, by whatever fault, would be found out in the air only.
Status check_holds(const PrivateKey& key, std::span<const std::byte> message,
                   std::span<const std::byte> signature) {
  SKUA_ASSIGN_OR_RETURN(const PublicKey public_key, key.public_key());
  SKUA_ASSIGN_OR_RETURN(const bool holds, is_signed_by(public_key, message, signature));
  if (holds) return {};
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    "key: expected the signature that was just made to hold, found one that does not; sign "
                    "again, and check this machine's memory if that happens twice");
}

}  // namespace

Result<std::vector<std::byte>> PrivateKey::sign(std::span<const std::byte> message) const {
  const ClearedErrors cleared;
  const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* const data = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, kDigest, crypto_library(), nullptr, key_->pkey.get(),
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, message.size()) != 1) {
    return no_memory_or_random();
  }
  std::vector<std::byte> signature(size);
  auto* const out = reinterpret_cast<unsigned char*>(signature.data());
  if (EVP_DigestSign(context.get(), out, &size, data, message.size()) != 1) return no_memory_or_random();
  // OpenSSL 3.0 says "signed" where its encoder had no memory, with a length of -1 or bytes that are none
  // (ossl_ecdsa_sign does not ask whether i2d_ECDSA_SIG failed).
  if (ran_out_of_memory() || size > signature.size()) return no_memory();
  signature.resize(size);
  SKUA_RETURN_IF_ERROR(check_holds(*this, message, signature));
  return signature;
}

Result<bool> is_signed_by(const PublicKey& key, std::span<const std::byte> message,
                          std::span<const std::byte> signature) {
  const ClearedErrors cleared;
  const Pkey pkey = read_public(key.pem());
  const DigestContext context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  // Nobody uses the context again. Without this OpenSSL verifies with a copy of it, and where it has no
  // memory for the copy it says that the signature is bad.
  if (context != nullptr) EVP_MD_CTX_set_flags(context.get(), EVP_MD_CTX_FLAG_FINALISE);
  if (pkey == nullptr || context == nullptr ||
      EVP_DigestVerifyInit_ex(context.get(), nullptr, kDigest, crypto_library(), nullptr, pkey.get(),
                              nullptr) != 1) {
    return no_memory();
  }
  const int verdict = EVP_DigestVerify(
      context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
      reinterpret_cast<const unsigned char*>(message.data()), message.size());
  if (verdict != 1 && ran_out_of_memory()) return no_memory();
  return verdict == 1;
}

}  // namespace skua
