// The files of a flight set: where they lie, and how one is read so that its bytes are the listed ones.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/set_gate.h"

namespace skua {

inline constexpr std::string_view kGoldenFolder = "golden";
/// Beside the sets: the id of the one that flies, and a line end.
inline constexpr std::string_view kCurrentName = "CURRENT";

/// "golden/<file>": where a set keeps the golden file of `engine`.
std::string golden_path(const EngineRecord& engine);

/// admit_set for a folder that is open already; `set_name` is what the folder is called.
Result<AdmittedSet> admit_folder(std::unique_ptr<Folder> folder, const std::string& set_name,
                                 const GatePolicy& policy, const Clock& clock = system_clock());

/// Whether the set is whole, whoever signed it and however old it is: stages 2, 3 and 6. For ground tools
/// that look for a set that they published before; nothing may fly on it.
Result<AdmittedSet> admit_whole(std::unique_ptr<Folder> folder, const std::string& set_name,
                                std::uint64_t limit_bytes);

/// nullptr when the manifest does not list it. Its files are sorted by name, as decode_manifest demands.
const ManifestFile* find_listed(const Manifest& manifest, std::string_view name) noexcept;

/// Sum of the sizes; the largest number there is instead of an overflow.
std::uint64_t total_bytes(const std::vector<ManifestFile>& files) noexcept;

/// Hashes one listed file through `piece`, opened the safe way. ManifestError: listed_file_missing,
/// file_size_mismatch, listed_file_hash_mismatch; the safe-file refusals.
Status judge_listed_file(Folder& set, const ManifestFile& listed, std::span<std::byte> piece);

/// Every listed file that nobody reads later: all but the engines (the engine gate reads them) and the golden
/// files (whoever uses them hashes what he reads). Errors as judge_listed_file's.
Status verify_listed_files(AdmittedSet& set);

/// Every listed file, engines and golden files included.
Status verify_all_files(AdmittedSet& set);

}  // namespace skua
