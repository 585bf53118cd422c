#include "recorder.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "fields.h"
#include "process.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;

/// Of the process: recorders may be left behind by their pipeline, inside of a call that stands still.
std::atomic<bool> is_finished{false};
std::atomic<int> calls_inside{0};

class CallInside {
 public:
  CallInside() { ++calls_inside; }
  CallInside(const CallInside&) = delete;
  CallInside& operator=(const CallInside&) = delete;
  ~CallInside() { --calls_inside; }
};

/// Lets the object go with the GIL. One that is left at the interpreter's exit goes with the process.
struct Release {
  void operator()(PyObject* object) const noexcept {
    if (is_finished || is_forked()) return;
    const CallInside inside;
    const nb::gil_scoped_acquire gil;
    Py_DECREF(object);
  }
};

/// The text of what the call raised; empty: nothing.
std::string call(nb::handle enqueue, const FlightRecord& record) {
  const nb::gil_scoped_acquire gil;
  try {
    enqueue(to_python(record));
    return {};
  } catch (const std::exception& error) {  // nb::python_error among them, with its traceback
    return std::string("enqueue(record) raised: ") + error.what();
  }
}

}  // namespace

std::shared_ptr<FlightRecorder> recorder_of(nb::handle recorder) {
  if (recorder.is_none()) return nullptr;
  const nb::object enqueue = nb::getattr(recorder, "enqueue", nb::none());
  if (PyCallable_Check(enqueue.ptr()) == 0)
    refuse_field("recorder", "an object with enqueue(record)", recorder);
  const std::shared_ptr<PyObject> kept(nb::object(enqueue).release().ptr(), Release());
  const auto record = [kept](const FlightRecord& flight_record) {
    const CallInside inside;
    if (is_finished) throw std::runtime_error("the interpreter has ended");
    const std::string problem = call(kept.get(), flight_record);
    if (!problem.empty()) throw std::runtime_error(problem);
  };
  return std::make_shared<CallbackRecorder>(record, "python recorder");
}

void forget_recorder_calls() noexcept { calls_inside = 0; }

void finish_recorders() {
  is_finished = true;
  if (is_forked()) return;  // whoever was inside stayed with the parent
  while (calls_inside > 0) {
    constexpr std::chrono::milliseconds kLook{20};
    without_gil([&] {
      std::this_thread::sleep_for(kLook);
      return 0;
    });
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
}

}  // namespace skua::python
