#include "telemetry/nvml_source.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "nvml_standin.h"
#include "source_check.h"

namespace skua {
namespace {

using test::causes_of;
using test::expect_field;
using test::NvmlStandin;
using test::read_once;
using enum ThermalField;

constexpr int kNotSupported = 3, kDriverNotLoaded = 9, kGpuIsLost = 15;

// The stand-in's answers, as new. The library stays loaded, as NVML does.
NvmlStandin& fresh_standin(const char* library = SKUA_NVML_STANDIN) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  auto* get = reinterpret_cast<NvmlStandin* (*)()>(dlsym(handle, test::kNvmlStandinSymbol));
  *get() = {};
  return *get();
}

void make_all_unsupported(NvmlStandin& standin) {
  standin.temperature = standin.threshold = standin.clock = standin.max_clock = standin.reasons =
      standin.supported = kNotSupported;
}

std::string error_of(const std::vector<std::string>& libraries) {
  const auto source = NvmlSource::open(libraries);
  if (source.ok()) return "none";
  EXPECT_EQ(source.error().code, ErrorCode::kTelemetryUnavailable);
  return source.error().message;
}

TEST(NvmlSource, EveryFieldOfAGpuThatSupportsAll) {
  fresh_standin();
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  EXPECT_EQ(source->name(), "nvml");
  expect_field(*source, kCpuTemp, "unsupported");
  expect_field(*source, kGpuTemp, "value 61");
  expect_field(*source, kHottestTemp, "value 61");
  expect_field(*source, kThrottle, "value 0");
  expect_field(*source, kThrottleEvents, "unsupported");
  expect_field(*source, kLimitReached, "value 0");
  expect_field(*source, kPassiveTrip, "value 93");
  expect_field(*source, kCriticalTrip, "value 98");
  expect_field(*source, kGpuClock, "value 1410");
  expect_field(*source, kGpuClockMax, "value 2100");
  EXPECT_EQ(source->origin(kGpuTemp), "nvmlDeviceGetTemperature (GPU 0: 'Stand-in')");
  EXPECT_EQ(source->origin(kThrottle), "nvmlDeviceGetCurrentClocksEventReasons (GPU 0: 'Stand-in')");
}

// Bits of the NVML reference: idle, power cap, HwSlowdown and power brake are no heat.
TEST(NvmlSource, OnlyThermalReasonsAreAThrottle) {
  NvmlStandin& standin = fresh_standin();
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  for (unsigned bit = 0; bit < 64; ++bit) {
    standin.reason_bits = 1ULL << bit;
    const ThermalReading reading = read_once(*source);
    EXPECT_EQ(reading[kThrottle].value, bit == 5 || bit == 6 ? 1.0 : 0.0) << bit;
    EXPECT_EQ(causes_of(*source, reading), bit == 5   ? "sw_thermal_slowdown"
                                           : bit == 6 ? "hw_thermal_slowdown"
                                                      : "")
        << bit;
  }
}

TEST(NvmlSource, WhatIsNotSupportedIsRememberedPerFieldAndNeverAskedAgain) {
  NvmlStandin& standin = fresh_standin();
  standin.temperature = standin.clock = kNotSupported;
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  standin.temperature = standin.clock = 0;  // a call would now succeed
  for (int poll = 0; poll < 3; ++poll) read_once(*source);
  EXPECT_EQ(standin.temperature_calls, 1);
  EXPECT_EQ(standin.clock_calls, 1);
  EXPECT_EQ(standin.max_clock_calls, 4);  // the control: what is supported is asked in every poll
  EXPECT_EQ(standin.reasons_calls, 4);
  for (const auto field : {kGpuTemp, kHottestTemp, kLimitReached, kGpuClock}) {
    expect_field(*source, field, "unsupported");
    EXPECT_EQ(source->origin(field), "");
  }
  expect_field(*source, kGpuClockMax, "value 2100");
}

// JetPack 6 and 7 on Orin: the library loads and starts, one device, and every query is not supported.
TEST(NvmlSource, ALibraryThatSupportsNothingDoesNotAnswer) {
  make_all_unsupported(fresh_standin());
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  for (const FieldReading& field : read_once(*source).fields)
    EXPECT_EQ(field.status, FieldStatus::kUnsupported);
  ThermalSourceOptions options;
  options.source = "nvml";
  options.nvml_libraries = {SKUA_NVML_STANDIN};
  const auto opened = open_thermal_source(options);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("neither a temperature nor a throttle state"), std::string::npos);
  fresh_standin();
  EXPECT_TRUE(open_thermal_source(options).ok());
}

