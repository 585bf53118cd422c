// Mutations of the host: the untouched set on another machine, and a well signed set that was made for
// another one, by every component of the host tuple alone.
#include <gtest/gtest.h>

#include "trust_mutations.h"

namespace skua::test {
namespace {

constexpr auto kSchemaMismatch = ErrorCode::kEngineSchemaMismatch;
constexpr auto kDeserialize = ErrorCode::kEngineDeserialize;

struct Component {
  const char* name;
  void (*change)(HostTuple&);
  bool is_in_file_name;
  bool binds_gpu, binds_cpu;
};

const std::vector<Component>& components() {
  static const std::vector<Component> all = {
      {"sm", [](HostTuple& h) { h.sm = 86; }, true, true, true},
      {"jetpack", [](HostTuple& h) { h.jetpack = "6.1"; }, true, true, true},
      {"tensorrt", [](HostTuple& h) { h.tensorrt = "10.4"; }, true, true, true},
      {"l4t", [](HostTuple& h) { h.l4t = "36.4.4"; }, false, true, false},
      {"module_name", [](HostTuple& h) { h.module_name = "Orin NX"; }, false, true, false},
      {"sm_count", [](HostTuple& h) { h.sm_count = 4; }, false, true, false},
      {"tensorrt_build", [](HostTuple& h) { h.tensorrt_build = "10.3.0.31"; }, false, true, false},
      {"cuda_driver", [](HostTuple& h) { h.cuda_driver = "12.8"; }, false, true, false},
      {"cuda_runtime", [](HostTuple& h) { h.cuda_runtime = "12.6.77"; }, false, true, false},
      {"cpu_arch", [](HostTuple& h) { h.cpu_arch = "x86_64"; }, false, true, true},
      {"cpu_features", [](HostTuple& h) { h.cpu_features = "asimd"; }, false, false, true},
  };
  return all;
}

/// Where the component binds, this machine is another one by it alone.
void add_machines(std::vector<Mutation>& table, bool is_gpu) {
  const std::string kind = is_gpu ? "GPU" : "CPU";
  for (const Component& component : components()) {
    if (!(is_gpu ? component.binds_gpu : component.binds_cpu)) continue;
    table.push_back({"host: this machine's " + std::string(component.name) + ", " + kind + " engines",
                     component.is_in_file_name ? kSchemaMismatch : kDeserialize,
                     component.is_in_file_name ? Reason::kHostMismatch : Reason::kHostFactMismatch,
                     [=](SignedSet& s) {
                       s.is_gpu = is_gpu;
                       component.change(s.host);
                     }});
  }
}

/// The engine's record names another machine than the one that it is loaded on.
void add_records(std::vector<Mutation>& table) {
  for (const Component& component : components()) {
    const bool is_gpu = component.binds_gpu;
    table.push_back({"host: " + std::string(component.name) + " of an engine's record", kDeserialize,
                     Reason::kHostFactMismatch, [=](SignedSet& s) {
                       s.is_gpu = is_gpu;
                       s.edit_manifest([&](Manifest& m) { component.change(m.artifacts[0].engine.host); });
                     }});
  }
}

/// The engine's file is called as of another machine, everywhere.
Mutation renamed(const std::string& what, const std::string& from, const std::string& to) {
  return {"host: " + what + " of an engine's name", kSchemaMismatch, Reason::kHostMismatch,
          [=](SignedSet& s) {
            const std::string old_name = s.engine();
            std::string new_name = old_name;
            new_name.replace(new_name.find(from), from.size(), to);
            std::string text = s.manifest_text();
            for (auto at = text.find(old_name); at != std::string::npos; at = text.find(old_name, at + 1))
              text.replace(at, old_name.size(), new_name);
            for (const std::string ending : {"", ".json", ".sha256"})
              fs::rename(s.file(old_name + ending), s.file(new_name + ending));
            fs::rename(s.file("golden/" + old_name + ".golden"), s.file("golden/" + new_name + ".golden"));
            s.write("flight-manifest.json", text);
            s.sign_again();
          }};
}

}  // namespace

std::vector<Mutation> host_mutations() {
  std::vector<Mutation> table;
  add_machines(table, true);
  add_machines(table, false);
  add_records(table);
  table.push_back(renamed("sm", "_sm87_", "_sm86_"));
  table.push_back(renamed("jetpack", "_jp6.2_", "_jp6.1_"));
  table.push_back(renamed("tensorrt", "_trt10.3_", "_trt10.2_"));
  table.push_back({"host: another precision in the record", kSchemaMismatch, Reason::kPrecisionMismatch,
                   [](SignedSet& s) {
                     s.edit_manifest([](Manifest& m) { m.artifacts[0].engine.precision = Precision::kInt8; });
                   }});
  table.push_back(
      {"host: an engine that was never proven", kDeserialize, Reason::kEngineUnproven,
       [](SignedSet& s) { s.edit_manifest([](Manifest& m) { m.artifacts[0].engine.proven = false; }); }});
  return table;
}

namespace {

TEST(TrustMutations, OfTheHostAreRefused) { expect_refused(host_mutations()); }

TEST(TrustMutations, OfTheHostAreOfEveryComponentAndOfThoseAloneThatBind) {
  for (const Component& component : components()) {
    HostTuple other = orin();
    component.change(other);
    EXPECT_FALSE(other == orin()) << component.name;
    SignedSet set;
    component.change(set.host);
    set.is_gpu = !component.binds_gpu;
    const bool binds = set.is_gpu ? component.binds_gpu : component.binds_cpu;
    // A plan holds TensorRT's build number itself, and its header is compared whatever the runtime says.
    const bool is_in_plan = std::string_view(component.name) == "tensorrt_build";
    EXPECT_EQ(set.judge().ok(), !binds && !is_in_plan) << component.name;
  }
  EXPECT_EQ(components().size(), 11U) << "a component that is added needs a mutation";
}

}  // namespace
}  // namespace skua::test
