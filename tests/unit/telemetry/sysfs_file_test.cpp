#include "telemetry/sysfs_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "as_nobody.h"
#include "source_check.h"
#include "sysfs_tree.h"
#include "telemetry/jetson_source.h"
#include "temp_folder.h"

namespace skua {
namespace {

using test::SysfsTree;
using test::TempFolder;

// "52500", or why not.
std::string read_text(SysfsFile& file) {
  const SensorValue value = file.read();
  return value.ok() ? std::to_string(value.value) : std::string(to_string(value.problem));
}

std::string text_of_file(const TempFolder& folder, std::string_view content) {
  SysfsFile file(folder.write("temp", content).string());
  return read_text(file);
}

TEST(SysfsFile, AWholeNumberIsReadAndNothingElse) {
  const TempFolder folder;
  EXPECT_EQ(text_of_file(folder, "52500\n"), "52500");
  EXPECT_EQ(text_of_file(folder, "-256000"), "-256000");
  EXPECT_EQ(text_of_file(folder, " 7 \n"), "7");
  EXPECT_EQ(text_of_file(folder, std::string_view("7\0", 2)), "7");
  EXPECT_EQ(text_of_file(folder, "9223372036854775807\n"), "9223372036854775807");
  for (const std::string_view content : {"", "\n", "52.5\n", "0x20\n", "5 2\n", "52500\n52501\n", "temp\n",
                                         "9223372036854775808\n", "+", "-", "1e3"}) {
    EXPECT_EQ(text_of_file(folder, content), "holds no whole number") << content;
  }
}

TEST(SysfsFile, AReadThatFillsTheBufferIsNoNumber) {
  const TempFolder folder;
  EXPECT_EQ(text_of_file(folder, std::string(62, ' ') + "7"), "7");
  EXPECT_EQ(text_of_file(folder, std::string(63, ' ') + "7"), "holds no whole number");
  EXPECT_EQ(text_of_file(folder, std::string(63, ' ') + "75"), "holds no whole number");
}

TEST(SysfsFile, AValueThatChangesInPlaceIsSeen) {
  const TempFolder folder;
  SysfsFile file(folder.write("temp", "1\n").string());
  EXPECT_EQ(read_text(file), "1");
  folder.write("temp", "2\n");
  EXPECT_EQ(read_text(file), "2");
}

// The descriptor of a file that was removed or replaced still gives the old bytes: they must never come out.
TEST(SysfsFile, AFileThatWasReplacedIsFollowedAndARemovedOneIsMissing) {
  const TempFolder folder;
  SysfsFile file(folder.write("temp", "1\n").string());
  EXPECT_EQ(read_text(file), "1");
  std::filesystem::rename(folder.write("fresh", "2\n"), folder.path() / "temp");
  EXPECT_EQ(read_text(file), "2");
  std::filesystem::remove(folder.path() / "temp");
  EXPECT_EQ(read_text(file), "is not there");
  EXPECT_EQ(read_text(file), "is not there");
  folder.write("temp", "3\n");
  EXPECT_EQ(read_text(file), "3");
}

TEST(SysfsFile, AFileThatComesBackUnderAnotherDeviceIsNotBelieved) {
  const TempFolder folder;
  folder.write("type", "cpu-thermal\n");
  SysfsFile file(folder.write("temp", "1\n").string(), {(folder.path() / "type").string(), "cpu-thermal"});
  EXPECT_EQ(read_text(file), "1");
  std::filesystem::remove(folder.path() / "temp");
  folder.write("type", "gpu-thermal\n");
  folder.write("temp", "2\n");
  EXPECT_EQ(read_text(file), "belongs to another device than at the start");
  EXPECT_EQ(read_text(file), "belongs to another device than at the start");
  folder.write("type", "cpu-thermal\n");
  EXPECT_EQ(read_text(file), "2");
  std::filesystem::remove(folder.path() / "type");  // an open file of a device stays good
  EXPECT_EQ(read_text(file), "2");
}

TEST(SysfsFile, WhatIsNoRegularFileIsNeitherReadNorWaitedFor) {
  const TempFolder folder;
  folder.write("target", "7\n");
  ASSERT_EQ(mkfifo((folder.path() / "fifo").c_str(), 0644), 0);
  std::filesystem::create_directory(folder.path() / "folder");
  std::filesystem::create_symlink("target", folder.path() / "link");
  for (const char* name : {"fifo", "folder", "link"}) {
    SysfsFile file((folder.path() / name).string());
    EXPECT_EQ(read_text(file), "is no regular file") << name;
    EXPECT_EQ(read_sensor_text(folder.path() / name), "") << name;
  }
  SysfsFile device("/dev/zero");
  EXPECT_EQ(read_text(device), "is no regular file");
  SysfsFile below((folder.path() / "target/temp").string());
  EXPECT_EQ(read_text(below), "is not there");
}

// The kernel's own files: a read of /proc/self/mem at offset 0 fails with EIO, as a sensor's may.
TEST(SysfsFile, AnErrorOfTheSystemIsNoValue) {
  SysfsFile file("/proc/self/mem");
  EXPECT_EQ(read_text(file), "cannot be read");
}

TEST(SysfsFile, AFileThatMayNotBeReadIsDeniedAndTheOtherFieldsStay) {
  const SysfsTree tree("denied");
  const test::AsNobody nobody;
  if (!nobody.is_done()) GTEST_SKIP() << "root reads everything, and this sandbox allows no other user id";
  const auto source = open_jetson_source(tree.root()).value();
  test::expect_field(*source, ThermalField::kCpuTemp, "offline");
  EXPECT_EQ(test::problem_of(*source, ThermalField::kCpuTemp), "may not be read (permission denied)");
  test::expect_field(*source, ThermalField::kThrottle, "offline");  // an alert that may be engaged
  test::expect_field(*source, ThermalField::kGpuTemp, "value 51.812");
  test::expect_field(*source, ThermalField::kHottestTemp, "value 52.468");
}

TEST(SysfsFile, MovingItKeepsOneOwnerOfTheDescriptor) {
  const TempFolder folder;
  SysfsFile first(folder.write("a", "1\n").string());
  SysfsFile second(folder.write("b", "2\n").string());
  EXPECT_EQ(read_text(first) + read_text(second), "12");
  first = std::move(second);
  EXPECT_EQ(read_text(first), "2");
  SysfsFile third(std::move(first));
  EXPECT_EQ(read_text(third), "2");
}

}  // namespace
}  // namespace skua
