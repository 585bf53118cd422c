// Comparing outputs with golden values: docs/formats/golden.md, "Comparison".
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <optional>
#include <type_traits>

#include "cache/golden.h"
#include "cache/half.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// 0 for equal values, equal infinities and two NaNs; infinity where only one is a NaN or infinite.
template <typename T>
double distance(T golden, T found) noexcept {
  if (golden == found) return 0.0;
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(golden) && std::isnan(found)) return 0.0;
    if (!std::isfinite(golden) || !std::isfinite(found)) return kInfinity;
    return std::abs(static_cast<double>(golden) - static_cast<double>(found));
  } else {
    // Of 64-bit integers the difference is exact, although neither may fit into a double.
    const auto low = static_cast<std::uint64_t>(std::min(golden, found));
    return static_cast<double>(static_cast<std::uint64_t>(std::max(golden, found)) - low);
  }
}

template <typename T>
double allowance(T golden, const Tolerance& tolerance) noexcept {
  const double magnitude = std::abs(static_cast<double>(golden));
  return tolerance.absolute + (std::isfinite(magnitude) ? tolerance.relative * magnitude : 0.0);
}

template <typename T>
bool fits(T golden, T found, double apart, const Tolerance& tolerance) noexcept {
  if (golden == found) return true;
  return std::isfinite(apart) && apart <= allowance(golden, tolerance);
}

template <typename T>
std::string text_of(T value) {
  if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.9g", static_cast<double>(value));
    return text.data();
  }
}

std::string text_of(const Tolerance& tolerance) {
  return "absolute " + text_of(tolerance.absolute) + ", relative " + text_of(tolerance.relative) +
         ", share that may miss " + text_of(tolerance.max_mismatch_fraction);
}

Error mismatch(std::string_view output, const std::string& what, const Tolerance& tolerance) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kGoldenMismatch,
                    "output " + quote(output) + ": " + what + " (tolerance: " + text_of(tolerance) +
                        "); the engine does not compute what its source does here: compile it again");
}

std::string share_text(std::size_t misses, std::size_t total, std::string_view of) {
  return std::to_string(misses) + " of " + std::to_string(total) + " " + std::string(of) +
         " differ from the golden values";
}

template <typename T>
Result<GoldenDifference> compare_elements(std::string_view output, std::span<const T> golden,
                                          std::span<const T> found, const Tolerance& tolerance) {
  GoldenDifference difference;
  std::size_t misses = 0;
  std::size_t worst = 0;
  double worst_apart = -1.0;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    const double apart = distance(golden[i], found[i]);
    difference.max_absolute = std::max(difference.max_absolute, apart);
    if (fits(golden[i], found[i], apart, tolerance)) continue;
    ++misses;
    if (apart > worst_apart) {
      worst_apart = apart;
      worst = i;
    }
  }
  if (misses == 0) return difference;
  difference.mismatch_fraction = static_cast<double>(misses) / static_cast<double>(golden.size());
  if (difference.mismatch_fraction <= tolerance.max_mismatch_fraction) return difference;
  return mismatch(output,
                  share_text(misses, golden.size(), "elements") + "; worst: element " +
                      std::to_string(worst) + " expected " + text_of(golden[worst]) + ", found " +
                      text_of(found[worst]),
                  tolerance);
}

/// Rows of equal length; both row counts may differ.
struct RowLayout {
  std::size_t golden_rows = 0, found_rows = 0, columns = 0;
};

