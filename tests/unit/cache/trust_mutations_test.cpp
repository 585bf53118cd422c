// How many mutations there are, and that no two have one name. The tables run beside this file.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "counts.h"
#include "trust_mutations.h"

namespace skua::test::trust_mutations_tests {
namespace {

std::vector<Mutation> policy_table() {
  constexpr auto kManifest = ErrorCode::kManifest;
  return {
      {"policy: no trusted key", kManifest, Reason::kNoTrustedKey,
       [](SignedSet& s) { s.policy.trusted_keys.clear(); }},
      {"policy: another trusted key", kManifest, Reason::kSignatureKeyUnknown,
       [](SignedSet& s) { s.policy.trusted_keys = {other_key().public_key().value()}; }},
      {"policy: two other trusted keys", kManifest, Reason::kSignatureKeyUnknown,
       [](SignedSet& s) {
         s.policy.trusted_keys = {other_key().public_key().value(),
                                  PrivateKey::generate()->public_key().value()};
       }},
      {"policy: unsigned sets allowed, and a signature by another key", kManifest,
       Reason::kSignatureKeyUnknown,
       [](SignedSet& s) {
         s.policy.allow_unsigned = true;
         s.policy.trusted_keys = {other_key().public_key().value()};
       }},
      {"policy: sequence one below the bound", kManifest, Reason::kSequenceTooOld,
       [](SignedSet& s) { s.policy.minimum_release_sequence = 2; }},
      {"policy: sequence far below the bound", kManifest, Reason::kSequenceTooOld,
       [](SignedSet& s) { s.policy.minimum_release_sequence = std::numeric_limits<std::uint64_t>::max(); }},
      {"policy: sequence one above the bound", kManifest, Reason::kSequenceStepTooLarge,
       [](SignedSet& s) {
         s.policy.maximum_release_sequence = 9;
         s.edit_manifest([](Manifest& m) { m.release_sequence = 10; });
       }},
      {"policy: the largest sequence there is", kManifest, Reason::kSequenceStepTooLarge,
       [](SignedSet& s) {
         s.policy.minimum_release_sequence = 1;
         s.policy.maximum_release_sequence = 1001;
         s.edit_manifest([](Manifest& m) { m.release_sequence = std::uint64_t{1} << 53U; });
       }},
      {"policy: expired by a microsecond", kManifest, Reason::kSetExpired,
       [](SignedSet& s) {
         s.clock.now_us = 1;
         s.edit_manifest([](Manifest& m) { m.not_after = "1970-01-01T00:00:00Z"; });
       }},
      {"policy: expired for years", kManifest, Reason::kSetExpired,
       [](SignedSet& s) {
         s.clock.now_us = 4102444800LL * 1000000;
         s.edit_manifest([](Manifest& m) { m.not_after = "2030-01-01T00:00:00Z"; });
       }},
      {"policy: a byte over the limit", kManifest, Reason::kSetTooLarge,
       [](SignedSet& s) { s.policy.flight_set_limit_bytes = total_bytes(s.admit()->manifest.files) - 1; }},
      {"policy: no bytes at all", kManifest, Reason::kSetTooLarge,
       [](SignedSet& s) { s.policy.flight_set_limit_bytes = 0; }},
  };
}

}  // namespace

std::vector<Mutation> policy_mutations() { return policy_table(); }

namespace {

TEST(TrustMutations, OfThePolicyAreRefused) { expect_refused(policy_mutations()); }

TEST(TrustMutations, AreMoreThanTwoHundredAndEachHasItsName) {
  const std::vector<std::pair<std::string, std::vector<Mutation>>> tables = {
      {"manifest, signed again", manifest_mutations()},
      {"manifest, not signed again", unsigned_mutations()},
      {"bundle", bundle_mutations()},
      {"statement", statement_mutations()},
      {"host", host_mutations()},
      {"files", file_mutations()},
      {"folder", folder_mutations()},
      {"policy", policy_mutations()}};
  std::set<std::string> names;
  std::set<Reason> reasons;
  std::size_t count = 0;
  for (const auto& [title, table] : tables) {
    std::cout << "trust mutations, " << title << ": " << table.size() << "\n";
    for (const Mutation& mutation : table) {
      EXPECT_TRUE(names.insert(mutation.name).second) << mutation.name;
      reasons.insert(mutation.reason);
    }
    count += table.size();
  }
  std::cout << "trust mutations: " << count << ", under " << reasons.size() << " reasons\n";
  EXPECT_GE(static_cast<std::int64_t>(count), skua_test::count("mutations"));
}

}  // namespace
}  // namespace skua::test::trust_mutations_tests
