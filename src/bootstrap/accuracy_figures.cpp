#include "bootstrap/accuracy_figures.h"

#include <optional>
#include <string>
#include <string_view>

#include "core/accuracy_bounds.h"
#include "core/text.h"

namespace skua {
namespace {

/// The number behind a name in "relative_l2 0.02, cosine 0.999".
std::optional<double> figure_of(const std::string& text, std::string_view metric) {
  const std::string name(metric);
  const auto at = text.starts_with(name + " ") ? 0 : text.find(", " + name + " ");
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = text.find(name, at) + name.size() + 1;
  return parse_double(text.substr(begin, text.find(',', begin) - begin));
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
    for (const AccuracyBound& bound : bounds_of(limits)) {
      const auto value = figure_of(told->second, bound.metric);
      if (!value)
        return wrong(record, "no " + std::string(bound.metric) + " of output " + quote(output.name));
      if (!bound.keeps(*value)) return wrong(record, "output " + quote(output.name) + ": " + told->second);
      figures.push_back({output.name, std::string(bound.metric), *value, bound.threshold});
    }
  }
  return figures;
}

}  // namespace skua
