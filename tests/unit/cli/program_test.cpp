// The program as a whole, in this process: words to stdout and stderr, exit status, --json.
#include <gmock/gmock.h>
#include <sys/prctl.h>

#include <sstream>
#include <string>
#include <vector>

#include "child_process.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "skua_command.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Outcome : CommandOutcome {
  Json json() const {
    auto parsed = parse_json(out);
    EXPECT_TRUE(parsed.ok()) << out;
    return parsed.ok() ? *std::move(parsed) : Json::object();
  }
};

Outcome skua(std::vector<std::string> arguments, bool is_terminal = false) {
  return {skua_command(std::move(arguments), is_terminal)};
}

TEST(Program, HelpAndVersionAreResultsNotErrors) {
  for (const char* option : {"--help", "--version"}) {
    const Outcome outcome = skua({option});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, Not(IsEmpty()));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST(Program, UsageErrorsAreStatusTwoOnStderr) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {},
           {"bogus"},
           {"verify"},
           {"doctor", "--bogus"},
           {"compile", "m.onnx", "--runtime", "onnx_trt_ep"},
           {"run", "d", "m", "--input", "x=y", "--output-dir", "o", "--repeat", "0"}}) {
    const Outcome outcome = skua(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, ::testing::StartsWith("skua: error: InvalidArgumentError: "));
  }
}

TEST(Program, JsonErrorHasClassReasonAndStatus) {
  const TempFolder folder;
  const Outcome outcome = skua({"verify", (folder.path() / "none").string(), "--json"});
  EXPECT_EQ(outcome.status, 5);
  const Json error = outcome.json()["error"];
  EXPECT_EQ(error["class"], "ManifestError");
  EXPECT_EQ(error["reason"], "set_missing");
  EXPECT_EQ(error["exit_status"], 5);
  EXPECT_THAT(outcome.err, HasSubstr("[set_missing]"));
}

TEST(Program, JsonIsHonouredWhereverTheParserStops) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"bogus", "--json"}, {"compile", "--json"}, {"doctor", "x", "--json"}}) {
    EXPECT_EQ(skua(arguments).json()["error"]["exit_status"], 2);
  }
  EXPECT_THAT(skua({"bogus"}).err, HasSubstr("'bogus'"));
}

TEST(Program, DoctorListsHostRuntimesAndWhereValuesCameFrom) {
  const TempFolder folder;
  const auto file = folder.write("c.yaml", "components: {c7_inference: {intra_op_threads: 2}}\n");
  const Outcome outcome = skua({"doctor", "--config", file.string(), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json json = outcome.json();
  EXPECT_EQ(json["runtimes"].size(), 3U);
  EXPECT_TRUE(json["host"].contains("sm"));
  for (const Json& field : json["configuration"]) {
    const bool is_given = field["field"] == "intra_op_threads";
    EXPECT_EQ(field["source"], is_given ? file.string() + ":1" : "default");
    EXPECT_TRUE(!is_given || field["value"] == "2");
  }
}

TEST(Program, DoctorRefusesAConfigurationItDoesNotUnderstand) {
  const TempFolder folder;
  const auto file = folder.write("c.yaml", "components: {c7_inference: {speed: 2}}\n");
  const Outcome outcome = skua({"doctor", "--config", file.string()});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("c.yaml:1:36"));
}

TEST(Program, CompileRefusesBeforeItWrites) {
  const TempFolder folder;
  const std::string out = (folder.path() / "cache").string();
  EXPECT_EQ(skua({"compile", "m.onnx", "--runtime", "zz", "--out", out, "--precision", "fp32"}).status, 9);
  const Outcome unproven = skua({"compile", "m.onnx", "--runtime", "onnx_trt_ep", "--out", out, "--precision",
                                 "fp32", "--unproven", "--json"});
  EXPECT_THAT(unproven.json()["error"]["reason"],
              ::testing::AnyOf("unproven_not_supported", "runtime_not_built"));
  EXPECT_NE(
      skua({"compile", "m.onnx", "--runtime", "onnx_trt_ep", "--out", out, "--precision", "fp8"}).status, 0);
  EXPECT_FALSE(folder.has("cache"));
}

TEST(Program, AKeyThatIsNotThereIsRefusedBeforeAnythingElse) {
  const TempFolder folder;
  const std::string key = (folder.path() / "none").string(), set = (folder.path() / "set").string();
  const std::string yaml = folder.write("SET.yaml", "networks: [{name: a, onnx: a.onnx, precision: fp32}]\n");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"provision", yaml, "--out", set, "--sign", key},
                                             {"sign", set, "--key", key},
                                             {"verify", set, "--trust", key},
                                             {"verify", set, "--policy", key}}) {
    std::vector<std::string> words = arguments;
    words.emplace_back("--json");
    const Json error = skua(words).json()["error"];
    EXPECT_EQ(error["reason"], "not_found") << arguments[0];
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(key)) << arguments[0];
    EXPECT_EQ(error["exit_status"], 2);
  }
  EXPECT_FALSE(folder.has("set"));
}

