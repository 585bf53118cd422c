#include "calibration/cache_trust.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"absent", "damaged", "unproven", "proven"};
constexpr std::array<std::string_view, kOrigins> kOriginNames = {"data set", "model", "algorithm", "TensorRT",
                                                                 "producer"};
constexpr std::array<std::string_view, 3> kVerdicts = {"reuse", "calibrate", "set aside"};

/// What a row asks of one Origin.
enum class Ask : std::uint8_t { kAny, kSame, kOther };
using enum Ask;

struct Row {
  CacheState state;
  std::array<Ask, kOrigins> asks;
  Verdict verdict;
};

constexpr std::array kTable = {
    // clang-format off
    Row{CacheState::kAbsent,   {kAny,   kAny,   kAny,   kAny,   kAny},   Verdict::kCalibrate},
    Row{CacheState::kDamaged,  {kAny,   kAny,   kAny,   kAny,   kAny},   Verdict::kSetAside},
    Row{CacheState::kUnproven, {kAny,   kAny,   kAny,   kAny,   kAny},   Verdict::kSetAside},
    Row{CacheState::kProven,   {kOther, kAny,   kAny,   kAny,   kAny},   Verdict::kCalibrate},
    Row{CacheState::kProven,   {kAny,   kOther, kAny,   kAny,   kAny},   Verdict::kCalibrate},
    Row{CacheState::kProven,   {kAny,   kAny,   kOther, kAny,   kAny},   Verdict::kCalibrate},
    Row{CacheState::kProven,   {kAny,   kAny,   kAny,   kOther, kAny},   Verdict::kCalibrate},
    Row{CacheState::kProven,   {kAny,   kAny,   kAny,   kAny,   kOther}, Verdict::kCalibrate},
    Row{CacheState::kProven,   {kSame,  kSame,  kSame,  kSame,  kSame},  Verdict::kReuse},
    // clang-format on
};

bool fits(const Row& row, const Findings& findings) noexcept {
  if (row.state != findings.state) return false;
  for (std::size_t i = 0; i < kOrigins; ++i) {
    if (row.asks[i] != kAny && (row.asks[i] == kOther) != findings.differs[i]) return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(CacheState state) noexcept { return kStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(Origin origin) noexcept { return kOriginNames[static_cast<std::size_t>(origin)]; }
std::string_view to_string(Verdict verdict) noexcept { return kVerdicts[static_cast<std::size_t>(verdict)]; }

Verdict decide(const Findings& findings) noexcept {
  const auto row = std::find_if(kTable.begin(), kTable.end(),
                                [&](const Row& candidate) { return fits(candidate, findings); });
  return row == kTable.end() ? Verdict::kSetAside : row->verdict;
}

std::string differences(const Findings& findings) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kOrigins; ++i) {
    if (findings.differs[i]) names.push_back(kOriginNames[i]);
  }
  return names.empty() ? "" : join(names);
}

}  // namespace skua::calibration
