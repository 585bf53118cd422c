#include "cache/plan_header.h"

#include <array>
#include <charconv>
#include <vector>

namespace skua {
namespace {

constexpr std::size_t kVersionOffset = 24;
constexpr std::size_t kVersionParts = 4;
constexpr std::uint32_t kMagic = 0x74727466;

std::uint32_t read_u32(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[offset + i]) << (8 * i);
  return value;
}

/// The numbers of "10.3.0.30"; as many as the host knows. "0" is a host without TensorRT: all four are zero.
std::vector<unsigned> host_version(const HostTuple& host) {
  if (host.tensorrt == "0" && host.tensorrt_build.empty()) return {0, 0, 0, 0};
  const std::string& text = host.tensorrt_build.empty() ? host.tensorrt : host.tensorrt_build;
  std::vector<unsigned> parts;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (parts.size() < kVersionParts && at < end) {
    unsigned part = 0;
    const auto [next, status] = std::from_chars(at, end, part);
    if (status != std::errc{}) break;
    parts.push_back(part);
    at = next + 1;
  }
  return parts;
}

std::string version_text(std::span<const unsigned> parts) {
  std::string text;
  for (const unsigned part : parts) text += (text.empty() ? "" : ".") + std::to_string(part);
  return text.empty() ? "unknown" : text;
}

Error mismatch(const std::string& where, const std::string& what) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kPlanHeaderMismatch,
                    where + ": " + what + "; compile the engine again with this host's TensorRT");
}

}  // namespace

Status check_plan_header(std::span<const std::byte> plan, const HostTuple& host, const std::string& where) {
  if (plan.size() < kPlanHeaderBytes) {
    return mismatch(where,
                    "expected a TensorRT plan of at least 28 bytes, found " + std::to_string(plan.size()));
  }
  if (read_u32(plan, 0) != kMagic)
    return mismatch(where, "expected a TensorRT plan that begins with 'ftrt', found another magic");
  if (const std::uint32_t layout = read_u32(plan, 4); layout != 0) {
    return mismatch(where, "expected plan layout 0, found " + std::to_string(layout));
  }
  const std::vector<unsigned> expected = host_version(host);
  std::array<unsigned, kVersionParts> found{};
  for (std::size_t i = 0; i < kVersionParts; ++i)
    found[i] = std::to_integer<unsigned>(plan[kVersionOffset + i]);
  bool is_equal = !expected.empty();
  // The plan has one byte for each part.
  for (std::size_t i = 0; i < expected.size(); ++i) is_equal = is_equal && found[i] == (expected[i] & 0xffU);
  if (is_equal) return {};
  return mismatch(where,
                  "expected a plan of TensorRT " + version_text(expected) + ", found " + version_text(found));
}

}  // namespace skua
