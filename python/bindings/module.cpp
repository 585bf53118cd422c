// The extension module skua._skua: what of the Python package is C++. Its users import skua.
#include "module.h"

#include "gil.h"
#include "process.h"
#include "recorder.h"
#include "runtime_owner.h"
#include "values.h"

namespace {

/// Runtimes, threads and SDKs are the process's: two interpreters cannot share them without sharing objects.
bool is_main_interpreter() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return true;
  PyErr_SetString(
      PyExc_ImportError,
      "skua cannot be imported in a sub-interpreter: expected the main interpreter of the process; run it "
      "there, or in a process of its own");
  return false;
}

/// Runtimes and handles of before would be of classes that nobody has any more.
bool is_imported = false;

bool is_first_import() {
  if (!is_imported) return true;
  PyErr_SetString(PyExc_ImportError,
                  "skua._skua was imported before in this process and taken out of sys.modules: expected one "
                  "import; leave it there, or start a new process");
  return false;
}

/// For the interpreter's exit: nothing of ours calls into it afterwards. Recorders first: they are Python,
/// and may come back from calls of ours themselves. Where Ctrl-C ends the wait for one, threads that would
/// come back to an interpreter that goes are stopped all the same.
void finish() {
  try {
    skua::python::close_all();
    skua::python::finish_recorders();
  } catch (...) {
    skua::python::end_coming_back();
    throw;
  }
  skua::python::end_coming_back();
}

}  // namespace

// nanobind prepares itself before the module's body runs, and what it has prepared for one interpreter is
// lost by that. So the question comes first, in the function that Python calls.
#define PyInit__skua skua_init_nanobind
NB_MODULE(_skua, module) {
  // What globals still hold at the interpreter's exit is no leak.
  nanobind::set_leak_warnings(false);
  skua::python::watch_forks();
  skua::python::register_errors();
  skua::python::register_types();
  skua::python::bind_keys(module);
  skua::python::bind_handles(module);
  skua::python::bind_bound(module);
  skua::python::bind_runtime(module);
  skua::python::bind_lightglue(module);
  skua::python::bind_config(module);
  skua::python::bind_airborne(module);
  skua::python::bind_files(module);
  skua::python::bind_gate(module);
  skua::python::bind_errors(module);
  module.def("_finish", &finish);
  is_imported = true;
}
#undef PyInit__skua

extern "C" NB_EXPORT PyObject* PyInit__skua() {
  return is_main_interpreter() && is_first_import() ? skua_init_nanobind() : nullptr;
}
