// Keys of any kind, made and written by OpenSSL itself: what Skua takes, and all that it must not take.
#pragma once

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace skua::test {

class OpensslKey {
 public:
  static OpensslKey ec(const std::string& curve) { return OpensslKey(EVP_EC_gen(curve.c_str())); }
  static OpensslKey rsa() { return OpensslKey(EVP_RSA_gen(2048)); }
  /// "ED25519", "X25519": kinds that need no parameters.
  static OpensslKey of_kind(const std::string& kind) {
    return OpensslKey(EVP_PKEY_Q_keygen(nullptr, nullptr, kind.c_str()));
  }
  /// The curve's parameters spelled out instead of its name.
  OpensslKey&& with_explicit_parameters() && {
    set("encoding", "explicit");
    return std::move(*this);
  }
  OpensslKey&& with_compressed_point() && {
    set("point-format", "compressed");
    return std::move(*this);
  }

  std::string public_pem() const {
    return text([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key_.get()); });
  }
  std::string pkcs8() const {
    return text([&](BIO* out) {
      return PEM_write_bio_PKCS8PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  std::string encrypted_pkcs8(const std::string& passphrase) const {
    return text([&](BIO* out) {
      return PEM_write_bio_PKCS8PrivateKey(out, key_.get(), EVP_aes_256_cbc(), passphrase.data(),
                                           static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
  }
  /// SEC1 for EC keys, PKCS#1 for RSA.
  std::string traditional(const std::string& passphrase = {}) const {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(passphrase.data());
    const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_128_cbc();
    return text([&](BIO* out) {
      return PEM_write_bio_PrivateKey_traditional(out, key_.get(), cipher, bytes,
                                                  static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
  }

 private:
  explicit OpensslKey(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {
    if (key == nullptr) throw std::runtime_error("OpenSSL cannot make this kind of key");
  }
  void set(const char* name, const char* value) {
    if (EVP_PKEY_set_utf8_string_param(key_.get(), name, value) != 1) throw std::runtime_error(name);
  }
  template <typename Write>
  static std::string text(Write write) {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    if (write(out.get()) != 1) throw std::runtime_error("OpenSSL cannot write this key");
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
};

}  // namespace skua::test
