#include "telemetry/sensors.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kMaxCauses = 32;  // bits of ThermalReading::throttle_causes

std::size_t index_of(ThermalField field) noexcept { return static_cast<std::size_t>(field); }

Figure within(Figure figure, double lowest, double highest) noexcept {
  if (figure.ok() && (figure.value < lowest || figure.value > highest)) {
    return {SensorProblem::kImplausible, 0.0};
  }
  return figure;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// How many characters all paths share at their start, and at their end.
std::size_t shared_prefix(const std::vector<OriginPart>& parts) {
  std::size_t length = parts.front().path.size();
  for (const OriginPart& part : parts) {
    const auto [a, b] = std::mismatch(part.path.begin(), part.path.end(), parts.front().path.begin(),
                                      parts.front().path.end());
    length = std::min(length, static_cast<std::size_t>(a - part.path.begin()));
  }
  while (length > 0 && is_digit(parts.front().path[length - 1])) --length;  // keep numbers whole
  return length;
}

std::size_t shared_suffix(const std::vector<OriginPart>& parts, std::size_t prefix) {
  const std::string& first = parts.front().path;
  std::size_t length = first.size() - prefix;
  for (const OriginPart& part : parts) {
    length = std::min(length, part.path.size() - prefix);
    const auto [a, b] = std::mismatch(
        part.path.rbegin(), part.path.rbegin() + static_cast<std::ptrdiff_t>(length), first.rbegin());
    length = static_cast<std::size_t>(a - part.path.rbegin());
  }
  while (length > 0 && is_digit(first[first.size() - length])) --length;
  return length;
}

}  // namespace

Figure in_units(const SensorValue& value, double per_unit) noexcept {
  return {value.problem, value.ok() ? static_cast<double>(value.value) / per_unit : 0.0};
}

Figure read_temperature(SysfsFile& file) noexcept {
  return within(in_units(file.read(), 1000.0), kLowestPlausibleC, kHighestPlausibleC);
}

Figure read_limit(SysfsFile& file) noexcept {
  return within(in_units(file.read(), 1000.0), 0.001, kHighestPlausibleC);
}

Figure read_clock(SysfsFile& file, double per_mhz) noexcept {
  constexpr double kHighestPlausibleMhz = 100000.0;
  return within(in_units(file.read(), per_mhz), 1.0 / per_mhz, kHighestPlausibleMhz);
}

void keep_highest(Figure& best, const Figure& next) noexcept {
  const bool is_better = next.ok() ? !best.ok() || next.value > best.value : !best.ok();
  if (is_better) best = next;
}

void keep_lowest(Figure& best, const Figure& next) noexcept {
  const bool is_better = next.ok() ? !best.ok() || next.value < best.value : !best.ok();
  if (is_better) best = next;
}

RisingCounter::RisingCounter(SysfsFile file) : file_(std::move(file)) { poll(); }

Figure RisingCounter::poll() noexcept {
  last_rise_ = 0.0;
  SensorValue now = file_.read();
  if (now.ok() && now.value < 0) now = {SensorProblem::kImplausible};
  if (!now.ok()) return {now.problem};
  if (last_ >= 0) last_rise_ = static_cast<double>(now.value >= last_ ? now.value - last_ : now.value);
  last_ = now.value;
  total_ += last_rise_;
  return {SensorProblem::kNone, total_};
}

std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                  std::string_view prefix, std::string_view suffix,
                                                  std::size_t limit) {
  std::map<std::uint64_t, std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) ||
        !name.ends_with(suffix)) {
      continue;
    }
    const auto number =
        std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    if (const auto index = parse_uint64(number)) found.emplace(*index, it->path());
  }
  std::vector<std::filesystem::path> files;
  for (auto& [index, path] : found) {
    if (files.size() < limit) files.push_back(std::move(path));
  }
  return files;
}

std::vector<std::filesystem::path> numbered_folders(const std::filesystem::path& folder,
                                                    std::string_view prefix, std::size_t limit) {
  return numbered_files(folder, prefix, "", limit);
}

bool is_there(const std::filesystem::path& file) noexcept {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(file, ignored));
}

std::string origin_text(const std::vector<OriginPart>& parts) {
  if (parts.empty()) return {};
  const std::size_t prefix = parts.size() > 1 ? shared_prefix(parts) : 0;
  const std::size_t suffix = parts.size() > 1 ? shared_suffix(parts, prefix) : 0;
  std::vector<std::string> middles, labels;
  for (const OriginPart& part : parts) {
    middles.push_back(part.path.substr(prefix, part.path.size() - prefix - suffix));
    const bool is_new = std::find(labels.begin(), labels.end(), part.label) == labels.end();
    if (!part.label.empty() && is_new) labels.push_back(part.label);
  }
  const std::string& first = parts.front().path;
  std::string text = first;
  if (parts.size() > 1) {
    text = first.substr(0, prefix) + "{";
    for (const std::string& middle : middles) text += (&middle == &middles.front() ? "" : ",") + middle;
    text += "}" + first.substr(first.size() - suffix);
  }
  return labels.empty() ? text : text + " (" + join(labels) + ")";
}

std::string_view SourceBase::origin(ThermalField field) const noexcept {
  return field < ThermalField::kCount ? std::string_view(origins_[index_of(field)]) : std::string_view();
}

std::string_view SourceBase::cause(std::size_t index) const noexcept {
  return index < causes_.size() ? std::string_view(causes_[index]) : std::string_view();
}

void SourceBase::set_origin(ThermalField field, std::string text) {
  origins_[index_of(field)] = std::move(text);
}

std::uint32_t SourceBase::add_cause(std::string text) {
  if (causes_.size() < kMaxCauses) causes_.push_back(std::move(text));
  return std::uint32_t{1} << (causes_.size() - 1);
}

void SourceBase::put(ThermalReading& reading, ThermalField field, const Figure& figure) noexcept {
  if (!is_supported(field)) return;
  reading[field] = figure.ok() ? FieldReading{FieldStatus::kValue, figure.value}
                               : FieldReading{FieldStatus::kOffline, 0.0, to_string(figure.problem)};
}

}  // namespace skua
