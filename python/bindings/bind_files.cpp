// File names, sidecars, verdicts and the registry: what needs no runtime.
#include "bootstrap/verify_set.h"
#include "core/filesystem.h"
#include "fields.h"
#include "module.h"
#include "nanobind/stl/string.h"
#include "skua/engine_filename.h"
#include "skua/runtime_factory.h"
#include "skua/sidecar.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// The bytes of an object, in place.
class Bytes {
 public:
  explicit Bytes(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_SIMPLE) == 0) return;
    const nb::object cause = take_refusal();
    refuse_field("payload", "bytes", object, cause);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { PyBuffer_Release(&buffer_); }
  std::span<const std::byte> span() const noexcept {
    return {static_cast<const std::byte*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
};

std::filesystem::path path_of(nb::handle path) { return read_as<std::filesystem::path>(path, "path"); }

template <Status (*kWrite)(const std::filesystem::path&, std::span<const std::byte>)>
void write(nb::handle path, nb::handle payload) {
  const std::filesystem::path file = path_of(path);
  const Bytes bytes(payload);
  unwrap(without_gil([&] { return kWrite(file, bytes.span()); }));
}

nb::object digest(nb::handle payload) {
  const Bytes bytes(payload);
  return to_python(without_gil([&] { return Sha256Sidecar::digest(bytes.span()); }));
}

nb::object digest_file(nb::handle path) {
  const std::filesystem::path file = path_of(path);
  return to_python(unwrap(without_gil([&] { return Sha256Sidecar::digest_file(file); })));
}

bool verify(nb::handle path) {
  const std::filesystem::path file = path_of(path);
  return unwrap(without_gil([&] { return Sha256Sidecar::verify(file); }));
}

nb::object aggregate(nb::handle paths) {
  std::vector<std::filesystem::path> files;
  for (const nb::object& path : Fields::items_of(paths, "paths")) files.push_back(path_of(path));
  return to_python(unwrap(without_gil([&] { return Sha256Sidecar::aggregate_hash(files); })));
}

void bind_sidecar(nb::module_& module) {
  nb::class_<Sha256Sidecar>(
      module, "Sha256Sidecar",
      "The content-hash sidecar of a file: `<file>.sha256`, 64 hex digits and nothing else. "
      "Digests are such texts.")
      .def_static(
          "path_of",
          [](nb::handle path) { return to_python(Sha256Sidecar::path_of(path_of(path)).string()); },
          "payload"_a, nb::sig("def path_of(payload: str | os.PathLike[str]) -> str"))
      .def_static("digest", &digest, "payload"_a,
                  nb::sig("def digest(payload: bytes | bytearray | memoryview) -> str"))
      .def_static("digest_file", &digest_file, "path"_a,
                  nb::sig("def digest_file(path: str | os.PathLike[str]) -> str"),
                  "Of a regular file; links are not followed.")
      .def_static(
          "write_atomic", &write<&Sha256Sidecar::write_atomic>, "path"_a, "payload"_a,
          nb::sig("def write_atomic(path: str | os.PathLike[str], payload: bytes | bytearray | memoryview) "
                  "-> None"),
          "Writes the file whole or not at all.")
      .def_static(
          "write_atomic_and_sidecar", &write<&Sha256Sidecar::write_atomic_and_sidecar>, "path"_a, "payload"_a,
          nb::sig("def write_atomic_and_sidecar(path: str | os.PathLike[str], payload: bytes | bytearray | "
                  "memoryview) -> None"),
          "write_atomic of the payload, then of its sidecar.")
      .def_static(
          "verify", &verify, "path"_a, nb::sig("def verify(path: str | os.PathLike[str]) -> bool"),
          "Payload missing: False. Sidecar missing: EngineSidecarMissingError; malformed: "
          "EngineDeserializeError. Else whether the payload's bytes are those that the sidecar names.")
      .def_static("aggregate_hash", &aggregate, "paths"_a,
                  nb::sig("def aggregate_hash(paths: typing.Iterable[str | os.PathLike[str]]) -> str"),
                  "One digest over several files, whatever their order and folders.");
}

EngineFilenameSchema schema_from(nb::handle value) {
  EngineFilenameSchema schema;
  Fields(value, "name", "EngineFilenameSchema")("model", schema.model)("sm", schema.sm)(
      "jetpack", schema.jetpack)("tensorrt", schema.tensorrt)("precision", schema.precision)(
      "extension", schema.extension);
  return schema;
}

nb::object parse_name(const std::string& name) {
  const EngineFilenameSchema schema = unwrap(EngineFilenameSchema::parse(name));
  return type_named("EngineFilenameSchema")("model"_a = schema.model, "sm"_a = schema.sm,
                                            "jetpack"_a = schema.jetpack, "tensorrt"_a = schema.tensorrt,
                                            "precision"_a = to_python(schema.precision),
                                            "extension"_a = schema.extension);
}

nb::object verdict_object(const SetVerdict& verdict) {
  nb::list files;
  for (const FileVerdict& file : verdict.files) {
    const nb::object error = file.status.ok() ? nb::none() : exception_of(file.status.error());
    files.append(type_named("FileVerdict")("file"_a = file.file, "kind"_a = file.kind,
                                           "size_bytes"_a = file.size_bytes, "error"_a = error));
  }
  return type_named("SetVerdict")(
      "set_id"_a = verdict.manifest.set_id, "release_sequence"_a = verdict.manifest.release_sequence,
      "runtime_label"_a = verdict.manifest.runtime_label, "is_unsigned"_a = verdict.is_unsigned,
      "is_expired"_a = verdict.is_expired, "signer"_a = to_python(verdict.signer),
      "files"_a = nb::tuple(files), "bytes_hashed"_a = verdict.bytes_hashed,
      "elapsed_ns"_a = verdict.elapsed_ns, "workers"_a = verdict.workers);
}

nb::object judge_set(nb::handle set_dir, nb::handle policy, nb::handle host, std::size_t workers) {
  const std::filesystem::path folder = path_of(set_dir);
  const auto gate = read_as<GatePolicy>(policy, "policy");
  std::optional<HostTuple> given;
  if (!host.is_none()) given = read_as<HostTuple>(host, "host");
  return verdict_object(unwrap(without_gil([&] {
    return verify_set(posix_file_system(), folder, gate, given ? *given : probe_host(), system_clock(),
                      workers);
  })));
}

nb::object registry() {
  nb::list entries;
  for (const RuntimeEntry& entry : runtime_registry()) {
    entries.append(type_named("RuntimeEntry")(
        "label"_a = to_python(entry.label), "build_flag"_a = to_python(entry.build_flag),
        "is_built"_a = entry.is_built, "reason"_a = to_python(entry.reason)));
  }
  return nb::tuple(entries);
}

}  // namespace

void bind_files(nb::module_& module) {
  bind_sidecar(module);
  module.def(
      "_build_name", [](nb::handle schema) { return unwrap(schema_from(schema).build()); }, "schema"_a);
  module.def("_parse_name", &parse_name, "name"_a);
  module.def(
      "_matches_host",
      [](nb::handle schema, nb::handle host) {
        return schema_from(schema).matches_host(read_as<HostTuple>(host, "host"));
      },
      "schema"_a, "host"_a);
  module.def("verify_set", &judge_set, "set_dir"_a, "policy"_a, "host"_a = nb::none(), "workers"_a = 0,
             nb::sig("def verify_set(set_dir: str | os.PathLike[str], policy: skua.types.GatePolicy, host: "
                     "skua.types.HostTuple | None = None, workers: int = 0) -> skua.types.SetVerdict"),
             "Both gates over a set, without loading it: a verdict for every file. Raises what the set gate "
             "refuses, "
             "after which nothing in the folder can be trusted to be what it says.");
  module.def("runtime_registry", &registry,
             nb::sig("def runtime_registry() -> tuple[skua.types.RuntimeEntry, ...]"),
             "Every runtime that Skua knows, and whether it was built.");
}

}  // namespace skua::python
