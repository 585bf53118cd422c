// The accepted release sequence in its two copies: every damage, every way to be unsafe, and what is healed.
#include "cache/release_ratchet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache_fixture.h"

namespace skua::test {
namespace {

constexpr auto kManifestError = ErrorCode::kManifest;

class Ratchet : public testing::Test {
 protected:
  Result<RatchetState> read() const { return read_ratchet(posix_file_system(), state_.path()); }
  Status accept(std::uint64_t sequence) const {
    return accept_sequence(posix_file_system(), state_.path(), sequence);
  }
  std::uint64_t accepted_now() const { return read().value().accepted.value_or(0); }
  std::string copy(const std::string& which) const { return state_.read("release/ratchet." + which); }
  void put(const std::string& which, const std::string& text) const {
    state_.write("release/ratchet." + which, text);
  }
  fs::path folder() const { return state_.path() / "release"; }

  TempFolder state_;
};

TEST(RatchetText, IsOneForEveryNumber) {
  for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{1} << 53U,
                                       std::numeric_limits<std::uint64_t>::max()}) {
    const std::string text = encode_ratchet(sequence);
    EXPECT_EQ(decode_ratchet(text), sequence) << text;
  }
}

/// With a digest that is right: the digest is no reason to be lax about what it covers.
TEST(RatchetText, EveryOtherSpellingIsRefused) {
  const auto sealed = [](const std::string& lines) { return lines + digest_of(lines).hex() + "\n"; };
  const std::string first = "skua.release-ratchet 1\n";
  ASSERT_EQ(decode_ratchet(sealed(first + "42\n")), 42U) << "the control";
  for (const std::string number : {"", "042", "+42", "-42", " 42", "42 ", "0x2a", "4.2e1", "42\n42",
                                   "18446744073709551616", "99999999999999999999", "42\r", "42\n"}) {
    EXPECT_EQ(decode_ratchet(sealed(first + number + "\n")), std::nullopt) << number;
  }
  for (const std::string other : {"skua.release-ratchet 2\n", "skua.release-ratchet 1 \n", "\n", "",
                                  "SKUA.release-ratchet 1\n", "skua.release-ratchet 1\r\n"}) {
    EXPECT_EQ(decode_ratchet(sealed(other + "42\n")), std::nullopt) << other;
  }
  const std::string good = encode_ratchet(42);
  for (const std::string& bad :
       {good + "\n", "\n" + good, good + good, std::string(5000, 'a'), first + "42\n"}) {
    EXPECT_EQ(decode_ratchet(bad), std::nullopt) << bad;
  }
}

TEST_F(Ratchet, NothingIsAcceptedUntilSomethingIs) {
  EXPECT_FALSE(read().value().accepted);
  EXPECT_FALSE(fs::exists(folder())) << "reading writes nothing";
  ASSERT_TRUE(accepted(accept(7)));
  EXPECT_EQ(copy("a"), encode_ratchet(7));
  EXPECT_EQ(copy("b"), encode_ratchet(7));
  EXPECT_EQ(read().value().accepted, 7U);
  EXPECT_FALSE(read().value().is_one_copy_bad);
}

TEST_F(Ratchet, NeverGoesBack) {
  for (const std::uint64_t sequence : {5, 9, 2, 9, 8}) ASSERT_TRUE(accepted(accept(sequence)));
  EXPECT_EQ(accepted_now(), 9U);
  EXPECT_EQ(copy("a"), copy("b"));
}

TEST_F(Ratchet, TheHigherCopyCountsAndTheOtherIsBroughtUp) {
  for (const auto& [higher, lower] : {std::pair("a", "b"), std::pair("b", "a")}) {
    ASSERT_TRUE(accepted(accept(3)));
    put(higher, encode_ratchet(5));
    put(lower, encode_ratchet(4));
    EXPECT_EQ(accepted_now(), 5U) << higher;
    EXPECT_FALSE(read().value().is_one_copy_bad) << "a start that was cut off, no damage";
    ASSERT_TRUE(accepted(accept(2)));
    EXPECT_EQ(copy(lower), encode_ratchet(5)) << lower;
  }
}

