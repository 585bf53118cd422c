// `skua collect`: what it tells, and with which exit status it refuses.
#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "../cache/cache_fixture.h"
#include "cache/set_signature.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "skua_command.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

class CollectCommand : public ::testing::Test {
 protected:
  struct Outcome : CommandOutcome {
    Json json;
  };
  CollectCommand() {
    for (std::uint64_t i = 2; i <= 4; ++i) {
      Manifest draft = draft_of(folders_.records(), "set-" + std::to_string(i));
      draft.release_sequence = i;
      UnsyncedFileSystem files;
      publish_set(files, folders_.sets(), folders_.cache(), draft).value();
    }
  }
  Outcome collect(std::vector<std::string> options, bool is_json = true) const {
    std::vector<std::string> arguments = {"collect", folders_.sets().string()};
    if (is_json) arguments.emplace_back("--json");
    arguments.insert(arguments.end(), options.begin(), options.end());
    Outcome outcome{skua_command(std::move(arguments)), {}};
    if (is_json) outcome.json = parse_json(outcome.out).value();
    return outcome;
  }
  bool has(const std::string& id) const { return fs::exists(folders_.sets() / id); }
  void sign_current(const PrivateKey& key) const {
    WriterLock lock = WriterLock::take(posix_file_system(), folders_.sets()).value();
    auto set = admit_set(posix_file_system(), folders_.sets() / "set-4", ground_policy()).value();
    ASSERT_TRUE(accepted(add_signature(lock, set, key)));
  }

  PublishedFolders folders_;
};

TEST_F(CollectCommand, TellsWhatBecameOfEverySet) {
  const Outcome dry = collect({"--keep", "1", "--dry-run"}, false);
  EXPECT_EQ(dry.status, 0);
  EXPECT_THAT(dry.out, HasSubstr("would go  set-1"));
  EXPECT_TRUE(has("set-1"));
  const Outcome done = collect({"--keep", "1"});
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.json["is_dry_run"], false);
  std::vector<std::string> fates;
  for (const Json& set : done.json["sets"]) {
    fates.push_back(set["set_id"].get<std::string>() + " " + set["fate"].get<std::string>());
  }
  EXPECT_THAT(fates, testing::ElementsAre("set-4 current", "set-3 kept", "set-2 removed", "set-1 removed"));
  EXPECT_GT(done.json["sets"][3]["size_bytes"], 0);
  EXPECT_EQ(done.json["sets"][3]["release_sequence"], 1);
  EXPECT_FALSE(has("set-1"));
  EXPECT_TRUE(has("set-3"));
  EXPECT_THAT(collect({}, false).out, HasSubstr("flies     set-4"));
}

TEST_F(CollectCommand, KeepsTwoUnlessToldOtherwise) {
  EXPECT_EQ(collect({}).status, 0);
  EXPECT_FALSE(has("set-1"));
  EXPECT_TRUE(has("set-2"));
}

TEST_F(CollectCommand, ASignedSetWantsTheKey) {
  const PrivateKey key = PrivateKey::generate().value();
  sign_current(key);
  const Outcome without = collect({});
  EXPECT_EQ(without.status, 2);
  EXPECT_EQ(without.json["error"]["reason"], "no_trusted_key");
  const auto file = folders_.temp().write("key.pub", key.public_key().value().pem());
  fs::permissions(file.parent_path(), fs::perms::owner_all);
  const Outcome with = collect({"--trust", file.string()});
  EXPECT_EQ(with.status, 0) << with.out;
  EXPECT_EQ(with.json["sets"][1]["fate"], "not_judged") << "unsigned ones may be signed yet";
  EXPECT_TRUE(has("set-1"));
}

TEST_F(CollectCommand, RefusesWithTheStatusOfTheCause) {
  fs::remove(folders_.sets() / "CURRENT");
  const Outcome outcome = collect({});
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.json["error"]["reason"], "current_missing");
  EXPECT_EQ(collect({"--keep", "-1"}).status, 2);
  EXPECT_TRUE(has("set-1"));
}

}  // namespace
}  // namespace skua::test
