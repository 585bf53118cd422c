// skua.EngineGate: the engine gate over one engine of a cache, for those who load nothing.
#include "cache/engine_verify.h"
#include "core/buffer.h"
#include "fields.h"
#include "inference/engine_folder.h"
#include "interruptible.h"
#include "module.h"
#include "nanobind/stl/string.h"
#include "skua/engine_filename.h"
#include "skua/runtime_factory.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

struct EngineGateName {};  ///< its functions need no object

/// What the name says, where it says something: a name that does not parse is the gate's to refuse.
Precision named_precision(const std::string& file) {
  const auto schema = EngineFilenameSchema::parse(file);
  return schema.ok() ? schema->precision : Precision::kFp16;
}

Status judge_engine(const std::filesystem::path& path, const std::optional<HostTuple>& host,
                    const std::optional<Precision>& precision) {
  const std::filesystem::path parent = path.parent_path();
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(
                                               parent.empty() ? std::filesystem::path(".") : parent));
  EngineExpectation expected;
  expected.file = path.filename().string();
  expected.precision = precision ? *precision : named_precision(expected.file);
  expected.host = host ? *host : probe_host();
  const auto record = read_build_record(*folder, expected.file);
  expected.uses_gpu = record.ok() && uses_gpu(*record);  // without a record the gate does not get that far
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
  return judge_cached(*folder, expected, piece.bytes());
}

void verify_engine(nb::handle given_path, nb::handle given_host, nb::handle given_precision) {
  const auto path = read_as<std::filesystem::path>(given_path, "path");
  std::optional<HostTuple> host;
  if (!given_host.is_none()) host = read_as<HostTuple>(given_host, "host");
  std::optional<Precision> precision;
  if (!given_precision.is_none()) precision = read_as<Precision>(given_precision, "precision");
  unwrap(interruptible([&] { return judge_engine(path, host, precision); }, [](const Status&) {}));
}

}  // namespace

void bind_gate(nb::module_& module) {
  nb::class_<EngineGateName>(
      module, "EngineGate",
      "The ordered checks between an engine file and a deserialiser, without the latter.")
      .def_static(
          "verify", &verify_engine, "path"_a, nb::kw_only(), "host"_a = nb::none(),
          "precision"_a = nb::none(),
          nb::sig("def verify(path: str | os.PathLike[str], *, host: skua.types.HostTuple | None = None, "
                  "precision: skua.types.Precision | str | None = None) -> None"),
          "Judges one engine of an engine cache, whose build record stands for the manifest; reads and "
          "writes "
          "nothing else. Raises the first refusal: name, host and precision (EngineSchemaMismatchError), "
          "sidecar "
          "(EngineSidecarMissingError), its hash, then the record's (EngineHashMismatchError), then the rest "
          "(EngineDeserializeError). `host` None is this machine, `precision` None the name's. Engines of a "
          "flight set: verify_set.");
}

}  // namespace skua::python
