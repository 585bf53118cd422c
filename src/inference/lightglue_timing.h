// Which way of running a batch is the fastest on this device: measured, never assumed.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "inference/lightglue_matcher.h"

namespace skua::lightglue {

/// The way that was fastest, and the one for batches that kBatched cannot take.
struct ChosenModes {
  BatchMode mode = BatchMode::kOneLane;
  BatchMode unbatched = BatchMode::kOneLane;
  std::vector<BatchTiming> timings;  ///< of every mode, kOneLane first; empty when nothing was timed
};

/// Without a measurement: the lanes where there are several.
ChosenModes untimed_modes(const Matcher& matcher);

/// Runs batches of `pairs` pairs in every possible mode, twice untimed and then `rounds` times in turn (fewer
/// once two seconds have passed and each mode has a figure), and takes the smallest median, as fastest_of has
/// it. A mode whose answers are not those of kOneLane is out: other indices, or scores further away than
/// 1e-3. Errors are those of the runs of kOneLane. Requires pairs > 0, rounds > 0.
Result<ChosenModes> time_modes(Matcher& matcher, std::size_t pairs, std::size_t rounds);

/// The mode of the smallest time; kOneLane, the first of them, has to be faster by 5 % to be taken: less is
/// noise, and on a machine that is busy just now the lanes look no faster than one. A time of 0 is out.
/// Exposed for its test.
BatchMode fastest_of(std::span<const BatchTiming> timings) noexcept;

/// Whether two answers of a pair may pass for each other. Exposed for its test.
bool is_same_answer(const CorrespondenceSet& one, const CorrespondenceSet& other) noexcept;

}  // namespace skua::lightglue
