#include "skua/host_tuple.h"

#include <array>

#include "core/host_probe.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::array kPrecisions = {Precision::kFp16, Precision::kInt8, Precision::kMixed, Precision::kFp32};

struct FinerFact {
  std::string_view name;
  std::string (*print)(const HostTuple&);
  bool binds_gpu;
  bool binds_cpu;
};

// An engine plan is native code of one machine: the architecture counts on a GPU host as well.
const std::array kFinerFacts = {
    FinerFact{"module_name", [](const HostTuple& h) { return h.module_name; }, true, false},
    FinerFact{"sm_count", [](const HostTuple& h) { return std::to_string(h.sm_count); }, true, false},
    FinerFact{"l4t", [](const HostTuple& h) { return h.l4t; }, true, false},
    FinerFact{"tensorrt_build", [](const HostTuple& h) { return h.tensorrt_build; }, true, false},
    FinerFact{"cuda_driver", [](const HostTuple& h) { return h.cuda_driver; }, true, false},
    FinerFact{"cuda_runtime", [](const HostTuple& h) { return h.cuda_runtime; }, true, false},
    FinerFact{"cpu_arch", [](const HostTuple& h) { return h.cpu_arch; }, true, true},
    FinerFact{"cpu_features", [](const HostTuple& h) { return h.cpu_features; }, false, true},
};

}  // namespace

std::string_view to_string(Precision precision) noexcept {
  switch (precision) {
    case Precision::kFp16:
      return "fp16";
    case Precision::kInt8:
      return "int8";
    case Precision::kMixed:
      return "mixed";
    case Precision::kFp32:
      return "fp32";
  }
  return "unknown";
}

Result<Precision> precision_from_string(std::string_view name) {
  for (const Precision precision : kPrecisions) {
    if (to_string(precision) == name) return precision;
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "precision " + quote(name) + " is unknown; expected fp16, int8, mixed or fp32");
}

std::string tuple_text(const HostTuple& host) {
  return "sm" + std::to_string(host.sm) + "_jp" + host.jetpack + "_trt" + host.tensorrt;
}

std::vector<HostDifference> finer_differences(const HostTuple& built_on, const HostTuple& here,
                                              bool uses_gpu) {
  std::vector<HostDifference> differences;
  for (const FinerFact& fact : kFinerFacts) {
    if (!(uses_gpu ? fact.binds_gpu : fact.binds_cpu)) continue;
    std::string expected = fact.print(built_on);
    std::string found = fact.print(here);
    if (expected != found)
      differences.push_back({std::string(fact.name), std::move(expected), std::move(found)});
  }
  return differences;
}

HostTuple probe_host() { return probe_host("/", cuda_driver_probe()); }

}  // namespace skua
