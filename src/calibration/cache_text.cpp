#include "calibration/cache_text.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <optional>
#include <unordered_set>

#include "cache/utf8.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::string_view kPrefix = "TRT-";
constexpr std::string_view kSeparator = ": ";
constexpr std::size_t kScaleDigits = 8;
constexpr std::size_t kMaxVersionDigits = 6;
constexpr std::array kAlgorithms = {Algorithm::kEntropy2, Algorithm::kMinMax};

Error refusal(Reason reason, const std::string& what) {
  return make_error(ErrorCode::kCalibrationCache, reason, "calibration cache: " + what);
}

Error bad_line(std::size_t line, const std::string& expected, std::string_view found) {
  return refusal(Reason::kMalformed,
                 "line " + std::to_string(line) + ": expected " + expected + ", found " + quote(found));
}

/// One spelling each: no sign, no leading zero, no upper case.
std::optional<std::uint32_t> parse_version(std::string_view text) noexcept {
  const bool is_one_spelling = !text.empty() && text.size() <= kMaxVersionDigits && text.front() != '0' &&
                               text.find_first_not_of("0123456789") == std::string_view::npos;
  std::uint32_t version = 0;
  if (is_one_spelling) std::from_chars(text.data(), text.data() + text.size(), version);
  return is_one_spelling ? std::optional(version) : std::nullopt;
}

std::optional<float> parse_scale(std::string_view text) noexcept {
  if (text.size() != kScaleDigits || text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return std::nullopt;
  }
  std::uint32_t bits = 0;
  std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return std::bit_cast<float>(bits);
}

/// False for NaN, too.
bool is_plausible(float scale) noexcept { return scale >= kMinScale && scale <= kMaxScale; }

Status parse_header(std::string_view line, CacheText& cache) {
  const std::string expected = "TRT-<version>-EntropyCalibration2 or TRT-<version>-MinMaxCalibration";
  const std::size_t end = line.find('-', kPrefix.size());
  if (!line.starts_with(kPrefix) || end == std::string_view::npos) return bad_line(1, expected, line);
  const auto version = parse_version(line.substr(kPrefix.size(), end - kPrefix.size()));
  const auto algorithm = std::find_if(kAlgorithms.begin(), kAlgorithms.end(), [&](Algorithm candidate) {
    return to_string(candidate) == line.substr(end + 1);
  });
  if (!version || algorithm == kAlgorithms.end()) return bad_line(1, expected, line);
  cache.library_version = *version;
  cache.algorithm = *algorithm;
  return {};
}

Result<TensorScale> parse_line(std::size_t number, std::string_view line) {
  const std::size_t split = line.rfind(kSeparator);  // names may contain it
  if (split == std::string_view::npos) return bad_line(number, "a tensor's name, \": \" and 8 digits", line);
  const std::string_view name = line.substr(0, split);
  if (name.empty() || name.size() > kMaxTensorNameBytes || !is_printable_utf8(name)) {
    return bad_line(
        number, "a name of 1 to " + std::to_string(kMaxTensorNameBytes) + " bytes of printable UTF-8", name);
  }
  const std::string_view digits = line.substr(split + kSeparator.size());
  const auto scale = parse_scale(digits);
  if (!scale) return bad_line(number, "8 lower-case hexadecimal digits", digits);
  if (!is_plausible(*scale)) return bad_line(number, "a scale between 2^-64 and 2^64", digits);
  return TensorScale{std::string(name), *scale};
}

Status check_counts(std::size_t bytes, std::size_t tensors) {
  if (bytes > kMaxCacheBytes) {
    return refusal(Reason::kTooLarge, "expected at most " + std::to_string(kMaxCacheBytes) +
                                          " bytes, found " + std::to_string(bytes));
  }
  if (tensors > kMaxCacheTensors) {
    return refusal(Reason::kTooLarge, "expected at most " + std::to_string(kMaxCacheTensors) +
                                          " tensors, found " + std::to_string(tensors));
  }
  if (tensors == 0)
    return refusal(Reason::kMalformed, "expected the scale of at least one tensor, found none");
  return {};
}

Status check_no_tensor_twice(const std::vector<TensorScale>& scales) {
  std::unordered_set<std::string_view> names;
  names.reserve(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (!names.insert(scales[i].tensor).second) {
      return bad_line(i + 2, "each tensor once", scales[i].tensor);
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(Algorithm algorithm) noexcept {
  return algorithm == Algorithm::kEntropy2 ? "EntropyCalibration2" : "MinMaxCalibration";
}

Result<CacheText> parse_cache_text(std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  SKUA_RETURN_IF_ERROR(check_counts(text.size(), std::max<std::size_t>(lines, 1) - 1));
  if (text.back() != '\n') {
    return bad_line(lines + 1, "a line end after the last scale", text.substr(text.rfind('\n') + 1));
  }
  CacheText cache;
  cache.scales.reserve(lines - 1);
  for (std::size_t number = 1; number <= lines; ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (number == 1) {
      SKUA_RETURN_IF_ERROR(parse_header(line, cache));
      continue;
    }
    SKUA_ASSIGN_OR_RETURN(TensorScale scale, parse_line(number, line));
    cache.scales.push_back(std::move(scale));
  }
  SKUA_RETURN_IF_ERROR(check_no_tensor_twice(cache.scales));
  return cache;
}

Result<std::string> print_cache_text(const CacheText& cache) {
  std::string text = std::string(kPrefix) + std::to_string(cache.library_version) + "-" +
                     std::string(to_string(cache.algorithm)) + "\n";
  for (const TensorScale& scale : cache.scales) {
    std::array<char, kScaleDigits + 1> digits;
    std::snprintf(digits.data(), digits.size(), "%08x", std::bit_cast<std::uint32_t>(scale.scale));
    text.append(scale.tensor).append(kSeparator).append(digits.data()).append("\n");
  }
  // What is written is what is read: a name with a line end would be two lines.
  SKUA_ASSIGN_OR_RETURN(const CacheText again, parse_cache_text(text));
  if (again != cache) {
    return refusal(Reason::kMalformed, "expected names and scales that a line can hold, found others");
  }
  return text;
}

}  // namespace skua::calibration
