// What is done on the ground alone, as operations.h.
#pragma once

#include "bootstrap/key_files.h"
#include "operations.h"
#include "skua/sidecar.h"

namespace skua::test {

/// The same where a killed writer left half a set and a file.
inline Operation after_a_kill(Operation operation) {
  operation.name = "publish after a kill";
  operation.is_cleared = false;
  operation.prepare = [](const World& world) {
    const fs::path half = world.sets() / (std::string(kStagingPrefix) + "0123456789abcdef");
    fs::create_directories(half / "golden");
    for (const fs::path& file : {half / "golden" / "g", world.sets() / ".tmp-0123456789abcdef"})
      std::ofstream(file) << "half";
  };
  return operation;
}

/// Set 2 is there, whole, and CURRENT does not name it yet: a writer was killed in between.
inline Operation adopt_operation(const EngineRecord& record) {
  Operation operation = publish_operation(record);
  operation.name = "adopt";
  operation.is_cleared = false;
  operation.prepare = [record](const World& world) {
    publish_number(posix_file_system(), world, record, 2).value();
    std::ofstream(world.sets() / kCurrentName) << set_id_of(1) << "\n";
  };
  return operation;
}

/// A file with its sidecar, written over an older pair and verified.
inline Operation sidecar_operation() {
  return {"sidecar",
          [](const World& world) {
            Sha256Sidecar::write_atomic_and_sidecar(world.state() / "f", std::as_bytes(std::span("old", 3)))
                .value();
          },
          [](const World& world) -> Status {
            const fs::path file = world.state() / "f";
            SKUA_RETURN_IF_ERROR(
                Sha256Sidecar::write_atomic_and_sidecar(file, std::as_bytes(std::span("new", 3))));
            SKUA_RETURN_IF_ERROR(Sha256Sidecar::verify(file));
            SKUA_RETURN_IF_ERROR(Sha256Sidecar::aggregate_hash({file}));
            return {};
          },
          [](const World& world, std::string& why) {
            const fs::path file = world.state() / "f";
            const auto is_whole = Sha256Sidecar::verify(file);
            if (!is_whole.ok()) return bad(is_whole, why);
            std::string text;
            std::ifstream(file) >> text;
            if (text != "old" && text != "new") return bad(is_whole, why);
            // Between its two renames the new file has the old sidecar, which says so.
            return text == "old" || !*is_whole ? After::kOld : After::kNew;
          }};
}

/// On the ground 7 goes back to 2.
inline Operation reset_operation() {
  return {"reset ratchet",
          [](const World& world) { accept_sequence(posix_file_system(), world.state(), 7).value(); },
          [](const World& world) { return reset_ratchet(posix_file_system(), world.state(), 2); },
          [](const World& world, std::string& why) {
            const auto ratchet = read_ratchet(posix_file_system(), world.state());
            if (ratchet.ok() && ratchet->accepted == 2U) return After::kNew;
            return ratchet.ok() && ratchet->accepted == 7U ? After::kOld : bad(ratchet, why);
          }};
}

inline constexpr std::byte kNewEngineByte{0x77};

/// The engine of the cache, built anew with other bytes.
inline Status build_again(const World& world, const EngineRecord& record) {
  const std::vector<std::byte> engine(record.size_bytes, kNewEngineByte), golden = fake_golden();
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(posix_file_system(), world.cache()));
  SKUA_ASSIGN_OR_RETURN(const std::string staging, lock.make_staging());
  SKUA_ASSIGN_OR_RETURN(const auto folder, lock.folder().open_folder(staging));
  SKUA_RETURN_IF_ERROR(write_new(*folder, record.file, engine));
  SKUA_RETURN_IF_ERROR(write_new(*folder, record.golden.file, golden));
  SKUA_RETURN_IF_ERROR(publish_engine(lock, staging, record));
  return {};
}

/// A cache entry is the old or the new one, or refused for its missing sidecar; never a mixture. The set that
/// flies does not know of it.
inline Operation engine_operation(const EngineRecord& record) {
  Operation operation;
  operation.name = "publish engine";
  operation.is_cleared = false;
  operation.prepare = [](const World&) {};
  operation.act = [record](const World& world) { return build_again(world, record); };
  operation.look = [record](const World& world, std::string& why) {
    if (flying_is(world, 1, 1, why) == After::kBad) return After::kBad;
    const auto cache = posix_file_system().open_folder(world.cache()).value();
    BufferPool pool(1);
    const auto entry =
        admit_cached(*cache, {record.file, std::nullopt, record.precision, fake_host(), false}, pool);
    if (!entry.ok() && entry.error().reason != Reason::kSidecarMissing) return bad(entry, why);
    return entry.ok() && entry->bytes().back() == kNewEngineByte ? After::kNew : After::kOld;
  };
  return operation;
}

/// Both halves of a key, or neither. Not for kills: who is killed between them leaves the public one.
inline Operation keys_operation() {
  return {"write keys", [](const World&) {},
          [](const World& world) {
            return write_key_pair(posix_file_system(), world.state() / "k.key", world.state() / "k.pub",
                                  signing_key(), "");
          },
          [](const World& world, std::string& why) {
            const auto secret = read_private_key(posix_file_system(), world.state() / "k.key", "");
            const auto shared = read_public_key(posix_file_system(), world.state() / "k.pub");
            if (secret.ok() && shared.ok()) return After::kNew;
            return secret.ok() == shared.ok() && leftovers(world.state()).empty() ? After::kOld
                                                                                  : bad(secret, why);
          }};
}

}  // namespace skua::test