/// Rows of `found` in the order of their first element, to find candidates without looking at all of them.
template <typename T>
class RowIndex {
 public:
  RowIndex(std::span<const T> rows, std::size_t count, std::size_t columns) : rows_(rows), columns_(columns) {
    order_.resize(count);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) { return key(a) < key(b); });
    is_taken_.resize(count, false);
  }

  /// The nearest row that is still free and within tolerance in every element; it is taken then. Its
  /// distance, or nothing.
  std::optional<double> take_partner(std::span<const T> golden, const Tolerance& tolerance) {
    const double middle = key_of(golden.front());
    // A little wider than allowed, since keys of 64-bit integers are rounded: the elements decide, not the
    // keys.
    const double reach =
        allowance(golden.front(), tolerance) + (std::isfinite(middle) ? std::abs(middle) * 1e-12 : 0.0);
    auto at = std::lower_bound(order_.begin(), order_.end(), middle - reach,
                               [this](std::size_t row, double value) { return key(row) < value; });
    double best = kInfinity;
    std::size_t partner = is_taken_.size();
    for (; at != order_.end() && !(key(*at) > middle + reach); ++at) {
      if (is_taken_[*at]) continue;
      const std::optional<double> apart = row_distance(golden, *at, tolerance);
      if (apart.has_value() && *apart < best) {
        best = *apart;
        partner = *at;
      }
    }
    if (partner == is_taken_.size()) return std::nullopt;
    is_taken_[partner] = true;
    return best;
  }

 private:
  static double key_of(T value) noexcept {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(value))
        return kInfinity;  // so that the order is one; the elements tell NaN from infinity
    }
    return static_cast<double>(value);
  }
  double key(std::size_t row) const noexcept { return key_of(rows_[row * columns_]); }

  std::optional<double> row_distance(std::span<const T> golden, std::size_t row,
                                     const Tolerance& tolerance) const {
    double largest = 0.0;
    for (std::size_t i = 0; i < columns_; ++i) {
      const T found = rows_[row * columns_ + i];
      const double apart = distance(golden[i], found);
      if (!fits(golden[i], found, apart, tolerance)) return std::nullopt;
      largest = std::max(largest, apart);
    }
    return largest;
  }

  std::span<const T> rows_;
  std::size_t columns_;
  std::vector<std::size_t> order_;
  std::vector<bool> is_taken_;
};

template <typename T>
Result<GoldenDifference> compare_rows(std::string_view output, std::span<const T> golden,
                                      std::span<const T> found, const RowLayout& layout,
                                      const Tolerance& tolerance) {
  GoldenDifference difference;
  const std::size_t total = std::max(layout.golden_rows, layout.found_rows);
  std::size_t partners = layout.columns == 0 ? std::min(layout.golden_rows, layout.found_rows) : 0;
  std::string first_lonely;
  if (layout.columns > 0) {
    RowIndex<T> index(found, layout.found_rows, layout.columns);
    for (std::size_t row = 0; row < layout.golden_rows; ++row) {
      const std::span<const T> wanted = golden.subspan(row * layout.columns, layout.columns);
      if (const std::optional<double> apart = index.take_partner(wanted, tolerance)) {
        ++partners;
        difference.max_absolute = std::max(difference.max_absolute, *apart);
      } else if (first_lonely.empty()) {
        first_lonely = "; golden row " + std::to_string(row) + ", beginning with " + text_of(wanted.front()) +
                       ", has no partner";
      }
    }
  }
  if (partners == total) return difference;
  difference.mismatch_fraction = static_cast<double>(total - partners) / static_cast<double>(total);
  if (difference.mismatch_fraction <= tolerance.max_mismatch_fraction) return difference;
  return mismatch(output,
                  share_text(total - partners, total, "rows") + ", expected " +
                      std::to_string(layout.golden_rows) + " rows, found " +
                      std::to_string(layout.found_rows) + first_lonely,
                  tolerance);
}

/// Axes that lead and have size 1 in both tensors are dropped; the next one counts rows, the rest make one
/// row.
std::optional<RowLayout> row_layout(const Shape& golden, const Shape& found) {
  if (golden.rank() != found.rank()) return std::nullopt;
  std::size_t axis = 0;
  while (axis < golden.rank() && golden[axis] == 1 && found[axis] == 1) ++axis;
  RowLayout layout{1, 1, 1};
  if (axis == golden.rank()) return layout;
  layout.golden_rows = static_cast<std::size_t>(golden[axis]);
  layout.found_rows = static_cast<std::size_t>(found[axis]);
  for (++axis; axis < golden.rank(); ++axis) {
    if (golden[axis] != found[axis]) return std::nullopt;
    layout.columns *= static_cast<std::size_t>(golden[axis]);
  }
  return layout;
}

