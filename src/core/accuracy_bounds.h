// The bounds of AccuracyLimits as a table: what a build is judged by, and what a manifest says it has kept.
#pragma once

#include <string_view>
#include <vector>

#include "skua/build_config.h"

namespace skua {

struct AccuracyBound {
  std::string_view metric;  ///< as in build records and manifests
  double threshold = 0.0;
  bool is_least = false;  ///< the figure may not be smaller; else not larger
  /// A NaN keeps no bound.
  bool keeps(double figure) const noexcept { return is_least ? figure >= threshold : figure <= threshold; }
};

/// relative_l2, mismatched, agreement; then relative_error and cosine where they are bounded.
inline std::vector<AccuracyBound> bounds_of(const AccuracyLimits& limits) {
  std::vector<AccuracyBound> bounds = {{"relative_l2", limits.relative_l2, false},
                                       {"mismatched", limits.mismatched, false},
                                       {"agreement", limits.agreement, true}};
  if (limits.relative_error) bounds.push_back({"relative_error", *limits.relative_error, false});
  if (limits.cosine) bounds.push_back({"cosine", *limits.cosine, true});
  return bounds;
}

}  // namespace skua
