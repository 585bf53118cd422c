// Memory runs out inside of OpenSSL, at each of its allocations in turn, in everything of ours that calls it:
// the answer is OutOfMemoryError, std::bad_alloc (which programs tell as that), or success, never another
// verdict on the bytes; nothing leaks; and once there is memory again everything works, also where it ran out
// at the first use.
//
// A program of its own: OpenSSL takes its allocator from us before its first allocation, or never.
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "bootstrap/sign_set.h"
#include "cache/p256.h"
#include "child.h"
#include "core/hash.h"
#include "counts.h"
#include "operations.h"

namespace skua::test {
namespace {

std::uint64_t g_allocations = 0, g_fail_at = 0;
std::int64_t g_live = 0;

bool is_to_fail() { return ++g_allocations == g_fail_at; }

void* take(std::size_t size, const char*, int) {
  void* const memory = is_to_fail() ? nullptr : std::malloc(size);
  if (memory != nullptr) ++g_live;
  return memory;
}
void give_back(void* memory, const char*, int) {
  if (memory != nullptr) --g_live;
  std::free(memory);
}
void* take_again(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return take(size, file, line);
  if (size != 0) return is_to_fail() ? nullptr : std::realloc(memory, size);
  give_back(memory, file, line);
  return nullptr;
}

const bool g_is_ours = CRYPTO_set_mem_functions(take, take_again, give_back) == 1;

std::span<const std::byte> message() {
  static const std::string text = "what is signed, hashed and verified here";
  return std::as_bytes(std::span(text));
}

constexpr std::string_view kPassphrase = "secret";

struct Call {
  std::string_view name;
  std::function<Status()> run;  ///< checks its own answer: a wrong one is another error
  std::uint64_t stride = 1;     ///< every how many-th allocation, of those that the depth asks for
};

template <typename T>
Status as_status(const Result<T>& result) {
  if (result.ok()) return {};
  return result.error();
}

Status wrong(std::string_view what) {
  return make_error(ErrorCode::kInternal, Reason::kInternal, std::string(what));
}

/// Publishes a set without a signature over the one that flies, signs it, and judges it as in flight.
Status publish_sign_and_fly() {
  static const WorldTemplate origin(memory_folder());
  const World world = origin.fresh();
  SKUA_RETURN_IF_ERROR(publish_number(posix_file_system(), world, origin.record(), 2, nullptr));
  SKUA_RETURN_IF_ERROR(sign_number(world, 2));
  SKUA_RETURN_IF_ERROR(flying(posix_file_system(), world));
  return {};
}

Status publish_signed() {
  static const WorldTemplate origin(memory_folder());
  const World world = origin.fresh();
  SKUA_RETURN_IF_ERROR(publish_number(posix_file_system(), world, origin.record(), 2));
  return {};
}

/// A set that this process's key has signed.
World signed_world() {
  static const WorldTemplate origin(memory_folder());
  return origin.origin();
}

/// Finds its own signature there and leaves it.
Status sign_again() {
  SKUA_RETURN_IF_ERROR(sign_set(posix_file_system(), signed_world().sets(), kSetLimit, signing_key()));
  return {};
}

Status judge_it() {
  const auto folder = posix_file_system().open_folder(signed_world().sets() / set_id_of(1)).value();
  SKUA_RETURN_IF_ERROR(judge_signature(*folder, std::span(&trusted_key(), 1)));
  return {};
}

Status sign_its_manifest() {
  static const Manifest manifest = draft_of(WorldTemplate(memory_folder()).record(), 1);
  SKUA_RETURN_IF_ERROR(sign_manifest(signing_key(), manifest, Sha256{}));
  return {};
}

/// Everything of ours that calls OpenSSL. Deriving a key allocates in each round, so here it has one.
std::vector<Call> calls() {
  static const PrivateKey key = PrivateKey::generate().value();
  static const std::string private_pem = key.to_pem().value();
  static const std::string encrypted_pem = key.to_pem(kPassphrase, 1).value();
  static const PublicKey public_key = key.public_key().value();
  static const std::vector<std::byte> signature = key.sign(message()).value();
  static const Sha256 digest = sha256_of(message());
  return {
      {"generate", [] { return as_status(PrivateKey::generate()); }},
      {"read a private key", [] { return as_status(PrivateKey::from_pem(private_pem)); }},
      {"write a private key", [] { return as_status(key.to_pem()); }},
      {"write an encrypted key", [] { return as_status(key.to_pem(kPassphrase, 1)); }},
      {"read an encrypted key", [] { return as_status(PrivateKey::from_pem(encrypted_pem, kPassphrase)); }},
      {"public half", [] { return as_status(key.public_key()); }},
      {"read a public key", [] { return as_status(PublicKey::from_pem(public_key.pem())); }},
      {"sign",
       []() -> Status {
         SKUA_ASSIGN_OR_RETURN(const auto made, key.sign(message()));
         g_fail_at = 0;  // judged with memory
         SKUA_ASSIGN_OR_RETURN(const bool holds, is_signed_by(public_key, message(), made));
         return holds ? Status() : wrong("signed wrong");
       }},
      {"verify",
       []() -> Status {
         SKUA_ASSIGN_OR_RETURN(const bool holds, is_signed_by(public_key, message(), signature));
         return holds ? Status() : wrong("a good signature does not hold");
       }},
      {"sign again", sign_again},
      {"judge a signature", judge_it},
      {"sign a manifest", sign_its_manifest},
      {"publish, sign and fly", publish_sign_and_fly, 16},
      {"publish a signed set", publish_signed, 16},
      {"hash", [] { return sha256_of(message()) == digest ? Status() : wrong("another digest"); }},
  };
}

/// The answer where the `nth` allocation fails; `has_failed` tells whether there was such a one.
std::string answer_of(const Call& call, std::uint64_t nth, bool& has_failed) {
  std::string answer;
  g_allocations = 0;
  g_fail_at = nth;
  try {
    const Status status = call.run();
    if (!status.ok() && status.error().code != ErrorCode::kOutOfMemory) answer = status.error().describe();
  } catch (const std::bad_alloc&) {
    answer = "";
  }
  g_fail_at = 0;
  has_failed = g_allocations >= nth;
  if (ERR_peek_error() != 0) answer = "leaves errors to be taken for somebody else's";
  ERR_clear_error();  // the texts of the thread's errors are no leak
  return answer;
}

/// Runs out of memory at the first use of all, at allocation `nth`, and tries again. Exit code 0: nothing was
/// wrong and there is no such allocation; 7: nothing was wrong.
void first_use(std::uint64_t nth, bool (*has_answer)()) {
  g_allocations = 0;
  g_fail_at = nth;
  const bool is_answered = has_answer();
  const bool has_failed = g_allocations >= nth;
  if (!has_failed && !is_answered) _exit(8);
  g_fail_at = 0;
  if (!has_answer()) _exit(9);  // still without memory
  leave_child(has_failed ? 7 : 0);
}

/// Here it does not last.
bool can_hash() {
  try {
    static_cast<void>(sha256_of(message()));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// OpenSSL's own set-up, where that is what ran out of memory, is never made again in this process: it says
/// so for ever, and nothing else.
bool can_make_keys() {
  const auto key = PrivateKey::generate();
  return key.ok() || key.error().code == ErrorCode::kOutOfMemory;
}

void sweep_first_use(bool (*has_answer)(), std::uint64_t stride) {
  std::int64_t failures = 0;
  for (std::uint64_t nth = 1;; nth += stride) {
    const int status = wait_for(fork_child([&] { first_use(nth, has_answer); }));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7)
        << "allocation " << nth << ": wait status " << status;
    ++failures;
  }
  EXPECT_GT(failures, 10);
  skua_test::reached("openssl_failures", failures);
}

/// The first of this program: nothing has called OpenSSL before.
TEST(OpensslMemory, RunningOutAtTheFirstUseIsNoOtherAnswer) {
  ASSERT_TRUE(g_is_ours) << "OpenSSL keeps its own allocator";
  ASSERT_EQ(g_live, 0);
#ifdef SKUA_COUNTS_BRANCHES  // each child writes its counts, which takes longer than all else
  sweep_first_use(can_hash, 10);
#else
  sweep_first_use(can_hash, 1);
#endif
  sweep_first_use(can_make_keys, static_cast<std::uint64_t>(skua_test::count("openssl_stride")));
}

TEST(OpensslMemory, EachAllocationMayFail) {
  ASSERT_TRUE(g_is_ours) << "OpenSSL keeps its own allocator";
  std::int64_t failures = 0;
  for (const Call& call : calls()) {
    g_allocations = 0;
    ASSERT_TRUE(call.run().ok()) << call.name;
    std::cout << call.name << ": " << g_allocations << " allocations" << std::endl;
    bool has_failed = true;
    const auto stride = call.stride * static_cast<std::uint64_t>(skua_test::count("openssl_stride"));
    for (std::uint64_t nth = 1; has_failed; nth += stride) {
      const std::string answer = answer_of(call, nth, has_failed);
      EXPECT_EQ(answer, "") << call.name << ", allocation " << nth;
      const std::int64_t live = g_live;
      answer_of(call, nth, has_failed);
      EXPECT_LE(g_live, live) << call.name << ", allocation " << nth << " leaks";
      EXPECT_TRUE(call.run().ok()) << call.name << " does not recover from allocation " << nth;
      failures += has_failed ? 1 : 0;
    }
  }
  EXPECT_GE(failures, skua_test::count("openssl_failures"));
  skua_test::reached("openssl_failures", failures);
}

/// Negative control: a call that takes a lack of memory for a verdict, and one that leaks.
TEST(OpensslMemory, ACallThatLiesOrLeaksIsCaught) {
  bool has_failed = false;
  const Call lies{"lies", [] {
                    void* const memory = OPENSSL_malloc(8);
                    OPENSSL_free(memory);
                    return memory != nullptr ? Status() : wrong("a bad signature");
                  }};
  EXPECT_NE(answer_of(lies, 1, has_failed), "");
  EXPECT_TRUE(has_failed);
  void* kept = nullptr;
  const Call leaks{"leaks", [&kept] {
                     kept = OPENSSL_malloc(8);
                     return Status();
                   }};
  const std::int64_t live = g_live;
  answer_of(leaks, 2, has_failed);
  EXPECT_EQ(g_live, live + 1);
  OPENSSL_free(kept);
}

}  // namespace
}  // namespace skua::test
