#include "core/host_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "core/host_files.h"
#include "temp_folder.h"

namespace skua {
namespace {

using test::TempFolder;

class FakeGpu final : public GpuProbe {
 public:
  explicit FakeGpu(std::optional<GpuFacts> facts = std::nullopt) : facts_(std::move(facts)) {}
  std::optional<GpuFacts> probe() override { return facts_; }

 private:
  std::optional<GpuFacts> facts_;
};

HostTuple probe(const TempFolder& root, std::optional<GpuFacts> gpu = std::nullopt) {
  FakeGpu fake(std::move(gpu));
  return probe_host(root.path(), fake);
}

std::string release(const std::string& major, const std::string& revision) {
  return "# R" + major + " (release), REVISION: " + revision +
         ", GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n# "
         "KERNEL_VARIANT: oot\n";
}

std::string package(const std::string& name, const std::string& version,
                    const char* status = "install ok installed") {
  return "Package: " + name + "\nStatus: " + status +
         "\nDescription: Package: decoy\n Version: 1.2.3\nVersion: " + version + "\n\n";
}

TEST(HostProbe, JetPack62OnAnOrinNano) {
  const TempFolder root;
  root.write("etc/nv_tegra_release", release("36", "4.3"));
  root.write("proc/device-tree/model", std::string("NVIDIA Jetson Orin Nano Developer Kit\0", 38));
  root.write("usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0", "");
  root.write("usr/lib/aarch64-linux-gnu/libnvinfer.so.10", "");
  root.write("usr/lib/aarch64-linux-gnu/libnvinfer_plugin.so.10.9.9", "");
  root.write("var/lib/dpkg/status",
             package("adduser", "3.118") + package("libnvinfer10", "10.3.0.30-1+cuda12.5"));
  root.write(
      "usr/local/cuda/version.json",
      R"({"cuda": {"name": "CUDA SDK", "version": "12.6.11"}, "cuda_cudart": {"version": "12.6.68"}})");
  root.write("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd evtstrm asimddp\n");
  const HostTuple host = probe(root, GpuFacts{87, 8, "12.6"});
  EXPECT_EQ(tuple_text(host), "sm87_jp6.2_trt10.3");
  EXPECT_EQ(host.l4t, "36.4.3");
  EXPECT_EQ(host.module_name, "NVIDIA Jetson Orin Nano Developer Kit");
  EXPECT_EQ(host.sm_count, 8);
  EXPECT_EQ(host.tensorrt_build, "10.3.0.30");
  EXPECT_EQ(host.cuda_driver, "12.6");
  EXPECT_EQ(host.cuda_runtime, "12.6.68");
  EXPECT_EQ(host.cpu_features, "asimd asimddp");
}

TEST(HostProbe, OtherJetPacks) {
  const std::tuple<const char*, const char*, const char*> cases[] = {{"36", "4.0", "6.1"},
                                                                     {"36", "4.7", "6.2.1"},
                                                                     {"36", "3.0", "6.0"},
                                                                     {"35", "5.0", "5.1.3"},
                                                                     {"38", "4.0", "7.1"}};
  for (const auto& [major, revision, jetpack] : cases) {
    const TempFolder root;
    root.write("etc/nv_tegra_release", release(major, revision));
    EXPECT_EQ(probe(root).jetpack, jetpack) << major << " " << revision;
  }
}

TEST(HostProbe, AnUnknownL4tStandsUnderItsOwnNumber) {
  const TempFolder root;
  root.write("etc/nv_tegra_release", release("36", "9.1"));
  EXPECT_EQ(probe(root).l4t, "36.9.1");
  EXPECT_EQ(probe(root).jetpack, "36.9.1");
  EXPECT_EQ(jetpack_of_l4t("36.9.1"), "");
  EXPECT_EQ(jetpack_of_l4t(""), "");
}

TEST(HostProbe, L4tFromThePackageWhenTheReleaseFileIsMissing) {
  const TempFolder root;
  root.write("var/lib/dpkg/status", package("nvidia-l4t-core", "36.4.3-20250107174145"));
  EXPECT_EQ(probe(root).l4t, "36.4.3");
  EXPECT_EQ(probe(root).jetpack, "6.2");
}

TEST(HostProbe, ARemovedPackageDoesNotCount) {
  const TempFolder root;
  root.write("var/lib/dpkg/status", package("nvidia-l4t-core", "36.4.3-2025", "deinstall ok config-files"));
  EXPECT_EQ(probe(root).l4t, "");
  root.write("var/lib/dpkg/status", package("nvidia-l4t-core", "36.4.3-2025", "hold ok installed"));
  EXPECT_EQ(probe(root).l4t, "36.4.3");
}

TEST(HostProbe, AWorkstationWithTensorrtIsNoJetson) {
  const TempFolder root;
  root.write("usr/lib/x86_64-linux-gnu/libnvinfer.so.10.16.1", "");
  const HostTuple host = probe(root, GpuFacts{89, 128, "13.0"});
  EXPECT_EQ(tuple_text(host), "sm89_jp0_trt10.16");
  EXPECT_EQ(host.l4t, "");
  EXPECT_EQ(host.tensorrt_build, "10.16.1");
}

TEST(HostProbe, TheNewestTensorrtCounts) {
  const TempFolder root;
  root.write("usr/lib/x86_64-linux-gnu/libnvinfer.so.9.10.0", "");
  root.write("usr/lib/libnvinfer.so.10.3.0", "");
  root.write("usr/lib/libnvinfer.so.10.3.0.bak", "");
  root.write("usr/lib/libnvinfer.so.11.x.0", "");
  EXPECT_EQ(probe(root).tensorrt, "10.3");
}

TEST(HostProbe, APackageOfAnotherVersionSaysNothingAboutTheLibrary) {
  const TempFolder root;
  root.write("usr/lib/libnvinfer.so.10.3.0", "");
  root.write("var/lib/dpkg/status", package("libnvinfer10", "10.30.0.1-1+cuda12.5"));
  EXPECT_EQ(probe(root).tensorrt_build, "10.3.0");
  root.write("var/lib/dpkg/status", package("libnvinfer-bin", "10.3.0.26-1+cuda12.5"));
  EXPECT_EQ(probe(root).tensorrt_build, "10.3.0.26");
}

TEST(HostProbe, AnEmptyMachineHasNothingButItsProcessor) {
  const TempFolder root;
  HostTuple expected;
  utsname names{};
  ASSERT_EQ(uname(&names), 0);
  expected.cpu_arch = names.machine;
  EXPECT_EQ(probe(root), expected);
}

TEST(HostProbe, DamagedFilesAreAsGoodAsMissing) {
  const std::string garbage(10U << 20U, '\xf5');
  for (const std::string& content : {garbage, std::string(), std::string("\0\0\0", 3), std::string("# R36"),
                                     std::string("# R, REVISION: \n"), std::string("{\"cuda\": 3}"),
                                     std::string("# R36 (release), REVISION: 4.3; rm, x"),
                                     std::string("# R36 (release), REVISION: 4, x")}) {
    const TempFolder root;
    for (const char* file : {"etc/nv_tegra_release", "proc/device-tree/model", "usr/local/cuda/version.json",
                             "proc/cpuinfo", "var/lib/dpkg/status"}) {
      root.write(file, content);
    }
    const HostTuple host = probe(root);
    EXPECT_EQ(tuple_text(host), "sm0_jp0_trt0");
    EXPECT_EQ(host.l4t + host.cuda_runtime + host.cpu_features, "");
  }
}

TEST(HostProbe, AFolderOrFifoInTheWayDoesNotStopIt) {
  const TempFolder root;
  std::filesystem::create_directories(root.path() / "etc/nv_tegra_release");
  std::filesystem::create_directories(root.path() / "proc");
  ASSERT_EQ(mkfifo((root.path() / "proc/cpuinfo").c_str(), 0600), 0);
  EXPECT_EQ(probe(root).jetpack, "0");
  EXPECT_EQ(probe(root).cpu_features, "");
}

TEST(HostFiles, ReadingIsBounded) {
  const TempFolder root;
  const auto file = root.write("file", "12345");
  EXPECT_EQ(read_host_file(file, 5), "12345");
  EXPECT_EQ(read_host_file(file, 4), "");
}

TEST(HostFiles, CpuFeaturesAreThoseOfEveryCore) {
  EXPECT_EQ(cpu_features_of("flags\t\t: fpu avx2 sse4_1 avx512f\n\nflags\t\t: sse4_1 avx2 fpu\n"),
            "avx2 sse4_1");
  EXPECT_EQ(cpu_features_of("flags : sse4_1 avx2 avx512f"), "avx2 avx512f sse4_1");
  EXPECT_EQ(cpu_features_of("model name : avx2\n"), "");
}

TEST(HostFiles, CpuFeaturesOfArmAreThoseOfEveryCoreToo) {
  EXPECT_EQ(cpu_features_of(
                "processor\t: 0\nFeatures\t: fp asimd sha2 atomics asimdhp asimddp sve\nCPU part\t: 0xd42\n\n"
                "processor\t: 1\nFeatures\t: fp asimd sha2 atomics asimdhp asimddp\n"),
            "asimd asimddp asimdhp");
}

// Lane aarch64 reads from its results where this ran (scripts/aarch64_results.py).
TEST(HostProbe, TheMachineIsTheOneThatThisIsBuiltFor) {
  const HostTuple host = probe_host();
  RecordProperty("machine", host.cpu_arch);
#if defined(__aarch64__)
  EXPECT_EQ(host.cpu_arch, "aarch64");
  EXPECT_THAT(host.cpu_features, testing::HasSubstr("asimd"));  // no aarch64 under Linux is without
#elif defined(__x86_64__)
  EXPECT_EQ(host.cpu_arch, "x86_64");
  EXPECT_THAT(host.cpu_features, testing::Not(testing::HasSubstr("asimd")));
#endif
}

TEST(HostProbe, ThisMachineAnswersTwiceTheSame) {
  const HostTuple host = probe_host();
  EXPECT_EQ(host, probe_host());
  EXPECT_FALSE(host.cpu_arch.empty());
  EXPECT_EQ(host.sm == 0, host.sm_count == 0);
}

}  // namespace
}  // namespace skua
