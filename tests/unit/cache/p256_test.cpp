#include "cache/p256.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "cache/base64.h"
#include "cache_fixture.h"
#include "openssl_keys.h"

namespace skua::test {
namespace {

testing::AssertionResult no_public_key(const std::string& pem) {
  return refused(PublicKey::from_pem(pem), ErrorCode::kInvalidArgument, Reason::kTrustedKeyMalformed);
}

testing::AssertionResult no_private_key(const std::string& pem, Reason reason = Reason::kPrivateKeyMalformed,
                                        const std::string& passphrase = {}) {
  return refused(PrivateKey::from_pem(pem, passphrase), ErrorCode::kInvalidArgument, reason);
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
  return out;
}

/// Of every kind that is not ECDSA on the named curve P-256.
std::vector<std::pair<std::string, OpensslKey>> foreign_keys() {
  std::vector<std::pair<std::string, OpensslKey>> keys;
  for (const std::string curve : {"P-384", "P-521", "P-224", "secp256k1", "brainpoolP256r1"})
    keys.emplace_back(curve, OpensslKey::ec(curve));
  keys.emplace_back("explicit P-256", OpensslKey::ec("P-256").with_explicit_parameters());
  keys.emplace_back("RSA", OpensslKey::rsa());
  for (const std::string kind : {"ED25519", "X25519", "ED448"})
    keys.emplace_back(kind, OpensslKey::of_kind(kind));
  return keys;
}

TEST(PublicKeyPem, IsReadAsOpensslWritesIt) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const std::string pem = key.public_pem();
  const auto found = PublicKey::from_pem(pem);
  ASSERT_TRUE(accepted(found));
  EXPECT_EQ(found->pem(), pem);
  EXPECT_EQ(found->fingerprint(), digest_of(pem)) << "over the text with its line end";
  for (const std::string& other : {with_crlf(pem), "\n  " + pem + "\n\n", pem.substr(0, pem.size() - 1)}) {
    EXPECT_EQ(PublicKey::from_pem(other).value(), *found) << "the canonical text is the same";
  }
  EXPECT_EQ(PrivateKey::from_pem(key.pkcs8())->public_key().value(), *found);
  EXPECT_FALSE(PublicKey::from_pem(OpensslKey::ec("P-256").public_pem()).value() == *found);
}

TEST(PublicKeyPem, OtherKindsAndCurvesAreRefused) {
  for (const auto& [name, key] : foreign_keys()) EXPECT_TRUE(no_public_key(key.public_pem())) << name;
}

TEST(PublicKeyPem, IsOneBlockAndNothingElse) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const std::string pem = key.public_pem();
  const std::size_t middle = pem.size() / 2;
  std::string encrypted = pem;
  encrypted.insert(pem.find('\n') + 1,
                   "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n");
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("-----BEGIN PUBLIC KEY-----"),
        std::string("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"), pem + pem,
        pem + OpensslKey::ec("P-256").public_pem(), "key:\n" + pem, pem + "end\n", key.pkcs8(),
        key.traditional(), pem + key.pkcs8(), pem.substr(0, middle), encrypted,
        std::string(pem).insert(middle, "*"), std::string(pem).insert(middle, 1, '\0'),
        std::string(pem).insert(pem.find('\n', 30), 1, '\0'), pem + std::string(1, '\0'),
        pem + std::string(20000, '\n')}) {
    EXPECT_TRUE(no_public_key(text)) << text;
  }
  EXPECT_TRUE(accepted(PublicKey::from_pem(pem))) << "the control";
}

std::string pem_of(const std::string& name, const std::string& der) {
  return "-----BEGIN " + name + "-----\n" + to_base64(bytes_of(der)) + "\n-----END " + name + "-----\n";
}