template <typename T>
Result<GoldenDifference> compare_as(std::string_view output, std::span<const T> golden,
                                    std::span<const T> found, const std::optional<RowLayout>& layout,
                                    const Tolerance& tolerance) {
  if (layout.has_value()) return compare_rows<T>(output, golden, found, *layout, tolerance);
  return compare_elements<T>(output, golden, found, tolerance);
}

template <typename T>
std::span<const T> elements(const TensorView& view) noexcept {
  const std::span<T> all = view.as<T>();
  return {all.data(), all.size()};
}

std::vector<float> widened(const TensorView& view) {
  const std::span<const std::uint16_t> halves = elements<std::uint16_t>(view);
  std::vector<float> floats(halves.size());
  std::transform(halves.begin(), halves.end(), floats.begin(), half_to_float);
  return floats;
}

Result<GoldenDifference> dispatch(std::string_view output, const TensorView& golden, const TensorView& found,
                                  const std::optional<RowLayout>& layout, const Tolerance& tolerance) {
  const auto as = [&]<typename T>(T) {
    return compare_as<T>(output, elements<T>(golden), elements<T>(found), layout, tolerance);
  };
  switch (golden.dtype) {
    case DType::kFloat32:
      return as(float{});
    case DType::kFloat64:
      return as(double{});
    case DType::kFloat16: {
      const std::vector<float> a = widened(golden);
      const std::vector<float> b = widened(found);
      return compare_as<float>(output, a, b, layout, tolerance);
    }
    case DType::kInt8:
      return as(std::int8_t{});
    case DType::kUInt8:
    case DType::kBool:
      return as(std::uint8_t{});
    case DType::kInt16:
      return as(std::int16_t{});
    case DType::kUInt16:
      return as(std::uint16_t{});
    case DType::kInt32:
      return as(std::int32_t{});
    case DType::kUInt32:
      return as(std::uint32_t{});
    case DType::kInt64:
      return as(std::int64_t{});
    case DType::kUInt64:
      return as(std::uint64_t{});
  }
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    "output " + quote(output) + " has no known dtype");
}

bool is_float(DType dtype) noexcept {
  return dtype == DType::kFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

}  // namespace

Result<GoldenDifference> compare_golden(std::string_view output, const TensorView& golden,
                                        const TensorView& found, const Tolerance& tolerance) {
  if (golden.device.type != DeviceType::kCpu || found.device.type != DeviceType::kCpu) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kDeviceMismatch,
                      "output " + quote(output) + ": expected tensors in host memory; copy them there first");
  }
  const std::optional<RowLayout> layout =
      tolerance.as_set ? row_layout(golden.shape, found.shape) : std::optional<RowLayout>();
  const bool is_comparable = golden.dtype == found.dtype && golden.shape.is_static() &&
                             found.shape.is_static() &&
                             (tolerance.as_set ? layout.has_value() : golden.shape == found.shape);
  if (is_comparable) return dispatch(output, golden, found, layout, tolerance);
  return mismatch(output,
                  "expected " + std::string(to_string(golden.dtype)) + " " + golden.shape.to_string() +
                      ", found " + std::string(to_string(found.dtype)) + " " + found.shape.to_string(),
                  tolerance);
}

Tolerance default_tolerance(Precision precision, const TensorSpec& output) {
  Tolerance tolerance;
  tolerance.as_set = output.data_dependent;
  if (!is_float(output.dtype)) {
    tolerance.absolute = 0.0;
    tolerance.relative = 0.0;
  } else if (precision == Precision::kInt8 || precision == Precision::kMixed) {
    tolerance.absolute = 5e-2;
    tolerance.relative = 1e-1;
  } else if (precision == Precision::kFp16 || output.dtype == DType::kFloat16) {
    tolerance.absolute = 5e-3;
    tolerance.relative = 1e-2;
  } else {
    tolerance.absolute = 1e-4;
    tolerance.relative = 1e-3;
  }
  return tolerance;
}

}  // namespace skua
