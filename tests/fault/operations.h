// What is done to a world under faults, and what must hold of the world whatever the fault was.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/collect_sets.h"
#include "cache/engine_verify.h"
#include "cache/release_ratchet.h"
#include "flight_world.h"

namespace skua::test {

/// What is there after an operation was disturbed.
enum class After { kOld, kNew, kBad };

struct Operation {
  std::string_view name;
  std::function<void(const World&)> prepare;
  std::function<Status(const World&)> act;
  /// Looks with new eyes; `why` tells of kBad.
  std::function<After(const World&, std::string& why)> look;
  bool may_skip = false;   ///< an error may lead to less being done, which is told as success
  bool is_cleared = true;  ///< leaves no temporary after an error; else the next writer clears it away
};

template <typename T>
After bad(const Result<T>& result, std::string& why) {
  why = result.ok() ? "another value than the old or the new one" : result.error().describe();
  return After::kBad;
}

inline After flying_is(const World& world, std::uint64_t old_number, std::uint64_t new_number,
                       std::string& why) {
  const auto number = flying(posix_file_system(), world);
  if (number.ok() && *number == new_number) return After::kNew;
  if (number.ok() && *number == old_number) return After::kOld;
  return bad(number, why);
}

/// Set 2 over set 1, which flies.
inline Operation publish_operation(const EngineRecord& record) {
  return {"publish", [](const World&) {},
          [record](const World& world) -> Status {
            SKUA_RETURN_IF_ERROR(publish_number(posix_file_system(), world, record, 2));
            return {};
          },
          [](const World& world, std::string& why) { return flying_is(world, 1, 2, why); }};
}

inline Status sign_number(const World& world, std::uint64_t number) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(posix_file_system(), world.sets()));
  SKUA_ASSIGN_OR_RETURN(auto folder, lock.folder().open_folder(set_id_of(number)));
  SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_whole(std::move(folder), set_id_of(number), kSetLimit));
  SKUA_RETURN_IF_ERROR(verify_all_files(set));
  return add_signature(lock, set, signing_key());
}

/// Set 2 flies unsigned, where the ground allows that, and is signed. Half a signature would be refused
/// there, too.
inline Operation sign_operation(const EngineRecord& record) {
  return {"sign",
          [record](const World& world) {
            publish_number(posix_file_system(), world, record, 2, nullptr).value();
          },
          [](const World& world) { return sign_number(world, 2); },
          [](const World& world, std::string& why) {
            GatePolicy ground = flight_policy();
            ground.allow_unsigned = true;
            const auto number = flying(posix_file_system(), world, ground);
            if (!number.ok() || *number != 2) return bad(number, why);
            const auto in_flight = flying(posix_file_system(), world);
            if (in_flight.ok()) return After::kNew;
            return in_flight.error().reason == Reason::kUnsignedSet ? After::kOld : bad(in_flight, why);
          }};
}

/// One engine into memory through its gate, from the cache; it changes nothing.
inline Operation admit_operation(const EngineRecord& record) {
  return {"admit", [](const World&) {},
          [record](const World& world) -> Status {
            SKUA_ASSIGN_OR_RETURN(const auto cache, posix_file_system().open_folder(world.cache()));
            BufferPool pool(1);
            SKUA_RETURN_IF_ERROR(admit_cached(
                *cache, {record.file, std::nullopt, record.precision, fake_host(), false}, pool));
            return {};
          },
          [](const World& world, std::string& why) { return flying_is(world, 1, 1, why); }};
}

/// The whole gate with all hashes; it changes nothing.
inline Operation verify_operation() {
  return {"verify", [](const World&) {},
          [](const World& world) -> Status {
            SKUA_RETURN_IF_ERROR(flying(posix_file_system(), world));
            return {};
          },
          [](const World& world, std::string& why) { return flying_is(world, 1, 1, why); }};
}

inline Result<CollectReport> collect(const World& world) {
  CollectOptions options;
  options.keep = 1;
  options.policy = flight_policy();
  return collect_sets(posix_file_system(), world.sets(), options);
}

/// Of sets 1, 2 and 3, which flies, the first one goes: whole or not at all.
inline Operation collect_operation() {
  Operation operation;
  operation.name = "collect";
  operation.may_skip = true;
  operation.is_cleared = false;
  operation.prepare = [](const World&) {};
  operation.act = [](const World& world) -> Status {
    SKUA_RETURN_IF_ERROR(collect(world));
    return {};
  };
  operation.look = [](const World& world, std::string& why) {
    const auto passes = [&](std::uint64_t number) -> Status {
      SKUA_ASSIGN_OR_RETURN(
          const AdmittedSet set,
          admit_set(posix_file_system(), world.sets() / set_id_of(number), flight_policy()));
      return judge_whole(set);
    };
    if (flying_is(world, 3, 3, why) == After::kBad) return After::kBad;
    if (const Status second = passes(2); !second.ok()) return bad(second, why);
    if (!fs::exists(world.sets() / set_id_of(1))) return After::kNew;
    const Status first = passes(1);
    return first.ok() ? After::kOld : bad(first, why);
  };
  return operation;
}

/// 5 was accepted; 6 is. The first start of an aircraft has nothing there yet.
inline Operation accept_operation(bool is_first) {
  return {is_first ? "first accept" : "accept",
          [is_first](const World& world) {
            if (!is_first) accept_sequence(posix_file_system(), world.state(), 5).value();
          },
          [](const World& world) { return accept_sequence(posix_file_system(), world.state(), 6); },
          [is_first](const World& world, std::string& why) {
            const auto ratchet = read_ratchet(posix_file_system(), world.state());
            if (ratchet.ok() && ratchet->accepted == 6U) return After::kNew;
            const auto old = is_first ? std::nullopt : std::optional<std::uint64_t>(5);
            if (ratchet.ok() && ratchet->accepted == old) return After::kOld;
            return bad(ratchet, why);
          }};
}

/// What take-off asks of the ratchet; it changes nothing.
inline Operation read_operation() {
  return {"read ratchet",
          [](const World& world) { accept_sequence(posix_file_system(), world.state(), 5).value(); },
          [](const World& world) -> Status {
            SKUA_RETURN_IF_ERROR(read_ratchet(posix_file_system(), world.state()));
            return {};
          },
          [](const World& world, std::string& why) {
            const auto ratchet = read_ratchet(posix_file_system(), world.state());
            return ratchet.ok() && ratchet->accepted == 5U ? After::kNew : bad(ratchet, why);
          }};
}

}  // namespace skua::test
