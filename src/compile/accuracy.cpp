#include "compile/accuracy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "compile/compilation.h"
#include "compile/output_values.h"
#include "core/accuracy_bounds.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRelativeFloor = 0.01;  // of the largest value: what is smaller is next to nothing
constexpr double kLeastReference =
    0.1;  // of a typical length: a sample's output that is smaller is judged by this
constexpr std::size_t kMostNamed = 5;

/// The value that most elements have; of matches it is the number that says none.
double usual_value(const std::vector<double>& values) {
  std::map<double, std::size_t> counts;
  for (const double value : values) ++counts[value];
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most->first;
}

void add_others(const std::vector<double>& expected, const std::vector<double>& found,
                OutputAccuracy& figures) {
  figures.compared += expected.size();
  if (expected.empty()) return;
  const double usual = usual_value(expected);
  std::size_t telling = 0, differing = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == usual && found[i] == usual) continue;
    ++telling;
    if (expected[i] != found[i]) ++differing;
  }
  if (telling == 0) return;
  figures.mismatched =
      std::max(figures.mismatched, static_cast<double>(differing) / static_cast<double>(telling));
}

/// Infinities and NaNs stand where they stood, and nowhere else.
bool has_same_infinities(const std::vector<double>& expected, const std::vector<double>& found) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool is_same = std::isfinite(expected[i]) ? std::isfinite(found[i])
                         : std::isnan(expected[i])  ? std::isnan(found[i])
                                                    : expected[i] == found[i];
    if (!is_same) return false;
  }
  return true;
}

double relative_error(const std::vector<double>& expected, const std::vector<double>& found) {
  double largest = 0.0, worst = 0.0;
  for (const double value : expected)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  const double floor = std::max(kRelativeFloor * largest, std::numeric_limits<double>::min());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double size = std::abs(expected[i]);
    if (std::isfinite(size) && size >= floor)
      worst = std::max(worst, std::abs(found[i] - expected[i]) / size);
  }
  return worst;
}

struct Lengths {
  double difference = 0.0, expected = 0.0, found = 0.0, product = 0.0;
};

Lengths lengths_of(const std::vector<double>& expected, const std::vector<double>& found,
                   std::uint64_t& compared) {
  Lengths sums;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(expected[i])) continue;
    ++compared;
    const double apart = found[i] - expected[i];
    sums.difference += apart * apart;
    sums.expected += expected[i] * expected[i];
    sums.found += found[i] * found[i];
    sums.product += expected[i] * found[i];
  }
  return {std::sqrt(sums.difference), std::sqrt(sums.expected), std::sqrt(sums.found), sums.product};
}

double cosine_of(const Lengths& lengths) {
  const double product = lengths.expected * lengths.found;
  if (product == 0.0) return lengths.difference == 0.0 ? 1.0 : 0.0;
  const double cosine = lengths.product / product;
  return std::isfinite(cosine) ? cosine : -1.0;
}

std::pair<double, double> fail(OutputAccuracy& figures) {
  figures.relative_error = kInfinity;
  figures.cosine = -1.0;
  figures.mismatched = 1.0;
  return {kInfinity, 1.0};
}

std::pair<double, double> add_floats(const std::vector<double>& expected, const std::vector<double>& found,
                                     OutputAccuracy& figures) {
  if (!has_same_infinities(expected, found)) return fail(figures);
  const Lengths lengths = lengths_of(expected, found, figures.compared);
  figures.relative_error = std::max(figures.relative_error, relative_error(expected, found));
  figures.cosine = std::min(figures.cosine, cosine_of(lengths));
  return {lengths.difference, lengths.expected};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// A sample whose output is next to nothing is judged beside a share of a typical one.
double relative_l2(const std::vector<std::pair<double, double>>& lengths) {
  std::vector<double> all;
  for (const auto& [difference, length] : lengths) all.push_back(length);
  const double typical = median(std::move(all));
  double worst = 0.0;
  for (const auto& [difference, length] : lengths) {
    const double reference = std::max(length, kLeastReference * typical);
    const double relative = difference == 0.0 ? 0.0 : reference > 0.0 ? difference / reference : kInfinity;
    worst = std::max(worst, std::isfinite(relative) && std::isfinite(reference) ? relative : kInfinity);
  }
  return worst;
}

Answer answer_of(const TensorMap& tensors) {
  Answer answer;
  for (const auto& [name, tensor] : tensors) answer.emplace(name, values_of(tensor.view()));
  return answer;
}

double figure_of(const OutputAccuracy& output, std::string_view metric) {
  if (metric == "relative_l2") return output.relative_l2;
  if (metric == "mismatched") return output.mismatched;
  if (metric == "agreement") return output.agreement;
  return metric == "cosine" ? output.cosine : output.relative_error;
}

std::vector<std::string> faults_of(const OutputAccuracy& output, const AccuracyLimits& limits) {
  std::vector<std::string> faults;
  for (const AccuracyBound& bound : bounds_of(limits)) {
    const double figure = figure_of(output, bound.metric);
    if (bound.keeps(figure)) continue;
    faults.push_back(std::string(bound.metric) + " " + print_double(figure) + " (bound " +
                     print_double(bound.threshold) + ")");
  }
  if (output.compared == 0) faults.emplace_back("no value to compare");
  return faults;
}

double badness(const OutputAccuracy& output) {
  return std::max({output.relative_l2, output.mismatched, 1.0 - output.agreement});
}

}  // namespace

