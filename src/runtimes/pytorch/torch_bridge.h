// The boundary to libtorch. What is declared here lives in two further shared libraries beside the modules,
// libskua_torch_run.so and libskua_torch_compile.so, the only code that sees libtorch's headers. They are
// opened after libtorch itself (torch_library.h), so that a missing or foreign libtorch is an error with a
// text and not a loader's, and so that asking for this runtime is what maps it. Each exports one C function
// that returns one of these tables; the build id is compared before anything else of a table is touched.
// Nothing throws across.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine_record.h"
#include "inference/strategy.h"

namespace skua::pytorch {

enum class Arithmetic : std::uint8_t {
  kFp32,     ///< a reference artifact: fp32 weights and arithmetic, nothing rounded
  kWidened,  ///< fp16 weights widened at load, fp32 arithmetic, inputs and outputs rounded through fp16
  kNative,   ///< fp16 weights and arithmetic
};

/// As it stands in records, handles and reports.
constexpr std::string_view arithmetic_text(Arithmetic arithmetic) noexcept {
  if (arithmetic == Arithmetic::kFp32) return "fp32";
  return arithmetic == Arithmetic::kWidened ? "fp16 weights, fp32 arithmetic" : "fp16";
}

/// How an archive is made to run.
struct RunPlan {
  std::string device = "cpu";  ///< "cpu" or "cuda"
  Arithmetic arithmetic = Arithmetic::kWidened;
  bool is_frozen = true;     ///< false: the graph as it is written, for reference values
  bool is_optimized = true;  ///< frozen only: libtorch's optimize_for_inference, bound to this host
};

struct TorchFacts {
  std::string version;  ///< of the library that is mapped, e.g. "2.13.0"
  bool has_cuda = false;
  int cuda_devices = 0;
};

/// What forward() says of itself.
struct ScriptInterface {
  std::vector<std::string> inputs;
  /// A NamedTuple's field names; empty names where it has none; nothing for a dict, whose keys a run shows.
  std::vector<std::string> outputs;
};

/// One output of a trial: in the element type that the network computed it in.
struct TrialOutput {
  std::string name;  ///< as in ScriptInterface, or the dict's key
  Tensor tensor;
};

/// A network without a recorded contract: what compiling finds the contract out with. One thread at a time.
class TrialModule {
 public:
  virtual ~TrialModule() = default;
  /// Inputs in forward()'s order, in the source's element types. EngineBuildError (model_unsupported):
  /// forward() throws, gives something else than tensors, or changes an input; OutOfMemoryError.
  virtual Result<std::vector<TrialOutput>> run(std::span<const TensorView> inputs) = 0;
};

struct RunBridge {
  std::uint32_t struct_size;
  const char* build_id;
  const char* compiled_for;  ///< the libtorch version whose headers were used
  Result<TorchFacts> (*facts)();
  /// Fixes libtorch's thread count for this process; InvalidArgumentError when it is fixed to another one.
  Status (*fix_threads)(int intra_op_threads);
  /// An archive as an engine. EngineDeserializeError, OutOfMemoryError. libtorch copies what it keeps.
  Result<std::unique_ptr<LoadedEngine>> (*load)(std::span<const std::byte> archive,
                                                const EngineRecord& record, const RunPlan& plan);
};

/// A source converted to what is deployed.
struct Converted {
  std::vector<std::byte> artifact;
  ScriptInterface interface;
  std::map<std::string, std::string> metadata;  ///< the source's extra files "skua.*"
  std::map<std::string, std::string> proof;     ///< counts of what was converted
};

struct CompileBridge {
  RunBridge run;
  /// Source archive to artifact: fp16 weights, or for kFp32 as they are. EngineBuildError: model_malformed,
  /// model_unsupported, precision_not_supported.
  Result<Converted> (*convert)(std::span<const std::byte> source, Precision precision);
  Result<std::unique_ptr<TrialModule>> (*open_trial)(std::span<const std::byte> archive, const RunPlan& plan);
};

using RunBridgeFunction = const RunBridge* (*)();
using CompileBridgeFunction = const CompileBridge* (*)();
inline constexpr char kRunBridgeSymbol[] = "skua_torch_run_bridge";
inline constexpr char kCompileBridgeSymbol[] = "skua_torch_compile_bridge";

/// EngineRecord::options under which the element type is recorded that native arithmetic computes an output
/// in.
inline std::string computed_option(std::string_view output) { return "computed." + std::string(output); }

}  // namespace skua::pytorch
