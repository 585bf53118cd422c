// The runtimes of this source tree, built or not, and what the layers below the registry must know of each:
// one line skua_runtime in CMakeLists.txt. Thread-safety: constant data.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace skua {

/// Texts have static storage.
struct KnownRuntime {
  std::string_view label;             ///< "pytorch_fp16"
  std::string_view model_key;         ///< the key of its model files in SET.yaml: "pt"
  std::string_view engine_extension;  ///< of its engine files, no other runtime's: "pt"
  std::string_view options;  ///< fields of RuntimeConfig that change its engines: "device,arithmetic"
};

/// In the order of CMakeLists.txt.
std::span<const KnownRuntime> known_runtimes() noexcept;
/// nullptr: there is no such runtime.
const KnownRuntime* find_known_runtime(std::string_view label) noexcept;
/// The options, one by one; none for an unknown label.
std::vector<std::string_view> engine_options_of(std::string_view label);
/// Whether an engine file may have this extension.
bool is_engine_extension(std::string_view extension) noexcept;

}  // namespace skua