TEST(Program, EveryStartTellsWhatThePolicyRelaxes) {
  const TempFolder folder;
  const std::string set = (folder.path() / "none").string();
  const std::string relaxed =
      folder.write("relaxed.yaml", "skua_policy: 1\nallow_unsigned: true\nexpiry: off\n");
  const std::string strict = folder.write("strict.yaml", "skua_policy: 1\n");
  for (int start = 0; start < 2; ++start) {
    const std::string err = skua({"verify", set, "--policy", relaxed, "--log"}).err;
    EXPECT_THAT(err, HasSubstr("sets without signature are accepted"));
    EXPECT_THAT(err, HasSubstr("expired sets are accepted"));
    EXPECT_THAT(err, HasSubstr("\"c7.policy_relaxed\""));
    EXPECT_THAT(err, HasSubstr("\"WARN\""));
  }
  EXPECT_THAT(skua({"verify", set, "--policy", strict, "--log"}).err, Not(HasSubstr("policy")));
}

TEST(Program, AKeyIsMadeOnceAndInspected) {
  const TempFolder folder;
  const std::string name = (folder.path() / "k").string();
  const Json made = skua({"keygen", name, "--json"}).json();
  EXPECT_EQ(made["public_key"], name + ".pub");
  const Json shown = skua({"inspect", name + ".pub", "--json"}).json();
  EXPECT_EQ(shown["content"]["fingerprint"], made["fingerprint"]);
  EXPECT_EQ(skua({"keygen", name, "--json"}).json()["error"]["reason"], "key_exists");
  EXPECT_EQ(skua({"keygen", "", "--json"}).json()["error"]["exit_status"], 2);
  EXPECT_EQ(skua({"keygen", name + "2", "--passphrase-file", "p", "--json"}).json()["error"]["exit_status"],
            2);
  EXPECT_FALSE(folder.has("k2.key"));
}

/// Whether the program may leave its memory on a disk, after a command.
std::string dumpable_after(const std::vector<std::string>& arguments) {
  if (prctl(PR_SET_DUMPABLE, 1) != 0) return "dumps cannot be had";  // an earlier command had a key
  skua(arguments);
  return prctl(PR_GET_DUMPABLE) == 0 ? "no" : "yes";
}

TEST(Program, APrivateKeyIsInNoCoreDump) {
  const TempFolder folder;
  const std::string name = (folder.path() / "k").string();
  EXPECT_EQ(in_child([&] { return dumpable_after({"keygen", name}); }), "no");
  EXPECT_EQ(in_child([&] { return dumpable_after({"sign", name, "--key", name + ".key"}); }), "no");
  EXPECT_EQ(in_child([&] { return dumpable_after({"inspect", name + ".pub"}); }), "yes");
}

TEST(Program, DoctorJudgesTheKeysOfAConfiguration) {
  const TempFolder folder;
  const std::string name = (folder.path() / "k").string();
  const Json made = skua({"keygen", name, "--json"}).json();
  const std::string config =
      folder.write("c.yaml", "components:\n  c7_inference:\n    trusted_key: " + name + ".pub\n" +
                                 "    next_trusted_key: " + name + ".key\n");
  const Json keys = skua({"doctor", "--config", config, "--json"}).json()["trusted_keys"];
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0]["fingerprint"], made["fingerprint"]);
  EXPECT_EQ(keys[1]["fingerprint"], nullptr);
  EXPECT_EQ(keys[1]["error"]["reason"], "trusted_key_malformed");
}

