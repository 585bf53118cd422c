// What tests and scripts outside C++ need of signed sets, and the programs of Skua do not offer by itself:
//
//   signed_set make SETS          a set of one small engine for no real machine, SETS/set-1; not signed
//   signed_set sign SET KEY.pem   adds model.sig, whole and once, as a writer would
//   signed_set judge SET [KEY.pub [MINIMUM_SEQUENCE]]
//                                 set gate, then every file by its digest: prints "accepted" or the reason
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "../unit/cache/cache_fixture.h"
#include "cache/set_signature.h"

namespace skua::test {
namespace {

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  return text.str();
}

Status make(const fs::path& sets) {
  TempFolder temp;
  const EngineRecord record = publish_plan(temp.path(), plan_record("alpha"));
  SKUA_RETURN_IF_ERROR(publish_set(posix_file_system(), sets, temp.path(), draft_of({record}, "set-1")));
  return {};
}

Status sign(const fs::path& set_dir, const fs::path& key_file) {
  SKUA_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::from_pem(text_of(key_file)));
  SKUA_ASSIGN_OR_RETURN(WriterLock sets, WriterLock::take(posix_file_system(), set_dir.parent_path()));
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(set_dir));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set,
                        admit_whole(std::move(folder), set_dir.filename().string(), 1U << 30U));
  SKUA_RETURN_IF_ERROR(verify_all_files(set));
  return add_signature(sets, set, key);
}

Status judge(const fs::path& set_dir, const std::vector<std::string>& rest) {
  GatePolicy policy;
  if (!rest.empty()) {
    SKUA_ASSIGN_OR_RETURN(const PublicKey key, PublicKey::from_pem(text_of(rest[0])));
    policy.trusted_keys = {key};
  }
  if (rest.size() > 1) policy.minimum_release_sequence = std::stoull(rest[1]);
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_set(posix_file_system(), set_dir, policy));
  return verify_all_files(set);
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return 2;
  const std::string& command = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 2, arguments.end());
  Status done;
  if (command == "make" && rest.empty()) {
    done = make(arguments[1]);
  } else if (command == "sign" && rest.size() == 1) {
    done = sign(arguments[1], rest[0]);
  } else if (command == "judge") {
    done = judge(arguments[1], rest);
  } else {
    return 2;
  }
  std::cout << (done.ok() ? std::string("accepted") : std::string(to_string(done.error().reason))) << "\n";
  if (!done.ok()) std::cerr << done.error().describe() << "\n";
  return done.ok() ? 0 : 1;
}

}  // namespace
}  // namespace skua::test

int main(int argc, char** argv) { return skua::test::run({argv + 1, argv + argc}); }
