#include "sil/control/settings.h"

#include <algorithm>
#include <array>

#include "sil/cuda/stream.h"

namespace sil {
namespace {

constexpr std::size_t kDefaultMemoryBytes = std::size_t{8} << 30U;

Settings* make_settings() {
  auto* const made = new Settings;
  restore_defaults(*made);
  return made;
}

}  // namespace

Settings& settings() {
  static Settings* const instance = make_settings();
  return *instance;
}

void restore_defaults(Settings& values) {
  values.has_driver = true;
  values.is_integrated = true;
  values.are_streams_held = false;
  values.corrupts_plans = false;
  values.crashes_builder = false;
  values.omission = Omission::nothing;
  values.oddity = Oddity::nothing;
  values.log_flood_count = 0;
  values.calibration_limit = -1;
  values.unconstrained_layer = -1;
  values.device_memory_bytes = kDefaultMemoryBytes;
  values.lost = cudaSuccess;
  ++values.epoch;
}

void lose_device(cudaError_t error) {
  cudaError_t expected = cudaSuccess;
  settings().lost.compare_exchange_strong(expected, error);
  wake_all_streams();
}

bool is_sticky(cudaError_t error) {
  // By number: the headers of CUDA 12.6 do not know all of them.
  constexpr std::array kSticky = {214, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911};
  return std::find(kSticky.begin(), kSticky.end(), static_cast<int>(error)) != kSticky.end();
}

}  // namespace sil
