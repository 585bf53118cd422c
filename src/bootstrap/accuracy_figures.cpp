#include "bootstrap/accuracy_figures.h"

#include <array>
#include <optional>
#include <string>

#include "core/text.h"

namespace skua {
namespace {

/// The number behind a name in "relative_l2 0.02, cosine 0.999".
std::optional<double> figure_of(const std::string& text, const std::string& name) {
  const auto at = text.starts_with(name + " ") ? 0 : text.find(", " + name + " ");
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = text.find(name, at) + name.size() + 1;
  return parse_double(text.substr(begin, text.find(',', begin) - begin));
}

struct Bound {
  const char* metric;
  double threshold;
  bool is_least;  ///< the figure may not be smaller
};

std::vector<Bound> bounds_of(const AccuracyLimits& limits) {
  std::vector<Bound> bounds = {{"relative_l2", limits.relative_l2, false},
                               {"mismatched", limits.mismatched, false},
                               {"agreement", limits.agreement, true}};
  if (limits.relative_error) bounds.push_back({"relative_error", *limits.relative_error, false});
  if (limits.cosine) bounds.push_back({"cosine", *limits.cosine, true});
  return bounds;
}

Error wrong(const EngineRecord& record, const std::string& what) {
  return make_error(ErrorCode::kEngineBuild, Reason::kBuildRecordMalformed,
                    record.file +
                        ": expected the build record to say how far each output is from float32, "
                        "within its bound, found " +
                        what + "; compile the engine again");
}

}  // namespace

Result<std::vector<AccuracyFigure>> accuracy_figures(const EngineRecord& record,
                                                     const AccuracyLimits& limits) {
  std::vector<AccuracyFigure> figures;
  if (!is_judged(record.precision)) return figures;
  for (const TensorSpec& output : record.outputs) {
    const auto told = record.proof.find("accuracy." + output.name);
    if (told == record.proof.end()) return wrong(record, "nothing of output " + quote(output.name));
    for (const Bound& bound : bounds_of(limits)) {
      const auto value = figure_of(told->second, bound.metric);
      if (!value)
        return wrong(record, "no " + std::string(bound.metric) + " of output " + quote(output.name));
      const bool is_kept = bound.is_least ? *value >= bound.threshold : *value <= bound.threshold;
      if (!is_kept) return wrong(record, "output " + quote(output.name) + ": " + told->second);
      figures.push_back({output.name, bound.metric, *value, bound.threshold});
    }
  }
  return figures;
}

}  // namespace skua
