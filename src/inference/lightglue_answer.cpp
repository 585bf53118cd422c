#include "inference/lightglue_answer.h"

namespace skua::lightglue {
namespace {

constexpr std::int64_t kNone = -1;

/// Without a text: composing one would allocate.
Error no_answer() noexcept { return Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}}; }

bool is_index(std::int64_t value, std::int64_t count) noexcept { return value >= 0 && value < count; }

bool read_per_keypoint(const MatcherOutputs& outputs, const RunSizes& sizes, std::size_t position,
                       CorrespondenceSet& out) noexcept {
  const Shape expected{sizes.batch, sizes.first};
  if (outputs.matches.shape != expected || outputs.scores.shape != expected) return false;
  const auto count = static_cast<std::size_t>(sizes.first);
  const auto partners = outputs.matches.as<const std::int64_t>().subspan(position * count, count);
  const auto scores = outputs.scores.as<const float>().subspan(position * count, count);
  for (std::size_t i = 0; i < count; ++i) {
    if (partners[i] == kNone) continue;
    if (!is_index(partners[i], sizes.second)) return false;
    out.indices.push_back({static_cast<std::int64_t>(i), partners[i]});
    out.scores.push_back(scores[i]);
  }
  return true;
}

bool read_pairs(const MatcherOutputs& outputs, const RunSizes& sizes, CorrespondenceSet& out) noexcept {
  if (outputs.matches.shape.rank() != 2 || outputs.scores.shape.rank() != 1) return false;
  const std::int64_t count = outputs.matches.shape[0];
  if (outputs.matches.shape[1] != 2 || outputs.scores.shape[0] != count) return false;
  if (count < 0 || static_cast<std::size_t>(count) > out.indices.capacity()) return false;
  const auto rows = outputs.matches.as<const std::int64_t>();
  const auto scores = outputs.scores.as<const float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (!is_index(rows[2 * i], sizes.first) || !is_index(rows[2 * i + 1], sizes.second)) return false;
    out.indices.push_back({rows[2 * i], rows[2 * i + 1]});
    out.scores.push_back(scores[i]);
  }
  return true;
}

}  // namespace

Status read_answer(OutputForm form, const MatcherOutputs& outputs, const RunSizes& sizes,
                   std::size_t position, CorrespondenceSet& out) noexcept {
  out.indices.clear();
  out.scores.clear();
  const bool has_data = outputs.matches.data != nullptr && outputs.scores.data != nullptr;
  const bool is_read =
      has_data && (form == OutputForm::kPairs ? read_pairs(outputs, sizes, out)
                                              : read_per_keypoint(outputs, sizes, position, out));
  if (is_read) return {};
  out.indices.clear();
  out.scores.clear();
  return no_answer();
}

}  // namespace skua::lightglue
