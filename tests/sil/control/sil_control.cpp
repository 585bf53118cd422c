#include "sil/control/sil_control.h"

#include <stdexcept>
#include <utility>

#include "sil/control/faults.h"
#include "sil/control/function_names.h"
#include "sil/control/settings.h"
#include "sil/cuda/device.h"
#include "sil/cuda/memory.h"
#include "sil/cuda/stream.h"

namespace sil {

namespace {

void add_known(Order order) {
  if (!is_known_function(order.function))
    throw std::invalid_argument("sil: there is no function " + order.function +
                                " that could be given an order");
  faults().add(std::move(order));
}

}  // namespace

void fail_call(const std::string& function, int nth, int code, bool is_sticky) {
  add_known({Effect::fail_call, function, nth, code, is_sticky});
}

void hang_call(const std::string& function, int nth) { add_known({Effect::hang_call, function, nth}); }

void hang_work(const std::string& function, int nth) { add_known({Effect::hang_work, function, nth}); }

void fail_work(const std::string& function, int nth, int code) {
  add_known({Effect::fail_work, function, nth, code});
}

void report_beside(const std::string& function, int nth, int code) {
  faults().add({Effect::report, function, nth, code});
}

void release_hangs() { faults().release(); }

void limit_device_memory(std::size_t bytes) { settings().device_memory_bytes = bytes; }

void hold_streams(bool is_held) {
  settings().are_streams_held = is_held;
  wake_all_streams();
}

void remove_driver() { settings().has_driver = false; }
void make_discrete() { settings().is_integrated = false; }
void corrupt_plans() { settings().corrupts_plans = true; }
void leave_out_of_graphs(Omission omission) { settings().omission = omission; }
void make_engines_odd(Oddity oddity) { settings().oddity = oddity; }
void flood_log(int count) { settings().log_flood_count = count; }
void crash_builder() { settings().crashes_builder = true; }
void ignore_constraints_of(int layer) { settings().unconstrained_layer = layer; }
void end_calibration_after(int batches) { settings().calibration_limit = batches; }

int calls(const std::string& function) { return faults().calls(function); }
std::vector<std::string> functions() { return faults().functions(); }
std::vector<std::string> functions_since_failure() { return faults().functions_since_failure(); }

void reset() {
  faults().clear();
  restore_defaults(settings());
  wake_all_streams();
  device().forget_errors();
}

void restart_device() {
  abandon_all_work();
  faults().release();
  device().drop_everything();
  memory().drop_everything();
}

LiveObjects live_objects() {
  LiveObjects live;
  memory().count(live);
  device().count(live);
  return live;
}

}  // namespace sil
