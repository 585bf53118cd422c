// The table of named mutations: what is done to a signed set that passes, and the one code under which it is
// refused then. One file of the table per kind of thing that is changed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "counts.h"
#include "signed_set.h"

namespace skua::test {

struct Mutation {
  std::string name;
  ErrorCode code;
  Reason reason;
  std::function<void(SignedSet&)> spoil;
};

std::vector<Mutation> manifest_mutations();   ///< well signed; the parser refuses
std::vector<Mutation> unsigned_mutations();   ///< changed after signing; nothing is parsed
std::vector<Mutation> bundle_mutations();     ///< of model.sig
std::vector<Mutation> statement_mutations();  ///< well signed; what it says is refused
std::vector<Mutation> host_mutations();       ///< another machine, or a set for another one
std::vector<Mutation> file_mutations();       ///< of every file that is listed
std::vector<Mutation> folder_mutations();     ///< what else lies in the set, and the set itself
std::vector<Mutation> policy_mutations();     ///< what is asked of the set: keys, sequence, date, size

/// The untouched set passes; after the mutation it is refused, with that code.
inline void expect_refused(const std::vector<Mutation>& mutations) {
  for (const Mutation& mutation : mutations) {
    SignedSet set;
    ASSERT_TRUE(accepted(set.judge())) << "the control of " << mutation.name;
    mutation.spoil(set);
    EXPECT_TRUE(refused(set.judge(), mutation.code, mutation.reason)) << mutation.name;
  }
  skua_test::reached("mutations", static_cast<std::int64_t>(mutations.size()));
}

}  // namespace skua::test