/// One copy at a time is spoiled in every way: the other one counts, is told, and heals it.
class SpoiledRatchet : public Ratchet {
 protected:
  void expect_other_counts(const std::string& which, const std::string& text, const std::string& what) {
    put(which, text);
    const auto state = read();
    ASSERT_TRUE(accepted(state)) << what;
    EXPECT_EQ(state->accepted, 250U) << what;
    EXPECT_TRUE(state->is_one_copy_bad) << what;
  }
  void expect_nothing_counts(const std::string& text, const std::string& what) {
    put("a", text);
    put("b", text);
    EXPECT_TRUE(refused(read(), kManifestError, Reason::kRatchetDamaged)) << what;
  }
};

TEST_F(SpoiledRatchet, EveryFlippedByteOfACopyIsNoticed) {
  const std::string good = encode_ratchet(250);
  for (const std::string which : {"a", "b"}) {
    ASSERT_TRUE(accepted(accept(250)));
    ASSERT_TRUE(accepted(read()));
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const int pattern : {0x01, 0x80, 0xFF}) {
        std::string text = good;
        text[at] = static_cast<char>(text[at] ^ pattern);
        const std::string what = which + " " + std::to_string(at) + " ^ " + std::to_string(pattern);
        expect_other_counts(which, text, what);
        if (which == "b" && pattern == 0x01) {
          expect_nothing_counts(text, what);
          put("a", good);
        }
      }
    }
    put(which, good);
  }
}

TEST_F(SpoiledRatchet, EveryOtherLengthOfACopyIsNoticed) {
  const std::string good = encode_ratchet(250);
  for (std::size_t size = 0; size < good.size() + 3; ++size) {
    if (size == good.size()) continue;
    const std::string text = (good + "\n\n\n").substr(0, size);
    put("b", good);
    expect_other_counts("a", text, std::to_string(size));
    expect_nothing_counts(text, std::to_string(size));
  }
  put("a", good);
  put("b", good);
  EXPECT_FALSE(read().value().is_one_copy_bad) << "the control";
}

TEST_F(SpoiledRatchet, ACopyThatIsGoneOrDamagedIsHealed) {
  for (const std::string which : {"a", "b"}) {
    ASSERT_TRUE(accepted(accept(250)));
    fs::remove(folder() / ("ratchet." + which));
    EXPECT_TRUE(read().value().is_one_copy_bad) << which;
    ASSERT_TRUE(accepted(accept(250)));
    EXPECT_EQ(copy(which), encode_ratchet(250));
    expect_other_counts(which, std::string(1 << 16, 'x'), which);
    ASSERT_TRUE(accepted(accept(1)));
    EXPECT_EQ(copy(which), encode_ratchet(250));
    EXPECT_FALSE(read().value().is_one_copy_bad);
  }
}

TEST_F(SpoiledRatchet, OneDamagedAloneOrTwoDamagedAreRefusedAndNeverHealed) {
  for (const std::string gone : {"a", "b", ""}) {
    put("a", "x");
    put("b", "y");
    if (!gone.empty()) fs::remove(folder() / ("ratchet." + gone));
    EXPECT_TRUE(refused(read(), kManifestError, Reason::kRatchetDamaged)) << gone;
    EXPECT_TRUE(refused(accept(300), kManifestError, Reason::kRatchetDamaged)) << gone;
    EXPECT_THAT(read().error().message, testing::HasSubstr("skua ratchet " + state_.path().string()));
    EXPECT_TRUE(gone == "a" || copy("a") == "x");
  }
}

TEST_F(Ratchet, AResetSaysTheNumberWhateverWasThere) {
  const auto reset = [&](std::uint64_t sequence) {
    return reset_ratchet(posix_file_system(), state_.path(), sequence);
  };
  ASSERT_TRUE(accepted(reset(4))) << "nothing was there";
  EXPECT_EQ(accepted_now(), 4U);
  ASSERT_TRUE(accepted(accept(9)));
  ASSERT_TRUE(accepted(reset(2)));
  EXPECT_EQ(accepted_now(), 2U);
  put("a", "x");
  put("b", "");
  ASSERT_TRUE(accepted(reset(3)));
  EXPECT_EQ(copy("a"), encode_ratchet(3));
  EXPECT_EQ(copy("b"), encode_ratchet(3));
}

struct UnsafePlace {
  std::string name;
  Reason reason;
  void (*spoil)(const fs::path& state);
};

