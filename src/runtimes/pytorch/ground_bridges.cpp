#include "runtimes/pytorch/ground_bridges.h"

#include "runtimes/pytorch/torch_library.h"

namespace skua::pytorch {
namespace {

template <typename Bridge, typename Function>
Result<const Bridge*> open_bridge(const RuntimeConfig& config, const char* file, const char* symbol) {
  SKUA_ASSIGN_OR_RETURN(void* address, open_bridge_symbol(config, file, symbol));
  const Bridge* bridge = address != nullptr ? reinterpret_cast<Function>(address)() : nullptr;
  SKUA_RETURN_IF_ERROR(check_bridge(bridge != nullptr ? &bridge->run : nullptr, config, file));
  return bridge;
}

}  // namespace

Result<const CompileBridge*> open_compile_bridge(const RuntimeConfig& config) {
  return open_bridge<CompileBridge, CompileBridgeFunction>(config, "libskua_torch_compile.so",
                                                           kCompileBridgeSymbol);
}

Result<const BenchBridge*> open_bench_bridge(const RuntimeConfig& config) {
  return open_bridge<BenchBridge, BenchBridgeFunction>(config, "libskua_torch_bench.so", kBenchBridgeSymbol);
}

}  // namespace skua::pytorch