std::string der_of(const std::string& pem) {
  const std::size_t first = pem.find('\n');
  std::string text = pem.substr(first, pem.rfind("\n-----") - first);
  std::erase(text, '\n');
  const auto bytes = from_base64(text).value();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(PublicKeyPem, ThePointAtInfinityIsRefused) {
  const std::string der = der_of(OpensslKey::ec("P-256").public_pem());
  EXPECT_TRUE(accepted(PublicKey::from_pem(pem_of("PUBLIC KEY", der)))) << "the control";
  // SEQUENCE of the algorithm's 21 bytes and a BIT STRING of the one byte that stands for infinity.
  const std::string infinity =
      std::string("\x30\x19") + der.substr(2, 21) + std::string("\x03\x02\x00\x00", 4);
  EXPECT_TRUE(no_public_key(pem_of("PUBLIC KEY", infinity)));
}

TEST(PrivateKeyPem, HalvesThatDoNotBelongTogetherAreRefused) {
  const std::string der = der_of(OpensslKey::ec("P-256").pkcs8());
  const std::string other = der_of(OpensslKey::ec("P-256").pkcs8());
  EXPECT_TRUE(accepted(PrivateKey::from_pem(pem_of("PRIVATE KEY", der)))) << "the control";
  constexpr std::size_t kPublicBytes = 64;
  const std::string mixed =
      der.substr(0, der.size() - kPublicBytes) + other.substr(other.size() - kPublicBytes);
  EXPECT_TRUE(no_private_key(pem_of("PRIVATE KEY", mixed)));
}

TEST(PrivateKeyPem, IsReadInEveryFormThatOpensslWrites) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const Sha256 fingerprint = digest_of(key.public_pem());
  const auto read = [](const std::string& pem, const std::string& passphrase = {}) {
    const auto found = PrivateKey::from_pem(pem, passphrase);
    return found.ok() ? found->public_key()->fingerprint().hex() : found.error().describe();
  };
  const std::string parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  EXPECT_EQ(read(key.pkcs8()), fingerprint.hex());
  EXPECT_EQ(read(key.traditional()), fingerprint.hex());
  EXPECT_EQ(read(parameters + key.traditional()), fingerprint.hex())
      << "as openssl ecparam -genkey writes it";
  EXPECT_EQ(read(with_crlf(key.pkcs8())), fingerprint.hex());
  EXPECT_EQ(read(key.encrypted_pkcs8("secret"), "secret"), fingerprint.hex());
  EXPECT_EQ(read(key.traditional("secret"), "secret"), fingerprint.hex());
  EXPECT_EQ(read(key.pkcs8(), "not needed"), fingerprint.hex());
  for (const bool is_encrypted : {false, true}) {
    const std::string passphrase = is_encrypted ? "secret" : "";
    const std::string pem = PrivateKey::from_pem(key.pkcs8())->to_pem(passphrase).value();
    EXPECT_EQ(PrivateKey::is_encrypted(pem), is_encrypted);
    EXPECT_EQ(read(pem, passphrase), fingerprint.hex());
  }
  EXPECT_TRUE(PrivateKey::is_encrypted(key.traditional("secret")));
  EXPECT_FALSE(PrivateKey::is_encrypted(key.traditional()));
}

TEST(PrivateKeyPem, TheWrongPassphraseIsTold) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const std::string ours = PrivateKey::from_pem(key.pkcs8())->to_pem("secret").value();
  for (const std::string& pem : {key.encrypted_pkcs8("secret"), key.traditional("secret"), ours}) {
    for (const std::string& wrong :
         {std::string(), std::string("Secret"), std::string("secret "), std::string(5000, 's')}) {
      EXPECT_TRUE(no_private_key(pem, Reason::kPassphraseWrong, wrong)) << wrong;
    }
    const auto refusal = PrivateKey::from_pem(pem, "hush-hush");
    EXPECT_THAT(refusal.error().message, testing::Not(testing::HasSubstr("hush"))) << "never printed";
  }
}

