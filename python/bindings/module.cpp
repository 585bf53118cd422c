// The extension module skua._skua: what of the Python package is C++. Its users import skua.
#include "module.h"

#include "process.h"
#include "recorder.h"
#include "runtime_owner.h"
#include "values.h"

namespace {

/// Runtimes, threads and SDKs are the process's: two interpreters cannot share them without sharing objects.
void refuse_sub_interpreters() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return;
  PyErr_SetString(
      PyExc_ImportError,
      "skua cannot be imported in a sub-interpreter: expected the main interpreter of the process; "
      "run it there, or in a process of its own");
  throw nanobind::python_error();
}

}  // namespace

NB_MODULE(_skua, module) {
  refuse_sub_interpreters();
  // At the interpreter's exit whatever globals still hold is no leak.
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
  module.def("_finish", [] {
    skua::python::close_all();
    skua::python::finish_recorders();
  });
}
