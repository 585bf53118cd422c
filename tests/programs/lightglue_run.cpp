// lightglue_run SET_DIR MODEL LANES WARM_UP_PAIRS FEATURES WIDTH HEIGHT FIRST:SECOND...: loads a flight set,
// matches pairs of keypoint sets with LightGlueRuntime and prints, as one JSON document, what the engine is,
// what warm-up measured, and the answers of match(), of match_batch() and of every way of running the batch.
// Set number N lies in FEATURES/N.kpts.npy and FEATURES/N.desc.npy, from images of WIDTH x HEIGHT.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bootstrap/recorded_config.h"
#include "cache/set_gate.h"
#include "calibration/npy.h"
#include "core/host_probe.h"
#include "core/json_strict.h"
#include "inference/lightglue_matcher.h"
#include "skua/lightglue.h"
#include "skua/runtime_factory.h"

namespace skua {
namespace {

struct Arguments {
  std::filesystem::path set_dir, features;
  std::string model;
  std::size_t lanes = 1, warm_up_pairs = 0;
  std::array<int, 2> image_size{};
  std::vector<std::pair<std::string, std::string>> pairs;
};

struct Loaded {
  std::shared_ptr<InferenceRuntime> runtime;
  EngineHandle engine;
};

/// Keypoint sets by their number, read once each: sets in common share their memory.
struct Features {
  std::map<std::string, std::pair<Tensor, Tensor>> memory;
  std::vector<KeypointSet> firsts, seconds;
};

Result<Loaded> load(const Arguments& arguments) {
  GatePolicy policy;
  policy.allow_unsigned = true;
  SKUA_ASSIGN_OR_RETURN(const AdmittedSet admitted,
                        admit_set(posix_file_system(), arguments.set_dir, policy));
  const Manifest& manifest = admitted.manifest;
  RuntimeEnvironment environment;
  SKUA_ASSIGN_OR_RETURN(environment.config,
                        recorded_config(manifest.runtime_label, manifest.runtime_options));
  environment.config.runtime = manifest.runtime_label;
  environment.role = Role::kGround;
  environment.host = probe_host();
  Loaded loaded;
  SKUA_ASSIGN_OR_RETURN(loaded.runtime, build_inference_runtime(std::move(environment)));
  SKUA_ASSIGN_OR_RETURN(const EngineSet set, loaded.runtime->load_flight_set(arguments.set_dir, policy));
  if (const EngineHandle* handle = set.find(arguments.model); handle != nullptr) loaded.engine = *handle;
  return loaded;
}

Result<KeypointSet> read_set(const Arguments& arguments, const std::string& number, Features& features) {
  if (!features.memory.contains(number)) {
    SKUA_ASSIGN_OR_RETURN(Tensor keypoints, read_npy(arguments.features / (number + ".kpts.npy")));
    SKUA_ASSIGN_OR_RETURN(Tensor descriptors, read_npy(arguments.features / (number + ".desc.npy")));
    features.memory.emplace(number, std::pair(std::move(keypoints), std::move(descriptors)));
  }
  const auto& [keypoints, descriptors] = features.memory.at(number);
  KeypointSet set;
  set.keypoints = keypoints.view();
  set.descriptors = descriptors.view();
  set.image_size = arguments.image_size;
  return set;
}

Result<Features> read_features(const Arguments& arguments) {
  Features features;
  for (const auto& [first, second] : arguments.pairs) {
    SKUA_ASSIGN_OR_RETURN(KeypointSet a, read_set(arguments, first, features));
    SKUA_ASSIGN_OR_RETURN(KeypointSet b, read_set(arguments, second, features));
    features.firsts.push_back(a);
    features.seconds.push_back(b);
  }
  return features;
}

Result<std::vector<Lane>> lanes_of(InferenceRuntime& runtime, const std::string& name, std::size_t count) {
  std::vector<Lane> lanes;
  for (std::size_t i = 0; i < count; ++i) {
    SKUA_ASSIGN_OR_RETURN(Lane lane, runtime.create_lane(name + std::to_string(i)));
    lanes.push_back(lane);
  }
  return lanes;
}

Json answer_of(const CorrespondenceSet& out, const Status& status) {
  if (!status.ok()) return {{"error", to_string(status.error().reason)}};
  return {{"indices", out.indices}, {"scores", out.scores}};
}

Json answers_of(const std::vector<CorrespondenceSet>& out, const std::vector<Status>& status) {
  Json answers = Json::array();
  for (std::size_t i = 0; i < out.size(); ++i) answers.push_back(answer_of(out[i], status[i]));
  return answers;
}

Json describe(const LightGlueRuntime& matcher) {
  Json timings = Json::object();
  for (const BatchTiming& timing : matcher.batch_timings())
    timings[std::string(to_string(timing.mode))] = timing.median_ns;
  return {{"mode", to_string(matcher.batch_mode())},
          {"timings_ns", timings},
          {"descriptor_dim", matcher.descriptor_dim()},
          {"descriptor_dtype", to_string(matcher.descriptor_dtype())},
          {"fixed_keypoint_count", matcher.fixed_keypoint_count()},
          {"max_matches", matcher.max_matches()}};
}

/// Answers of every way that is possible, by its name.
Result<Json> run_every_way(const Loaded& loaded, const Arguments& arguments, const Features& features) {
  SKUA_ASSIGN_OR_RETURN(const auto lanes, lanes_of(*loaded.runtime, "way_", arguments.lanes));
  SKUA_ASSIGN_OR_RETURN(const auto matcher,
                        lightglue::Matcher::create(*loaded.runtime, loaded.engine, lanes));
  Json ways = Json::object();
  std::vector<CorrespondenceSet> out(features.firsts.size());
  std::vector<Status> status(out.size());
  const lightglue::PairSpans pairs{features.firsts, features.seconds, out, status};
  for (const BatchMode mode : {BatchMode::kOneLane, BatchMode::kLanes, BatchMode::kBatched}) {
    if (!matcher->can(mode, pairs)) continue;
    matcher->match_all(mode, pairs, {});
    ways[std::string(to_string(mode))] = answers_of(out, status);
  }
  return ways;
}

Result<Json> run(const Arguments& arguments) {
  SKUA_ASSIGN_OR_RETURN(const Features features, read_features(arguments));
  SKUA_ASSIGN_OR_RETURN(const Loaded loaded, load(arguments));
  LightGlueOptions options;
  SKUA_ASSIGN_OR_RETURN(options.lanes, lanes_of(*loaded.runtime, "match_", arguments.lanes));
  options.warm_up_pairs = arguments.warm_up_pairs;
  SKUA_ASSIGN_OR_RETURN(const auto matcher, LightGlueRuntime::create(loaded.runtime, loaded.engine, options));
  Json report = describe(*matcher);
  std::vector<CorrespondenceSet> out(features.firsts.size());
  std::vector<Status> status(out.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    status[i] = matcher->match(features.firsts[i], features.seconds[i], out[i]);
  report["match"] = answers_of(out, status);
  SKUA_RETURN_IF_ERROR(matcher->match_batch(features.firsts, features.seconds, out, status));
  report["match_batch"] = answers_of(out, status);
  SKUA_ASSIGN_OR_RETURN(report["ways"], run_every_way(loaded, arguments, features));
  return report;
}

Arguments parse(std::span<char*> words) {
  Arguments arguments{words[1], words[5], words[2], std::stoul(words[3]), std::stoul(words[4]), {}, {}};
  arguments.image_size = {std::stoi(words[6]), std::stoi(words[7])};
  for (const char* word : words.subspan(8)) {
    const std::string pair(word);
    const std::size_t colon = pair.find(':');
    arguments.pairs.emplace_back(pair.substr(0, colon), pair.substr(colon + 1));
  }
  return arguments;
}

int report_on(std::span<char*> words) {
  if (words.size() < 9) return 2;
  const auto report = run(parse(words));
  if (!report.ok()) {
    std::fprintf(stderr, "%s\n", report.error().describe().c_str());
    return 1;
  }
  return std::printf("%s\n", report->dump().c_str()) < 0 ? 1 : 0;
}

}  // namespace
}  // namespace skua

int main(int argc, char** argv) { return skua::report_on({argv, static_cast<std::size_t>(argc)}); }
