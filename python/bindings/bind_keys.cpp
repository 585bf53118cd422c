#include "module.h"
#include "nanobind/operators.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {

namespace nb = nanobind;

void bind_keys(nb::module_& module) {
  nb::class_<PublicKey>(module, "PublicKey",
                        "The public half of a P-256 key that flight sets are signed with.")
      .def_static(
          "from_pem", [](const std::string& pem) { return unwrap(PublicKey::from_pem(pem)); }, nb::arg("pem"),
          "Reads one public key in PEM, as `skua keygen` writes it. InvalidArgumentError "
          "(trusted_key_malformed).")
      .def_prop_ro(
          "pem", [](const PublicKey& key) { return key.pem(); }, "The canonical PEM text.")
      .def_prop_ro(
          "fingerprint", [](const PublicKey& key) { return key.fingerprint().hex(); },
          "SHA-256 of `pem`, in hex: the key's name in messages.")
      .def("__repr__",
           [](const PublicKey& key) { return "PublicKey(fingerprint='" + key.fingerprint().hex() + "')"; })
      .def("__hash__", [](const PublicKey& key) { return nb::hash(nb::str(key.pem().c_str())); })
      .def(
          "__eq__",
          [](const PublicKey& key, nb::handle other) {
            const PublicKey* same = nullptr;
            return nb::try_cast(other, same) && same != nullptr && *same == key;
          },
          nb::arg("other").none());
  module.def(
      "probe_host", [] { return to_python(without_gil([] { return probe_host(); })); },
      nb::sig("def probe_host() -> skua.types.HostTuple"),
      "Reads this machine. Never fails: what is not there stays empty. Milliseconds; ask once.");
}

}  // namespace skua::python
