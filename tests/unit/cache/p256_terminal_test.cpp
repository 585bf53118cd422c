// Nothing here asks at the terminal, which OpenSSL would do by itself where a key is encrypted: an aircraft
// has nobody who answers. Tried in a child that has a terminal of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/p256.h"
#include "openssl_keys.h"

namespace skua::test {
namespace {

constexpr int kLongestMs = 20000;

/// What a child writes to its terminal while it runs `work`, until it ends or asks for something.
template <typename Work>
std::string seen_at_terminal(Work work) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child < 0) return "no terminal to try it with";
  if (child == 0) {
    work();
    _exit(0);
  }
  std::string seen;
  pollfd waiting{terminal, POLLIN, 0};
  std::array<char, 256> piece{};
  while (seen.find(':') == std::string::npos && poll(&waiting, 1, kLongestMs) > 0) {
    const ssize_t got = read(terminal, piece.data(), piece.size());
    if (got <= 0) break;  // the child has ended
    seen.append(piece.data(), static_cast<std::size_t>(got));
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(terminal);
  return seen;
}

std::string encrypted_public(const OpensslKey& key) {
  std::string pem = key.traditional("secret");
  for (auto at = pem.find("EC PRIVATE KEY"); at != std::string::npos; at = pem.find("EC PRIVATE KEY"))
    pem.replace(at, 14, "PUBLIC KEY");
  return pem;
}

TEST(P256Terminal, IsNeverAsked) {
  const OpensslKey key = OpensslKey::ec("P-256");
  for (const std::string& pem : {key.encrypted_pkcs8("secret"), key.traditional("secret")}) {
    EXPECT_EQ(seen_at_terminal([&] { static_cast<void>(PrivateKey::from_pem(pem)); }), "");
    EXPECT_EQ(seen_at_terminal([&] { static_cast<void>(PrivateKey::from_pem(pem, "wrong")); }), "");
  }
  const std::string odd = encrypted_public(key);
  EXPECT_EQ(seen_at_terminal([&] { static_cast<void>(PublicKey::from_pem(odd)); }), "");
}

TEST(P256Terminal, OpensslItselfWouldAsk) {
  const OpensslKey key = OpensslKey::ec("P-256");
  const auto read = [](const std::string& pem, auto reader) {
    const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                 BIO_free);
    reader(in.get(), nullptr, nullptr, nullptr);
  };
  const std::string pem = key.traditional("secret");
  const std::string odd = encrypted_public(key);
  EXPECT_THAT(seen_at_terminal([&] { read(pem, PEM_read_bio_PrivateKey); }),
              testing::HasSubstr("pass phrase"));
  EXPECT_THAT(seen_at_terminal([&] { read(odd, PEM_read_bio_PUBKEY); }), testing::HasSubstr("pass phrase"));
}

}  // namespace
}  // namespace skua::test
