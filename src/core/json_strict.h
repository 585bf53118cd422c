// Strict JSON: bounded, no duplicate keys, no unknown keys, every field typed. What cannot be read is an
// Error that names the field (as a path, e.g. "artifacts[2].engine.precision"), the expected and the found.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.h"
#include "skua/result.h"
#include "skua/sha256.h"

namespace skua {

struct JsonLimits {
  std::size_t max_bytes = 1U << 20U;
  int max_depth = 12;
  std::size_t max_values = kMaxJsonValues;  ///< of arrays and objects at all depths
};

/// Parses UTF-8 text; refuses duplicate keys, trailing text, more depth or bytes than the limits. Cost:
/// linear in the bytes (keys of one object: n log n); some tens of bytes of memory for each. Error:
/// kMalformed.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Reads the fields of one object and remembers the first error; `finish()` returns it, or complains of keys
/// that nobody asked for. Getters return a default value once something failed, so that a decoder is a
/// straight list.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string path);

  std::string text(std::string_view key, std::size_t max_length = 4096);
  std::uint64_t unsigned_integer(std::string_view key, std::uint64_t max = (std::uint64_t{1} << 53U));
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max);
  double number(std::string_view key);  ///< finite
  bool boolean(std::string_view key);
  Sha256 digest(std::string_view key);
  /// nullptr when the key is absent or its value is null.
  const Json* optional(std::string_view key);
  /// The array's elements; empty after an error.
  std::vector<const Json*> array(std::string_view key, std::size_t max_length);
  /// The value as an object or an empty object after an error.
  const Json& object(std::string_view key);
  /// Records a failure of a nested decoder.
  void fail(const Error& error);
  void fail(std::string_view key, std::string_view expected, std::string_view found);
  /// For nested decoders: the path of a key.
  std::string path_of(std::string_view key) const;
  bool ok() const noexcept { return !error_.has_value(); }
  Status finish();

 private:
  const Json* find(std::string_view key);
  const Json& object_;
  std::string path_;
  std::vector<std::string_view> seen_;
  std::optional<Error> error_;
};

}  // namespace skua