TEST(Program, InspectKnowsACalibrationCacheByName) {
  const TempFolder folder;
  const auto file = folder.write("net.calib_cache", "TRT-100300-EntropyCalibration2\nimages: 3d800000\n");
  const Outcome outcome = skua({"inspect", file.string(), "--json"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.json()["kind"], "calibration cache");
  const Json content = outcome.json()["content"];
  EXPECT_EQ(content["algorithm"], "EntropyCalibration2");
  EXPECT_EQ(content["library_version"], 100300);
  EXPECT_EQ(content["scales"]["images"], 0.0625);
  const auto bad = folder.write("bad.calib_cache", "TRT-100300-EntropyCalibration2\n");
  EXPECT_EQ(skua({"inspect", bad.string()}).status, 4);
  const std::string digest(64, 'a');
  const auto data = folder.write("net.calib_cache.dataset_sha256", digest);
  EXPECT_EQ(skua({"inspect", data.string(), "--json"}).json()["content"]["sha256"], digest);
  EXPECT_EQ(skua({"inspect", folder.write("notes.txt", "x").string()}).status, 2);
  EXPECT_EQ(skua({"inspect", (folder.path() / "none").string()}).status, 2);
}

TEST(Program, InspectHashesADataSet) {
  const TempFolder folder;
  folder.write("1.npz", "x");
  folder.write("2.npz", "y");
  const Json content = skua({"inspect", folder.path().string(), "--json"}).json()["content"];
  EXPECT_EQ(content["kind"], "npz");
  EXPECT_EQ(content["samples"], 2);
  EXPECT_EQ(content["sha256"].get<std::string>().size(), 64U);
  folder.write("notes.txt", "x");
  const Outcome refused = skua({"inspect", folder.path().string(), "--json"});
  EXPECT_EQ(refused.status, 3);
  EXPECT_NE(refused.err.find("data_set_malformed"), std::string::npos);
}

TEST(Program, HostileNamesStayOneLine) {
  const Outcome outcome = skua({"inspect", "a\nskua: warning: forged\x1b[2J"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
}

TEST(Console, ProgressIsForTerminalsOnly) {
  for (const bool is_terminal : {false, true}) {
    std::ostringstream out, err;
    Console console(out, err, is_terminal);
    console.progress("working");
    console.emit({Level::kDebug, "c7.build_progress", "step", {}});
    EXPECT_EQ(err.str().find("working") != std::string::npos, is_terminal);
    EXPECT_EQ(err.str().find("step") != std::string::npos, is_terminal);
    console.line("result");
    EXPECT_EQ(out.str(), "result\n");
  }
}

TEST(Console, WarningsAndErrorsArePlainTextAndToldOnce) {
  std::ostringstream out, err;
  Console console(out, err, false);
  console.emit({Level::kInfo, "c7.engine_built", "built", {}});
  console.emit({Level::kWarn, "c7.set_unsigned", "not signed", {}});
  console.emit({Level::kError, "c7.engine_refused", "refused", {}});
  console.error("refused");
  EXPECT_EQ(err.str(), "skua: warning: not signed\nskua: error: refused\n");
}

TEST(Console, LogWritesEveryEventAsAJsonLineBesideThePlainText) {
  std::ostringstream out, err;
  Console console(out, err, false);
  console.enable_log(Level::kDebug);
  console.emit({Level::kWarn, "c7.set_unsigned", "not signed", {}});
  std::istringstream lines(err.str());
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  ASSERT_TRUE(parse_json(first).ok()) << first;
  EXPECT_EQ((*parse_json(first))["kind"], "c7.set_unsigned");
  EXPECT_EQ(second, "skua: warning: not signed");
}

TEST(ExitStatus, FollowsTheTableOfTheDesign) {
  const std::vector<std::pair<ErrorCode, int>> table = {{ErrorCode::kInternal, 1},
                                                        {ErrorCode::kInvalidArgument, 2},
                                                        {ErrorCode::kEngineBuild, 3},
                                                        {ErrorCode::kCalibrationCache, 4},
                                                        {ErrorCode::kEngineDeserialize, 5},
                                                        {ErrorCode::kEngineSchemaMismatch, 5},
                                                        {ErrorCode::kEngineSidecarMissing, 5},
                                                        {ErrorCode::kEngineHashMismatch, 5},
                                                        {ErrorCode::kManifest, 5},
                                                        {ErrorCode::kInference, 6},
                                                        {ErrorCode::kOutOfMemory, 7},
                                                        {ErrorCode::kTelemetryUnavailable, 8},
                                                        {ErrorCode::kRuntimeNotAvailable, 9},
                                                        {ErrorCode::kAirborneBootstrap, 9},
                                                        {ErrorCode::kIo, 2}};
  for (const auto& [code, status] : table) {
    EXPECT_EQ(exit_status_of(make_error(code, Reason::kNone, "x")), status) << error_class_name(code);
  }
  EXPECT_EQ(exit_status_of(make_error(ErrorCode::kInference, Reason::kDeviceLost, "x")), 10);
}

TEST(CutToWidth, ColoursTakeNoColumnAndAreResetBehindACut) {
  EXPECT_EQ(cut_to_width("plain", 5), "plain");
  EXPECT_EQ(cut_to_width("plains", 5), "pl...\x1b[0m");
  EXPECT_EQ(cut_to_width("\x1b[1;31mplain\x1b[0m", 5), "\x1b[1;31mplain\x1b[0m");
  EXPECT_EQ(cut_to_width("\x1b[1;31mplains\x1b[0m", 5), "\x1b[1;31mpl...\x1b[0m");
  EXPECT_EQ(cut_to_width("\xc3\xa4\xc3\xb6\xc3\xbc", 3), "\xc3\xa4\xc3\xb6\xc3\xbc");
}

}  // namespace
}  // namespace skua::test
