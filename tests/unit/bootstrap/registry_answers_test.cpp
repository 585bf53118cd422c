// What the registry answers for every combination of the three build flags and every value of `runtime`, held
// against the rule. The programs are those of this folder's CMakeLists.txt.
#include <gmock/gmock.h>
#include <stdio.h>

#include <array>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::array<std::string, 4> kRuntimes = {"tensorrt", "pytorch_fp16", "onnx_trt_ep", "unknown"};

struct Answers {
  bool is_flag_on = false;
  std::string factory, airborne;
  int times_told = 0;
  bool is_mapped_airborne = false;  ///< after the airborne question alone
  bool is_mapped = false;           ///< after both
};

struct Asked {
  std::map<std::string, Answers> table;
  std::string words;  ///< what the airborne bootstrap told the operator
};

/// Combinations as "101": tensorrt, pytorch_fp16, onnx_trt_ep.
Asked ask(const std::string& flags, const std::string& modules) {
  const std::string folder = SKUA_BUILD_DIR "/tests/registry";
  const std::string command =
      "LD_LIBRARY_PATH='" + folder + "/" + modules + "' '" + folder + "/registry_answers_" + flags + "' 2>&1";
  FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> chunk{};
  for (std::size_t got = 0; (got = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    output.append(chunk.data(), got);
  }
  EXPECT_EQ(pclose(pipe), 0) << output;
  Asked asked;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("airborne_bootstrap: ")) {
      asked.words += line + "\n";
      continue;
    }
    std::istringstream words(line);
    std::string runtime;
    Answers answers;
    words >> runtime >> answers.is_flag_on >> answers.factory >> answers.times_told >> answers.airborne >>
        answers.is_mapped_airborne >> answers.is_mapped;
    EXPECT_FALSE(words.fail()) << line;
    asked.table[runtime] = answers;
  }
  return asked;
}

std::vector<std::string> all_combinations() {
  std::vector<std::string> combinations;
  for (const char* tensorrt : {"0", "1"}) {
    for (const char* pytorch : {"0", "1"}) {
      for (const char* onnx : {"0", "1"}) combinations.push_back(std::string(tensorrt) + pytorch + onnx);
    }
  }
  return combinations;
}

/// The rule. A flag that is OFF is the answer before anything is opened. ON, the module decides. Two runtimes
/// fly; asked for another one, the airborne program refuses without looking any further.
Answers expected(const std::string& runtime, bool is_on, bool has_module) {
  const bool is_known = runtime != "unknown";
  const bool flies = runtime == "tensorrt" || runtime == "pytorch_fp16";
  const std::string why = !is_known     ? "runtime_unknown"
                          : !is_on      ? "runtime_not_built"
                          : !has_module ? "module_missing"
                                        : "";
  Answers answers;
  answers.is_flag_on = is_on;
  answers.factory = why.empty() ? "built" : "RuntimeNotAvailableError/" + why;
  answers.times_told = why.empty() ? 1 : 0;
  answers.airborne = !flies        ? "AirborneBootstrapError/runtime_not_airborne"
                     : why.empty() ? "ManifestError/set_missing"  // built; the next step refuses
                                   : "AirborneBootstrapError/" + why;
  answers.is_mapped = is_on && has_module;
  answers.is_mapped_airborne = answers.is_mapped && flies;
  return answers;
}

class RegistryAnswers : public ::testing::TestWithParam<std::string> {
 protected:
  void expect_rule(bool has_modules) {
    const Asked asked = ask(GetParam(), has_modules ? "with_modules" : "without_modules");
    ASSERT_EQ(asked.table.size(), kRuntimes.size());
    for (std::size_t i = 0; i < kRuntimes.size(); ++i) {
      const std::string& runtime = kRuntimes[i];
      const Answers& got = asked.table.at(runtime);
      const Answers want = expected(runtime, i < GetParam().size() && GetParam()[i] == '1', has_modules);
      EXPECT_EQ(got.is_flag_on, want.is_flag_on) << runtime;
      EXPECT_EQ(got.factory, want.factory) << runtime;
      EXPECT_EQ(got.times_told, want.times_told) << runtime;
      EXPECT_EQ(got.airborne, want.airborne) << runtime;
      EXPECT_EQ(got.is_mapped_airborne, want.is_mapped_airborne) << runtime;
      EXPECT_EQ(got.is_mapped, want.is_mapped) << runtime;
    }
  }
};

TEST_P(RegistryAnswers, WithEveryModuleInstalledTheFlagAloneDecidesAndIsAskedFirst) { expect_rule(true); }

TEST_P(RegistryAnswers, WithoutAModuleAFlagThatIsOnIsAnotherReason) { expect_rule(false); }

TEST_P(RegistryAnswers, TheOperatorIsToldBothFlagsAsTheyAreAndNeverTheThird) {
  const std::string words = ask(GetParam(), "without_modules").words;
  const auto state = [&](std::size_t index) { return GetParam()[index] == '1' ? "ON" : "OFF"; };
  EXPECT_THAT(words, HasSubstr(std::string("tensorrt (BUILD_TENSORRT_RUNTIME is ") + state(0) +
                               "), pytorch_fp16 (BUILD_PYTORCH_FP16_RUNTIME is " + state(1) + ")"));
  EXPECT_THAT(words, Not(HasSubstr("BUILD_ONNX_TRT_EP_RUNTIME")));
}

TEST(RegistryRemedies, FollowFromWhatWasBuilt) {
  EXPECT_THAT(ask("000", "with_modules").words, HasSubstr("build Skua with one of these flags ON"));
  EXPECT_THAT(ask("001", "with_modules").words, HasSubstr("build Skua with one of these flags ON"));
  const std::string other = ask("100", "with_modules").words;
  EXPECT_THAT(other, HasSubstr("is 'pytorch_fp16'"));
  EXPECT_THAT(other,
              HasSubstr("set components.c7_inference.runtime: tensorrt, or build Skua with the other"));
  EXPECT_THAT(ask("110", "without_modules").words, HasSubstr("install the package that holds this runtime"));
  EXPECT_THAT(ask("111", "with_modules").words,
              HasSubstr("set components.c7_inference.runtime: tensorrt or pytorch_fp16"));
}

INSTANTIATE_TEST_SUITE_P(AllFlags, RegistryAnswers, ::testing::ValuesIn(all_combinations()),
                         [](const auto& combination) { return "Flags" + combination.param; });

}  // namespace
