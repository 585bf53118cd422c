#include "cache/safe_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "as_nobody.h"
#include "cache/plan_header.h"
#include "cache/utc_text.h"
#include "cache/utf8.h"
#include "cache_fixture.h"

namespace skua::test {
namespace {

FileInfo safe_info() { return {FileKind::kRegular, 10, ::geteuid(), 0644, 1}; }

TEST(SafeFile, AcceptsOwnAndRootsPlainFiles) {
  FileInfo info = safe_info();
  EXPECT_TRUE(accepted(check_safe(info, "f")));
  info.owner = 0;
  EXPECT_TRUE(accepted(check_safe(info, "f")));
  {
    const AsNobody nobody;
    info.owner = ::geteuid();
    EXPECT_TRUE(accepted(check_safe(info, "f"))) << "its own, and it is not root";
  }
  info.owner = 0;
  info.mode = 0755;
  EXPECT_TRUE(accepted(check_safe(info, "f")));
}

TEST(SafeFile, RefusesEachUnsafeFact) {
  const auto spoiled = [](auto change) {
    FileInfo info = safe_info();
    change(info);
    return check_safe(info, "f");
  };
  const auto kCode = ErrorCode::kEngineDeserialize;
  for (const FileKind kind : {FileKind::kFolder, FileKind::kLink, FileKind::kOther}) {
    EXPECT_TRUE(refused(spoiled([&](FileInfo& i) { i.kind = kind; }), kCode, Reason::kNotRegularFile));
  }
  EXPECT_TRUE(refused(spoiled([](FileInfo& i) { i.owner = ::geteuid() + 1; }), kCode, Reason::kFileOwner));
  EXPECT_TRUE(refused(spoiled([](FileInfo& i) { i.mode = 0664; }), kCode, Reason::kFileMode));
  EXPECT_TRUE(refused(spoiled([](FileInfo& i) { i.mode = 0646; }), kCode, Reason::kFileMode));
  EXPECT_TRUE(refused(spoiled([](FileInfo& i) { i.links = 2; }), kCode, Reason::kFileLinks));
  EXPECT_TRUE(refused(spoiled([](FileInfo& i) { i.links = 0; }), kCode, Reason::kFileLinks));
  EXPECT_THAT(spoiled([](FileInfo& i) { i.mode = 0666; }).error().message, testing::HasSubstr("0666"));
}

TEST(SafeFile, AMissingFileHasTheClassOfItsReason) {
  const TempFolder temp;
  auto folder = posix_file_system().open_folder(temp.path()).value();
  const auto open = [&](Reason reason) { return open_safe(*folder, "none", reason); };
  EXPECT_TRUE(
      refused(open(Reason::kSidecarMissing), ErrorCode::kEngineSidecarMissing, Reason::kSidecarMissing));
  EXPECT_TRUE(refused(open(Reason::kEngineMissing), ErrorCode::kEngineDeserialize, Reason::kEngineMissing));
  EXPECT_TRUE(refused(open(Reason::kManifestMissing), ErrorCode::kManifest, Reason::kManifestMissing));
  EXPECT_TRUE(refused(open(Reason::kCurrentMissing), ErrorCode::kManifest, Reason::kCurrentMissing));
  EXPECT_TRUE(refused(open(Reason::kBuildRecordMissing), ErrorCode::kEngineHashMismatch,
                      Reason::kBuildRecordMissing));
  EXPECT_TRUE(refused(open(Reason::kGoldenMissing), ErrorCode::kEngineDeserialize, Reason::kGoldenMissing));
  temp.write("none", "now it is there");
  EXPECT_TRUE(accepted(open(Reason::kEngineMissing)));
}

TEST(PlanHeader, HoldsThePlanToThisHostsVersion) {
  const std::string plan = plan_bytes();
  EXPECT_TRUE(accepted(check_plan_header(bytes_of(plan), orin(), "p")));
  const auto spoiled = [&](std::size_t offset, char value) {
    std::string other = plan;
    other[offset] = value;
    return check_plan_header(bytes_of(other), orin(), "p");
  };
  for (const std::size_t offset : {0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27}) {
    EXPECT_TRUE(refused(spoiled(offset, '\x77'), ErrorCode::kEngineDeserialize, Reason::kPlanHeaderMismatch))
        << offset;
  }
  for (const std::size_t offset : {8, 23, 28, 95}) EXPECT_TRUE(accepted(spoiled(offset, '\x77'))) << offset;
  for (std::size_t size = 0; size < 28; ++size) {
    EXPECT_FALSE(check_plan_header(bytes_of(plan).first(size), orin(), "p").ok()) << size;
  }
  EXPECT_TRUE(accepted(check_plan_header(bytes_of(plan).first(28), orin(), "p")));
}

TEST(PlanHeader, ComparesAsManyPartsAsTheHostKnows) {
  const std::string plan = plan_bytes();
  HostTuple host = orin();
  host.tensorrt_build.clear();
  EXPECT_TRUE(accepted(check_plan_header(bytes_of(plan), host, "p")));
  host.tensorrt = "10.4";
  EXPECT_FALSE(check_plan_header(bytes_of(plan), host, "p").ok());
  host.tensorrt = "";
  EXPECT_FALSE(check_plan_header(bytes_of(plan), host, "p").ok());
}

TEST(PlanHeader, AHostWithoutTensorRtAcceptsVersionZeroAlone) {
  std::string plan = plan_bytes();
  const HostTuple none;
  EXPECT_FALSE(check_plan_header(bytes_of(plan), none, "p").ok());
  plan.replace(24, 4, std::string(4, '\0'));
  EXPECT_TRUE(accepted(check_plan_header(bytes_of(plan), none, "p")));
  EXPECT_FALSE(check_plan_header(bytes_of(plan), orin(), "p").ok());
  for (const std::size_t offset : {24, 25, 26, 27}) {
    std::string other = plan;
    other[offset] = 1;
    EXPECT_FALSE(check_plan_header(bytes_of(other), none, "p").ok()) << offset;
  }
}

TEST(UtcText, PrintsAndReadsOneForm) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(951782399999999), "2000-02-28T23:59:59Z");
  EXPECT_EQ(utc_text(951782400000000), "2000-02-29T00:00:00Z");
  EXPECT_EQ(utc_text(-5), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59Z");
  for (const std::int64_t us : {std::int64_t{0}, std::int64_t{1767225600000000}})
    EXPECT_TRUE(is_utc_text(utc_text(us)));
  for (const std::string bad :
       {"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00", "2026-01-02 03:04:05Z",
        "2026-13-02T03:04:05Z", "2026-02-29T03:04:05Z", "2026-01-00T03:04:05Z", "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05.1Z", "x026-01-02T03:04:05Z"}) {
    EXPECT_FALSE(is_utc_text(bad)) << bad;
  }
}

TEST(Utf8, AcceptsPrintableTextOnly) {
  for (const std::string good :
       {"a", "k_pts 0/1", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\x81", "\xf4\x8f\xbf\xbf", "\xc2\xa0"}) {
    EXPECT_TRUE(is_printable_utf8(good)) << good;
  }
  for (const std::string bad :
       {"\n", "\x1f", "\x7f", "\xc2\x80", "\xc2\x9f", "\x80", "\xc3", "\xc3\x28", "\xc0\xaf", "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"}) {
    EXPECT_FALSE(is_printable_utf8(bad)) << testing::PrintToString(bad);
  }
  EXPECT_FALSE(is_printable_utf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace skua::test
