// Who touches a tensor's memory first: the SDK, or somebody else. Whoever copies a bound input reads it
// before the SDK could; a bound output that is filled by a copy is written by the copier. The memory is taken
// away (PROT_NONE) for the length of one call, and the fault says whose code was there.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "skua/tensor.h"

namespace skua::bench {

/// One at a time in a process, for calls that run on the calling thread. Every tensor needs pages of its own
/// (give_tensors_their_own_pages).
class TouchWatch {
 public:
  /// Code of the libraries in `sdk_folder` is the SDK's. It must be loaded already.
  explicit TouchWatch(const std::filesystem::path& sdk_folder);
  ~TouchWatch();
  TouchWatch(const TouchWatch&) = delete;
  TouchWatch& operator=(const TouchWatch&) = delete;

  /// Tensors without data or bytes are not watched.
  void watch(const TensorView& view);
  void arm();
  void disarm();

  std::size_t watched() const noexcept;
  std::size_t touched_by_sdk() const noexcept;
  std::size_t touched_by_others() const noexcept;
};

}  // namespace skua::bench