std::vector<UnsafePlace> unsafe_places() {
  return {
      {"state_dir is gone", Reason::kNotFound, [](const fs::path& s) { fs::remove_all(s); }},
      {"state_dir is writable", Reason::kFileMode,
       [](const fs::path& s) { fs::permissions(s, fs::perms::group_write, fs::perm_options::add); }},
      {"state_dir is a file", Reason::kIo,
       [](const fs::path& s) { fs::remove_all(s), std::ofstream(s) << "x"; }},
      {"release is writable", Reason::kFileMode,
       [](const fs::path& s) {
         fs::permissions(s / "release", fs::perms::others_write, fs::perm_options::add);
       }},
      {"release is a link", Reason::kNotRegularFile,
       [](const fs::path& s) {
         fs::rename(s / "release", s / "other"), fs::create_directory_symlink("other", s / "release");
       }},
      {"release is a dangling link", Reason::kNotRegularFile,
       [](const fs::path& s) {
         fs::remove_all(s / "release"), fs::create_directory_symlink("none", s / "release");
       }},
      {"release is a file", Reason::kIo,
       [](const fs::path& s) { fs::remove_all(s / "release"), std::ofstream(s / "release") << "x"; }},
      {"a copy is writable", Reason::kFileMode,
       [](const fs::path& s) {
         fs::permissions(s / "release/ratchet.a", fs::perms::group_write, fs::perm_options::add);
       }},
      {"a copy is a link", Reason::kNotRegularFile,
       [](const fs::path& s) {
         fs::remove(s / "release/ratchet.b"), fs::create_symlink("ratchet.a", s / "release/ratchet.b");
       }},
      {"a copy is a folder", Reason::kNotRegularFile,
       [](const fs::path& s) {
         fs::remove(s / "release/ratchet.b"), fs::create_directory(s / "release/ratchet.b");
       }},
      {"a copy has two names", Reason::kFileLinks,
       [](const fs::path& s) { fs::create_hard_link(s / "release/ratchet.a", s / "second"); }},
  };
}

/// Both reading and accepting: neither takes an unsafe place for an empty one, or writes there.
TEST(RatchetPlaces, WhatIsNotSafeIsAnErrorAndNeverNothingAccepted) {
  for (const UnsafePlace& place : unsafe_places()) {
    const TempFolder root;
    const fs::path state = root.path() / "state";
    fs::create_directory(state);
    ASSERT_TRUE(accepted(accept_sequence(posix_file_system(), state, 7)));
    ASSERT_EQ(read_ratchet(posix_file_system(), state).value().accepted, 7U) << "the control";
    place.spoil(state);
    EXPECT_TRUE(refused(read_ratchet(posix_file_system(), state), kManifestError, place.reason))
        << place.name;
    EXPECT_TRUE(
        refused(accept_sequence(posix_file_system(), state, 8), kManifestError, Reason::kRatchetNotWritten))
        << place.name;
    EXPECT_FALSE(fs::exists(state / "none")) << place.name;
  }
}

TEST_F(Ratchet, AHeldLockIsARefusalAndNotAWait) {
  ASSERT_TRUE(accepted(accept(7)));
  {
    auto held = WriterLock::take(posix_file_system(), folder()).value();
    const auto found = accept(8);
    EXPECT_TRUE(refused(found, kManifestError, Reason::kRatchetNotWritten));
    EXPECT_TRUE(accepted(read())) << "readers do not wait";
  }
  EXPECT_TRUE(accepted(accept(8)));
}

TEST_F(Ratchet, BoundsThePolicy) {
  const auto bounds = [](std::optional<std::uint64_t> sequence, std::uint64_t step) {
    GatePolicy policy;
    bound_sequence(policy, {sequence, false}, step);
    return std::pair(policy.minimum_release_sequence, policy.maximum_release_sequence);
  };
  using Bound = std::optional<std::uint64_t>;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(bounds({}, 10), (std::pair(Bound(), Bound()))) << "the first set has none";
  EXPECT_EQ(bounds(7, 10), (std::pair(Bound(7), Bound(17))));
  EXPECT_EQ(bounds(0, 1), (std::pair(Bound(0), Bound(1))));
  EXPECT_EQ(bounds(kMost - 5, 10), (std::pair(Bound(kMost - 5), Bound(kMost)))) << "no overflow";
  GatePolicy stricter;
  stricter.minimum_release_sequence = 9;
  bound_sequence(stricter, {7, false}, 10);
  EXPECT_EQ(stricter.minimum_release_sequence, 9U) << "never loosened";
}

}  // namespace
}  // namespace skua::test
