#include "calibration/cache_trust.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::array kStates = {CacheState::kAbsent, CacheState::kDamaged, CacheState::kUnproven,
                                CacheState::kProven};

/// A row of the page's table: its cells, trimmed.
using Row = std::vector<std::string>;

Row cells_of(const std::string& line) {
  Row cells;
  std::istringstream stream(line.substr(1));
  for (std::string cell; std::getline(stream, cell, '|');) cells.emplace_back(trimmed(cell));
  return cells;
}

/// The rows below the heading "cache | data set | ...", which has to name every Origin in its order.
std::vector<Row> rows_of_the_page() {
  std::ifstream page(SKUA_SOURCE_DIR "/docs/design/calibration.md");
  std::vector<Row> rows;
  bool is_inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| cache | data set |")) {
      is_inside = true;
      const Row heading = cells_of(line);
      for (std::size_t i = 0; i < kOrigins; ++i)
        EXPECT_EQ(heading.at(i + 1), to_string(static_cast<Origin>(i)));
    } else if (is_inside && !line.starts_with("|")) {
      break;
    } else if (is_inside && !line.starts_with("|-")) {
      rows.push_back(cells_of(line));
    }
  }
  return rows;
}

bool fits(const Row& row, const Findings& findings) {
  if (row.at(0) != to_string(findings.state)) return false;
  for (std::size_t i = 0; i < kOrigins; ++i) {
    const std::string& cell = row.at(i + 1);
    EXPECT_TRUE(cell == "-" || cell == "same" || cell == "other") << cell;
    if (cell != "-" && (cell == "other") != findings.differs[i]) return false;
  }
  return true;
}

std::vector<Findings> all_findings() {
  std::vector<Findings> all;
  for (const CacheState state : kStates) {
    for (unsigned bits = 0; bits < 1U << kOrigins; ++bits) {
      Findings findings{state, {}};
      for (std::size_t i = 0; i < kOrigins; ++i) findings.differs[i] = (bits >> i & 1U) != 0;
      all.push_back(findings);
    }
  }
  return all;
}

TEST(CacheTrust, EveryCellIsAsThePageSays) {
  const std::vector<Row> rows = rows_of_the_page();
  ASSERT_GE(rows.size(), 9U);
  std::set<std::size_t> used;
  for (const Findings& findings : all_findings()) {
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < rows.size() && !first; ++i) {
      if (fits(rows[i], findings)) first = i;
    }
    ASSERT_TRUE(first.has_value()) << to_string(findings.state) << ", " << differences(findings);
    used.insert(*first);
    EXPECT_EQ(rows[*first].at(kOrigins + 1), to_string(decide(findings)))
        << to_string(findings.state) << ", " << differences(findings);
  }
  EXPECT_EQ(used.size(), rows.size()) << "a row that never decides";
}

TEST(CacheTrust, OnlyAProvenCacheOfTheSameOriginIsUsed) {
  std::size_t used = 0;
  for (const Findings& findings : all_findings()) {
    if (decide(findings) != Verdict::kReuse) continue;
    ++used;
    EXPECT_EQ(findings.state, CacheState::kProven);
    EXPECT_EQ(differences(findings), "");
  }
  EXPECT_EQ(used, 1U);
}

TEST(CacheTrust, WhatDiffersIsNamed) {
  Findings findings{CacheState::kProven, {}};
  findings.differs[static_cast<std::size_t>(Origin::kModel)] = true;
  findings.differs[static_cast<std::size_t>(Origin::kLibrary)] = true;
  EXPECT_EQ(differences(findings), "model, TensorRT");
}

/// A value that nobody has thought of, as a damaged memory could hold.
TEST(CacheTrust, WhatNoRowSpeaksForIsNotUsed) {
  EXPECT_EQ(decide({static_cast<CacheState>(200), {}}), Verdict::kSetAside);
}

}  // namespace
}  // namespace skua::calibration
