// How tests drive the software-in-the-loop (SIL) libraries: failures on command, and what was called and is
// still held. State is one per process. In a child process the same orders come from the environment variable
// SKUA_SIL_FAULTS (its grammar: tests/sil/README.md). Every function may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sil {

inline constexpr int kEveryCall = 0;  ///< for `nth`

/// The `nth` call of `function` from now on (the first is 1) fails with `code`, in the code system of its
/// library. `is_sticky`: the device is lost with it; every CUDA call fails from then on, with the same code
/// if `function` is CUDA's, else with cudaErrorLaunchFailure. Here and below std::invalid_argument for a
/// function that never asks for orders.
void fail_call(const std::string& function, int nth, int code, bool is_sticky = false);

/// The `nth` call from now on does not return before release_hangs() or reset().
void hang_call(const std::string& function, int nth);

/// The first work that the `nth` call from now on puts on a stream does not end before release_hangs() or
/// reset(); the call itself returns. The device hangs, not the caller.
void hang_work(const std::string& function, int nth);

/// The same with an asynchronous error: that work ends with the CUDA code `code`; a sticky one loses the
/// device.
void fail_work(const std::string& function, int nth, int code);

/// The `nth` call from now on of a function of TensorRT's does what it should, and reports an error of `code`
/// all the same.
void report_beside(const std::string& function, int nth, int code);

void release_hangs();

/// The device has this much memory (at first 8 GiB); what it lacks is cudaErrorMemoryAllocation. Pinned host
/// memory does not count.
void limit_device_memory(std::size_t bytes);

/// Streams do nothing until somebody waits for or asks after their work, as slow as a device may be: whoever
/// forgets the wait reads old data, every time.
void hold_streams(bool is_held = true);

void remove_driver();  ///< as the runtime library behaves on a machine without a driver
void make_discrete();  ///< the device is not integrated (at first it is, as a Jetson's)
void corrupt_plans();  ///< a serialised network has a wrong byte
/// What is left out, without a word, of what goes into a graph: enqueueV3's work, or its last output, or
/// every copy to the device. Runs outside of one are whole.
enum class Omission { nothing, work, last_output, uploads };
void leave_out_of_graphs(Omission omission);
/// What an engine answers that is unlike any that a builder makes for the standard runtime.
enum class Oddity { nothing, capability, format };
void make_engines_odd(Oddity oddity);
void flood_log(int count);  ///< so many messages at every build and load
void crash_builder();       ///< the process dies in the next build
/// The builder takes no constraint of this layer's precision, without a word; counted in the network.
void ignore_constraints_of(int layer);
/// Calibration ends, without a word, after so many batches, whatever the calibrator still has.
void end_calibration_after(int batches);

/// Calls of `function` since reset(), failed ones included.
int calls(const std::string& function);

/// All functions called since reset(), sorted: what a sweep over call sites goes through.
std::vector<std::string> functions();

/// Those called since the last failure that fail_call has ordered, which is not among them; sorted.
std::vector<std::string> functions_since_failure();

/// Takes back all orders, counts and errors, a lost device included. What is allocated stays.
void reset();

/// Everything that the device holds is gone, as after the end of the process: its handles and pointers are
/// invalid. For tests of a lost device, whose owner must not touch it any more.
void restart_device();

struct LiveObjects {
  int allocations = 0;  ///< device memory
  std::size_t device_bytes = 0;
  int pinned_allocations = 0;  ///< cudaHostAlloc and cudaHostRegister
  std::size_t pinned_bytes = 0;
  int streams = 0;
  int events = 0;
  int graphs = 0;
  int graph_executables = 0;

  bool operator==(const LiveObjects&) const = default;
};

LiveObjects live_objects();

}  // namespace sil
