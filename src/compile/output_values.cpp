#include "compile/output_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "cache/half.h"

namespace skua::compile {
namespace {

constexpr std::array kMarks = {"valid", "scores"};
constexpr double kLeastPx = 2.0;  // coordinates that all are nearer to zero are no pixels

template <typename T>
std::vector<double> widened(const TensorView& view) {
  const std::span<T> values = view.as<T>();
  std::vector<double> wide(values.size());
  std::transform(values.begin(), values.end(), wide.begin(),
                 [](T value) { return static_cast<double>(value); });
  return wide;
}

std::vector<double> widened_halves(const TensorView& view) {
  const std::span<std::uint16_t> values = view.as<std::uint16_t>();
  std::vector<double> wide(values.size());
  std::transform(values.begin(), values.end(), wide.begin(), half_to_float);
  return wide;
}

std::vector<double> numbers_of(const TensorView& view) {
  switch (view.dtype) {
    case DType::kFloat32:
      return widened<float>(view);
    case DType::kFloat64:
      return widened<double>(view);
    case DType::kFloat16:
      return widened_halves(view);
    case DType::kInt8:
      return widened<std::int8_t>(view);
    case DType::kUInt8:
    case DType::kBool:
      return widened<std::uint8_t>(view);
    case DType::kInt16:
      return widened<std::int16_t>(view);
    case DType::kUInt16:
      return widened<std::uint16_t>(view);
    case DType::kInt32:
      return widened<std::int32_t>(view);
    case DType::kUInt32:
      return widened<std::uint32_t>(view);
    case DType::kInt64:
      return widened<std::int64_t>(view);
    case DType::kUInt64:
      return widened<std::uint64_t>(view);
  }
  return {};
}

struct Point {
  std::size_t row;
  double x, y;
};

/// Whether an output has one value for each keypoint.
bool is_mark(const Answer& answer, const std::string& name) {
  const auto marks = answer.find(name);
  if (marks == answer.end()) return false;
  const Shape& shape = marks->second.shape;
  const Shape& points = answer.at(kKeypoints).shape;
  if (shape.rank() != 2 || shape[0] != points[0] || shape[1] != points[1]) return false;
  const auto& values = marks->second.values;
  return std::none_of(values.begin(), values.end(), [](double value) { return value < 0.0; });
}

std::string mark_of(const Answer& answer) {
  const auto mark =
      std::find_if(kMarks.begin(), kMarks.end(), [&](const char* name) { return is_mark(answer, name); });
  return mark == kMarks.end() ? std::string() : std::string(*mark);
}

/// The rows of one image that hold a keypoint.
std::vector<Point> points_in_use(const Answer& answer, std::size_t image) {
  const OutputValues& points = answer.at(kKeypoints);
  const auto rows = static_cast<std::size_t>(points.shape[1]);
  const std::string mark = mark_of(answer);
  std::vector<Point> used;
  for (std::size_t row = image * rows; row < (image + 1) * rows; ++row) {
    const double x = points.values[2 * row], y = points.values[2 * row + 1];
    const bool is_marked = mark.empty() || answer.at(mark).values[row] > 0.0;
    if (is_marked && std::isfinite(x) && std::isfinite(y)) used.push_back({row, x, y});
  }
  return used;
}

/// Position of the nearest of `others`, the first of equally near ones, and its distance squared.
std::pair<std::size_t, double> nearest(const Point& point, const std::vector<Point>& others) {
  std::pair<std::size_t, double> best{0, std::numeric_limits<double>::infinity()};
  for (std::size_t i = 0; i < others.size(); ++i) {
    const double x = point.x - others[i].x, y = point.y - others[i].y;
    const double apart = x * x + y * y;
    if (apart < best.second) best = {i, apart};
  }
  return best;
}

using Rows = std::vector<std::size_t>;

void pair_image(const std::vector<Point>& mine, const std::vector<Point>& theirs, Rows& wanted, Rows& got) {
  if (mine.empty() || theirs.empty()) return;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const auto [partner, apart] = nearest(mine[i], theirs);
    if (apart > kNearPx * kNearPx || nearest(theirs[partner], mine).first != i) continue;
    wanted.push_back(mine[i].row);
    got.push_back(theirs[partner].row);
  }
}

/// Those rows of every output that has a row for each keypoint, but for the keypoints.
Answer rows_of(const Answer& answer, const Rows& rows) {
  const Shape& points = answer.at(kKeypoints).shape;
  Answer picked;
  for (const auto& [name, output] : answer) {
    const Shape& shape = output.shape;
    if (name == kKeypoints || shape.rank() < 2 || shape[0] != points[0] || shape[1] != points[1]) continue;
    const auto all = static_cast<std::size_t>(points[0] * points[1]);
    const std::size_t columns = all == 0 ? 0 : output.values.size() / all;
    OutputValues& into = picked[name];
    into.dtype = output.dtype;
    std::vector<std::int64_t> dims{static_cast<std::int64_t>(rows.size())};
    dims.insert(dims.end(), shape.dims().begin() + 2, shape.dims().end());
    into.shape = Shape::from(dims).value();
    for (const std::size_t row : rows) {
      const auto first = output.values.begin() + static_cast<std::ptrdiff_t>(row * columns);
      into.values.insert(into.values.end(), first, first + static_cast<std::ptrdiff_t>(columns));
    }
  }
  return picked;
}

}  // namespace

bool OutputValues::is_float() const noexcept {
  return dtype == DType::kFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

OutputValues values_of(const TensorView& view) { return {numbers_of(view), view.shape, view.dtype}; }

bool is_detector(const Answer& answer) {
  const auto points = answer.find(kKeypoints);
  if (points == answer.end() || !points->second.is_float()) return false;
  const Shape& shape = points->second.shape;
  if (shape.rank() != 3 || shape[2] != 2) return false;
  const auto& values = points->second.values;
  return std::any_of(values.begin(), values.end(),
                     [](double value) { return std::isfinite(value) && std::abs(value) > kLeastPx; });
}

KeypointPairs pair_keypoints(const Answer& expected, const Answer& found) {
  KeypointPairs pairs;
  pairs.mark = mark_of(expected);
  pairs.agreement = 1.0;
  Rows wanted, got;
  const auto images = static_cast<std::size_t>(expected.at(kKeypoints).shape[0]);
  for (std::size_t image = 0; image < images; ++image) {
    const auto mine = points_in_use(expected, image), theirs = points_in_use(found, image);
    const std::size_t before = wanted.size(), most = std::max(mine.size(), theirs.size());
    pair_image(mine, theirs, wanted, got);
    const auto paired = static_cast<double>(wanted.size() - before);
    if (most > 0) pairs.agreement = std::min(pairs.agreement, paired / static_cast<double>(most));
    pairs.count += mine.size();
  }
  if (images == 0) pairs.agreement = 0.0;
  pairs.expected = rows_of(expected, wanted);
  pairs.found = rows_of(found, got);
  return pairs;
}

}  // namespace skua::compile