TEST(NvmlSource, AGpuThatCannotNameHeatHasNoThrottleState) {
  NvmlStandin& standin = fresh_standin();
  standin.supported_bits = 0x1ff & ~0x60ULL;
  expect_field(*NvmlSource::open({SKUA_NVML_STANDIN}).value(), kThrottle, "unsupported");
  standin.supported_bits = 0x40;
  expect_field(*NvmlSource::open({SKUA_NVML_STANDIN}).value(), kThrottle, "value 0");
}

TEST(NvmlSource, AGpuThatIsLostLaterIsOfflineAndNeverAnOldValue) {
  NvmlStandin& standin = fresh_standin();
  standin.reason_bits = 0x40;
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  expect_field(*source, kThrottle, "value 1");
  standin.temperature = standin.threshold = standin.clock = standin.max_clock = standin.reasons = kGpuIsLost;
  const ThermalReading reading = read_once(*source);
  for (const auto field : {kGpuTemp, kHottestTemp, kThrottle, kLimitReached, kPassiveTrip, kCriticalTrip,
                           kGpuClock, kGpuClockMax}) {
    EXPECT_EQ(test::text_of(reading[field]), "offline");
    EXPECT_EQ(reading[field].problem, "answered with an error");
  }
  EXPECT_EQ(reading.throttle_causes, 0U);
  standin.temperature = 0;
  expect_field(*source, kGpuTemp, "value 61");
}

TEST(NvmlSource, TemperaturesThatCannotBeAreOffline) {
  NvmlStandin& standin = fresh_standin();
  const auto source = NvmlSource::open({SKUA_NVML_STANDIN}).value();
  standin.celsius = 151;
  expect_field(*source, kGpuTemp, "offline");
  standin.celsius = 93;
  expect_field(*source, kLimitReached, "value 1");
  standin.slowdown = 0;
  expect_field(*source, kPassiveTrip, "offline");
  expect_field(*source, kLimitReached, "offline");
}

TEST(NvmlSource, OldAndNewNamesOfCalls) {
  NvmlStandin& old = fresh_standin(SKUA_NVML_STANDIN_OLD);
  old.reason_bits = 0x20;
  const auto first = NvmlSource::open({SKUA_NVML_STANDIN_OLD}).value();
  expect_field(*first, kThrottle, "value 1");
  EXPECT_EQ(first->origin(kThrottle), "nvmlDeviceGetCurrentClocksThrottleReasons (GPU 0: 'Stand-in')");
  NvmlStandin& recent = fresh_standin(SKUA_NVML_STANDIN_NEW);
  recent.celsius = 47;
  const auto second = NvmlSource::open({SKUA_NVML_STANDIN_NEW}).value();
  expect_field(*second, kGpuTemp, "value 47");
  EXPECT_EQ(second->origin(kGpuTemp), "nvmlDeviceGetTemperatureV (GPU 0: 'Stand-in')");
}

TEST(NvmlSource, LibrariesAreTriedInOrder) {
  fresh_standin();
  EXPECT_EQ(error_of({"libskua-no-such-nvml.so.1", SKUA_NVML_STANDIN_BROKEN, SKUA_NVML_STANDIN}), "none");
  const std::string error = error_of({"libskua-no-such-nvml.so.1", SKUA_NVML_STANDIN_BROKEN});
  EXPECT_NE(error.find("libskua-no-such-nvml.so.1: "), std::string::npos) << error;
  EXPECT_NE(error.find("has no nvmlInit_v2"), std::string::npos) << error;
  EXPECT_NE(error_of({}).find("none was named"), std::string::npos);
}

TEST(NvmlSource, ALibraryThatDoesNotStartOrHasNoGpuIsRefused) {
  NvmlStandin& standin = fresh_standin();
  standin.init = kDriverNotLoaded;
  EXPECT_NE(error_of({SKUA_NVML_STANDIN}).find("nvmlInit_v2 of"), std::string::npos);
  EXPECT_NE(error_of({SKUA_NVML_STANDIN}).find("Driver Not Loaded"), std::string::npos);
  EXPECT_EQ(standin.shutdown_calls, 0);  // what did not start is not stopped
  standin.init = 0;
  standin.devices = 0;
  EXPECT_NE(error_of({SKUA_NVML_STANDIN}).find("knows no GPU"), std::string::npos);
  EXPECT_EQ(standin.shutdown_calls, 1);
  standin.devices = 1;
  standin.handle = kGpuIsLost;
  EXPECT_NE(error_of({SKUA_NVML_STANDIN}).find("nvmlDeviceGetHandleByIndex_v2"), std::string::npos);
  standin.handle = 0;
  EXPECT_EQ(error_of({SKUA_NVML_STANDIN}), "none");
  EXPECT_EQ(standin.init_calls - 2, standin.shutdown_calls);  // two starts failed
}

}  // namespace
}  // namespace skua