AccuracyJudge::AccuracyJudge(const std::vector<TensorSpec>& outputs) {
  for (const TensorSpec& output : outputs) {
    outputs_[output.name].figures.name = output.name;
    order_.push_back(output.name);
  }
}

std::set<std::string> AccuracyJudge::add_keypoints(Answer& expected, Answer& found) {
  if (!is_detector(expected) || !is_detector(found)) return {};
  if (expected.at(kKeypoints).shape != found.at(kKeypoints).shape) return {};
  const KeypointPairs pairs = pair_keypoints(expected, found);
  std::set<std::string> done{kKeypoints};
  // Which rows are in use: the agreement tells, where both say it in one form.
  const auto mine = expected.find(pairs.mark), theirs = found.find(pairs.mark);
  const bool is_told = mine != expected.end() && theirs != found.end() && !mine->second.is_float() &&
                       mine->second.dtype == theirs->second.dtype &&
                       mine->second.shape == theirs->second.shape;
  if (is_told) done.insert(pairs.mark);
  for (const std::string& name : done) {
    const auto known = outputs_.find(name);
    if (known == outputs_.end()) continue;
    OutputAccuracy& figures = known->second.figures;
    figures.agreement = std::min(figures.agreement, pairs.agreement);
    figures.compared += pairs.count;
  }
  for (const auto& [name, rows] : pairs.expected) expected[name] = rows;
  for (const auto& [name, rows] : pairs.found) found[name] = rows;
  return done;
}

void AccuracyJudge::add(const TensorMap& expected, const TensorMap& found) {
  Answer wanted = answer_of(expected), got = answer_of(found);
  const std::set<std::string> done = add_keypoints(wanted, got);
  for (auto& [name, output] : outputs_) {
    if (done.count(name) != 0) continue;
    const OutputValues &mine = wanted[name], &theirs = got[name];
    const bool is_comparable = mine.shape == theirs.shape && mine.dtype == theirs.dtype &&
                               mine.values.size() == theirs.values.size();
    if (!is_comparable) {
      output.lengths.push_back(fail(output.figures));
    } else if (mine.is_float()) {
      output.lengths.push_back(add_floats(mine.values, theirs.values, output.figures));
    } else {
      add_others(mine.values, theirs.values, output.figures);
    }
  }
}

std::vector<OutputAccuracy> AccuracyJudge::finish() const {
  std::vector<OutputAccuracy> all;
  for (const std::string& name : order_) {
    const Output& output = outputs_.at(name);
    all.push_back(output.figures);
    all.back().relative_l2 = relative_l2(output.lengths);
  }
  return all;
}

Status check_accuracy(const std::vector<OutputAccuracy>& outputs, const AccuracyLimits& limits) {
  std::vector<OutputAccuracy> bad;
  for (const OutputAccuracy& output : outputs) {
    if (!faults_of(output, limits).empty()) bad.push_back(output);
  }
  if (bad.empty()) return {};
  std::stable_sort(bad.begin(), bad.end(),
                   [](const OutputAccuracy& a, const OutputAccuracy& b) { return badness(a) > badness(b); });
  std::string told;
  for (std::size_t i = 0; i < std::min(bad.size(), kMostNamed); ++i)
    told += (i == 0 ? "output " : "; output ") + quote(bad[i].name) + ": " + join(faults_of(bad[i], limits));
  return build_error(Reason::kAccuracyTooLow,
                     "on samples that calibrated nothing the artifact is too far from its float32 source: " +
                         told + "; calibrate with typical samples, or keep nodes in float32 (keep_fp32)");
}

}  // namespace skua::compile
