// What loading gives back: facts about one engine, and the engines of a flight set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skua/bound_inference.h"
#include "skua/build_config.h"
#include "skua/host_tuple.h"
#include "skua/public_key.h"
#include "skua/sha256.h"
#include "skua/tensor.h"

namespace skua {

/// What a resident engine is, read back from the SDK and compared with its record at load.
struct EngineInfo {
  std::string model;  ///< logical name
  std::string runtime_label;
  std::string device;      ///< "cpu", "cuda:0"
  std::string provider;    ///< execution provider, or empty
  std::string arithmetic;  ///< "fp32", "fp16", "fp16 weights, fp32 arithmetic"
  std::string sdk_version;
  Precision precision = Precision::kFp16;
  Sha256 engine_sha256;
  std::uint64_t resident_bytes = 0;  ///< counted against the budget, lanes included
  std::vector<TensorSpec> inputs, outputs;
  std::vector<OptimizationProfile> profiles;
};

/// What becomes of a set's expiry date. A wrong clock would ground a good set, or fly an old one.
enum class ExpiryRule : std::uint8_t {
  kRefuse,     ///< the clock is trusted: an expired set is refused
  kWarn,       ///< a restart in flight (F8): an expired set is loaded, and told as a WARN
  kNotJudged,  ///< the clock is not trusted: the release sequence alone keeps old sets out
};

/// What is asked of a set at load. The default trusts no key and allows nothing.
struct GatePolicy {
  /// A set is accepted only with a signature by one of these: two at most, the current key and the next one.
  std::vector<PublicKey> trusted_keys;
  bool allow_unsigned =
      false;  ///< ground only; logged at WARN on every load. A signature that is there counts
  ExpiryRule expiry = ExpiryRule::kRefuse;
  std::optional<std::uint64_t> minimum_release_sequence;  ///< older sets are refused
  std::optional<std::uint64_t> maximum_release_sequence;  ///< sets further ahead are refused
  std::uint64_t flight_set_limit_bytes = 2147483648ULL;
};

/// How long each step of loading one engine took.
struct EngineLoadTimes {
  std::string model;
  std::uint64_t size_bytes = 0;
  std::int64_t verify_ns = 0, deserialize_ns = 0, warm_up_ns = 0, golden_ns = 0;
};

/// All engines of a flight set, resident and proven.
struct EngineSet {
  /// One engine, by its logical name.
  struct Item {
    std::string model;
    EngineHandle handle;
  };
  std::string set_id;
  std::uint64_t release_sequence = 0;
  std::optional<Sha256> signer;  ///< fingerprint of the trusted key that signed; nothing: not signed
  std::vector<Item> engines;     ///< most critical first
  std::vector<EngineLoadTimes> times;
  std::int64_t total_ns = 0;

  /// nullptr when the set has no such engine.
  const EngineHandle* find(std::string_view model) const noexcept;
};

}  // namespace skua
