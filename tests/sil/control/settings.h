// What the device of the software-in-the-loop (SIL) libraries is like at this moment: plain values that tests
// set and any thread reads.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstddef>

#include "sil/control/sil_control.h"

namespace sil {

struct Settings {
  std::atomic<bool> has_driver{true};
  std::atomic<bool> is_integrated{true};
  std::atomic<bool> are_streams_held{false};
  std::atomic<bool> corrupts_plans{false};
  std::atomic<bool> crashes_builder{false};
  std::atomic<Omission> omission{Omission::nothing};
  std::atomic<Oddity> oddity{Oddity::nothing};
  std::atomic<int> log_flood_count{0};
  std::atomic<int> calibration_limit{-1};    ///< batches that are asked for at most; -1: all
  std::atomic<int> unconstrained_layer{-1};  ///< the one whose precision nothing holds; -1: none
  std::atomic<std::size_t> device_memory_bytes{0};
  std::atomic<cudaError_t> lost{cudaSuccess};  ///< the sticky error; cudaSuccess while the device can be used
  std::atomic<unsigned> epoch{0};  ///< grows with each reset: older errors of threads do not count
};

/// One per process, never destroyed: threads of streams may outlive main().
Settings& settings();

void restore_defaults(Settings& values);

/// The end of the device for this process; the first error stays. Wakes everybody who waits for it.
void lose_device(cudaError_t error);

/// Whether an error of this number ends the use of the device by this process.
bool is_sticky(cudaError_t error);

}  // namespace sil
