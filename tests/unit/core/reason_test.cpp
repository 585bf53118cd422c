#include "skua/reason.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace skua {
namespace {

TEST(Reason, TextsAreDistinctAndSnakeCase) {
  std::set<std::string_view> seen;
  for (const Reason reason : all_reasons()) {
    const std::string_view text = to_string(reason);
    EXPECT_TRUE(seen.insert(text).second) << text;
    EXPECT_EQ(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << text;
    EXPECT_FALSE(sentence_of(reason).empty()) << text;
  }
}

TEST(Reason, ListIsTheEnumerationInOrder) {
  int number = 0;
  for (const Reason reason : all_reasons()) EXPECT_EQ(static_cast<int>(reason), number++);
  EXPECT_EQ(number, static_cast<int>(Reason::kInternal) + 1);
}

TEST(Reason, KnownCodes) {
  EXPECT_EQ(to_string(Reason::kNone), "none");
  EXPECT_EQ(to_string(Reason::kSidecarHashMismatch), "sidecar_hash_mismatch");
  EXPECT_EQ(to_string(Reason::kInternal), "internal");
  EXPECT_EQ(to_string(static_cast<Reason>(255)), "internal");
}

struct DocumentRow {
  std::string code, meaning, remedy;
};

// Rows of the form: | `code` | meaning | remedy |
std::vector<DocumentRow> document_rows(std::istream& document) {
  std::vector<DocumentRow> rows;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const std::size_t end = line.find('|', at);
      if (end == std::string::npos || end < at + 2) break;
      cells.push_back(line.substr(at + 1, end - at - 2));
      at = end + 1;
    }
    cells.resize(3);
    rows.push_back({cells[0].substr(1, cells[0].size() - 2), cells[1], cells[2]});
  }
  return rows;
}

TEST(ReasonDocument, ListsEveryCodeOnceInOrderWithMeaningAndRemedy) {
  std::ifstream document(SKUA_SOURCE_DIR "/docs/reference/reasons.md");
  ASSERT_TRUE(document.is_open());
  const auto rows = document_rows(document);
  ASSERT_EQ(rows.size(), all_reasons().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Reason reason = all_reasons()[i];
    EXPECT_EQ(rows[i].code, to_string(reason));
    EXPECT_EQ(rows[i].meaning, sentence_of(reason));
    EXPECT_GT(rows[i].remedy.size(), 10U) << rows[i].code;
  }
}

}  // namespace
}  // namespace skua
