// The raw SDK, as its own documentation says to call it: what Skua is measured against. One adapter per
// runtime, in a third module, libskua_bench_<label>.so, opened beside libskua like the others. It uses the
// same library, session options and threads as the runtime's run half, and nothing of Skua between a call and
// the SDK. Ground only: flight never opens it, and airborne packages do not hold it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cache/engine_record.h"
#include "skua/inference_runtime.h"

namespace skua {

/// Memory of somebody else to be bound; empty: the session makes its own. One view per input and output, of
/// the shape to run with; an output without data gets memory of the session's own.
struct RawMemory {
  std::vector<TensorView> inputs, outputs;
};

/// One network in the SDK, with memory for one caller. One thread at a time.
class RawSession {
 public:
  virtual ~RawSession() = default;
  /// The ways to call it; the first is the one that costs least. Static storage.
  virtual std::span<const std::string_view> variants() const noexcept = 0;

  /// Binds memory for inputs and outputs: its own (inputs at their profile's `opt` shape), or that of
  /// `memory`. Creating the session is over before, so that each can be timed alone. Call once.
  virtual Status place(const RawMemory& memory) = 0;
  /// The rest requires place(). A shape must fit the memory.
  virtual Status set_input_shape(std::size_t index, const Shape& shape) = 0;
  /// Where the caller writes input `index`.
  virtual TensorView input(std::size_t index) const noexcept = 0;
  /// Runs once. Nothing is checked, recorded or copied. Requires variant < variants().size().
  virtual Status run(std::size_t variant) noexcept = 0;
  /// Where the last run left output `index`; valid until the next one. Not for timed code.
  virtual Result<TensorView> output(std::size_t index) const = 0;
};

/// Skua's runtime, and raw sessions over the very sessions it runs. Two sessions of one network differ by
/// some per cent for no better reason than where their memory came to lie; with one session only the calls
/// differ.
class PairedRuntime {
 public:
  virtual ~PairedRuntime() = default;
  virtual InferenceRuntime& runtime() noexcept = 0;
  /// InvalidArgumentError (unknown_name) unless an engine with that record is resident.
  virtual Result<std::unique_ptr<RawSession>> raw_session(const EngineRecord& record) = 0;
};

/// What the bytes are.
enum class RawOrigin : std::uint8_t {
  kEngine,  ///< an artifact, opened as the runtime opens it
  kSource,  ///< the source model, opened as a program without Skua would: with the SDK's own optimiser on
};

struct RawModule {
  std::uint32_t struct_size;
  const char* build_id;
  const char* label;
  /// Creates a session of its own; `bytes` are those that a gate or the caller has hashed, and are not needed
  /// afterwards. `record` gives names, profiles and capacities, for a source model those of the engine made
  /// from it. Errors are those of loading an engine.
  Result<std::unique_ptr<RawSession>> (*open)(const RuntimeConfig& config, const EngineRecord& record,
                                              std::span<const std::byte> bytes, RawOrigin origin);
  /// The runtime as the run half makes it, from the same sources. Errors are the run half's.
  Result<std::unique_ptr<PairedRuntime>> (*create_paired)(RuntimeEnvironment environment);
};

using RawModuleFunction = const RawModule* (*)();
inline constexpr char kRawModuleSymbol[] = "skua_bench_module";

}  // namespace skua