TEST(PrivateKeyPem, APassphraseThatIsWrittenCanBeReadBack) {
  const PrivateKey key = PrivateKey::generate().value();
  for (const std::size_t length : {1U, 64U, 1023U, 1024U}) {
    const std::string passphrase(length, 'p');
    EXPECT_TRUE(accepted(PrivateKey::from_pem(key.to_pem(passphrase).value(), passphrase))) << length;
  }
  EXPECT_TRUE(
      refused(key.to_pem(std::string(1025, 'p')), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
}

TEST(PrivateKeyPem, OtherKindsAndCurvesAreRefused) {
  for (const auto& [name, key] : foreign_keys()) {
    EXPECT_TRUE(no_private_key(key.pkcs8())) << name;
    EXPECT_TRUE(no_private_key(key.encrypted_pkcs8("p"), Reason::kPrivateKeyMalformed, "p")) << name;
  }
}

TEST(PrivateKeyPem, IsOneKey) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const std::string pem = key.pkcs8();
  const std::size_t middle = pem.size() / 2;
  for (const std::string& text :
       {std::string(), std::string("garbage"), pem + pem, pem + key.traditional(), key.public_pem(),
        pem.substr(0, middle), std::string(pem).insert(middle, "*"), std::string(pem).insert(middle, 1, '\0'),
        pem + std::string(1, '\0'), pem + std::string(20000, '\n'),
        std::string("-----BEGIN "
                    "PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")}) {
    EXPECT_TRUE(no_private_key(text)) << text.size();
  }
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(P256, ASignatureHoldsForItsKeyAndItsMessageAlone) {
  const PrivateKey key = PrivateKey::generate().value();
  const PublicKey public_key = key.public_key().value();
  const std::string message = "what is signed";
  const std::string signature = text_of(key.sign(bytes_of(message)).value());
  const auto holds = [&](const PublicKey& by, const std::string& text, const std::string& made) {
    return is_signed_by(by, bytes_of(text), bytes_of(made)).value();
  };
  EXPECT_TRUE(holds(public_key, message, signature));
  EXPECT_NE(text_of(key.sign(bytes_of(message)).value()), signature) << "the nonce is random";
  EXPECT_FALSE(holds(PrivateKey::generate()->public_key().value(), message, signature));
  EXPECT_FALSE(holds(public_key, message + " ", signature));
  EXPECT_FALSE(holds(public_key, "", signature));
  EXPECT_FALSE(holds(public_key, message, ""));
  EXPECT_FALSE(holds(public_key, message, signature + '\0')) << "nothing behind the DER";
  for (std::size_t i = 0; i < signature.size(); ++i) {
    EXPECT_FALSE(holds(public_key, message, signature.substr(0, i))) << i;
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string flipped = signature;
      flipped[i] = static_cast<char>(static_cast<unsigned char>(flipped[i]) ^ (1U << bit));
      EXPECT_FALSE(holds(public_key, message, flipped)) << i << "." << bit;
    }
  }
}

TEST(P256, ADerSignatureHasOneSpelling) {
  const PrivateKey key = PrivateKey::generate().value();
  const PublicKey public_key = key.public_key().value();
  const std::string signature = text_of(key.sign(bytes_of("m")).value());
  const auto size = static_cast<unsigned char>(signature[1]);
  std::string long_form = signature.substr(0, 1) + '\x81' + signature.substr(1);
  std::string padded = signature;  // r with one more zero byte in front
  padded.insert(4, 1, '\0');
  padded[3] = static_cast<char>(padded[3] + 1);
  padded[1] = static_cast<char>(size + 1);
  ASSERT_TRUE(is_signed_by(public_key, bytes_of("m"), bytes_of(signature)).value()) << "the control";
  EXPECT_FALSE(is_signed_by(public_key, bytes_of("m"), bytes_of(long_form)).value());
  EXPECT_FALSE(is_signed_by(public_key, bytes_of("m"), bytes_of(padded)).value());
  const std::string zeros("\x30\x06\x02\x01\x00\x02\x01\x00", 8);
  EXPECT_FALSE(is_signed_by(public_key, bytes_of("m"), bytes_of(zeros)).value());
}

TEST(P256, LeavesNothingInTheErrorQueue) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const PublicKey public_key = PublicKey::from_pem(key.public_pem()).value();
  const std::string cut = key.public_pem().substr(0, 60) + "\n-----END PUBLIC KEY-----\n";
  ERR_clear_error();
  const auto expect_empty = [](const char* what) { EXPECT_EQ(ERR_peek_error(), 0U) << what; };
  EXPECT_FALSE(PublicKey::from_pem(cut).ok());
  expect_empty("a public key that is none");
  EXPECT_FALSE(PrivateKey::from_pem(key.pkcs8().insert(60, "*")).ok());
  expect_empty("a private key that is none");
  EXPECT_FALSE(PrivateKey::from_pem(key.encrypted_pkcs8("right"), "wrong").ok());
  expect_empty("a wrong passphrase");
  EXPECT_FALSE(is_signed_by(public_key, bytes_of("m"), bytes_of("no DER")).value());
  expect_empty("a signature that is none");
  const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(cut.data(), static_cast<int>(cut.size())),
                                               BIO_free);
  EXPECT_EQ(PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr), nullptr);
  EXPECT_NE(ERR_peek_error(), 0U) << "the control: OpenSSL itself leaves an error";
  ERR_clear_error();
}

}  // namespace
}  // namespace skua::test
