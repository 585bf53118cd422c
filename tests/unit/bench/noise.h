// Times as a busy machine gives them, without a clock: every figure is drawn from a seeded generator, so that
// what a test finds once it finds always.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/experiment.h"

namespace skua::bench::test {

class Noise {
 public:
  explicit Noise(std::uint64_t seed) : random_(seed) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(random_() >> 11U) * 0x1p-53; }

  /// A factor of about 1: a spread of some 0.6 %, a neighbour in one round of ten who costs up to 30 %.
  double factor() {
    double sum = 0.0;
    for (int i = 0; i < 12; ++i) sum += uniform();
    const double spread = 1.0 + 0.006 * (sum - 6.0);
    return uniform() < 0.1 ? spread * (1.0 + 0.3 * uniform()) : spread;
  }

 private:
  std::mt19937_64 random_;
};

/// Rounds of several subjects that cost `costs` times 2 ms. The machine's pace, which all subjects of a round
/// share, drifts by a quarter; on top of it each has its own noise.
inline std::vector<SubjectTimes> noisy_rounds(const std::vector<double>& costs, std::size_t rounds,
                                              std::uint64_t seed) {
  constexpr double kBaseNs = 2.0e6;
  Noise noise(seed);
  std::vector<SubjectTimes> times(costs.size());
  for (std::size_t i = 0; i < costs.size(); ++i) times[i].name = "subject " + std::to_string(i);
  for (std::size_t round = 0; round < rounds; ++round) {
    const double pace = 1.0 + 0.25 * std::sin(static_cast<double>(round) / 7.0);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      times[i].round_ns.push_back(kBaseNs * pace * costs[i] * noise.factor());
    }
  }
  return times;
}

}  // namespace skua::bench::test
