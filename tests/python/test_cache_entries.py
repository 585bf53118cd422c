"""Every entry point of src/cache stands in the table that the sweep of allocation failures goes through."""

import re

import cache_entries
import pytest

TABLE = cache_entries.ROOT / "tests" / "fault" / "allocation_entries.cpp"


def test_every_entry_point_is_swept():
    table = re.findall(r'SKUA_(?:READS|WRITES)\(\s*"([^"]+)"', TABLE.read_text(encoding="ascii"))
    assert len(table) == len(set(table))
    assert sorted(table) == cache_entries.entries()


def test_what_is_found_in_a_header(tmp_path):
    header = tmp_path / "some.h"
    header.write_text(
        """// comment(not a call)
#include <macro(1)>
namespace skua {
int plain(int argument);
int sure(int) noexcept;
inline int with_body(int a) { return other_call(a); }
constexpr int fixed(int a) { return a; }
class Thing {
 public:
  explicit Thing(int size);
  Thing(Thing&&) noexcept = default;
  ~Thing();
  Result<std::map<int, int>> method(std::string_view name) const;
  std::function<void(int)> member = [](int) {};
  std::size_t quick() const noexcept { return helper(); }
 private:
  int hidden();
};
template <typename T>
T generic(T value);
}  // namespace skua
""",
        encoding="ascii",
    )
    found = {"plain", "with_body", "Thing", "method", "generic"}
    assert cache_entries.entries_of(header) == {f"some.h: {name}" for name in found}


@pytest.mark.parametrize("name", ["set_gate.h: admit_set", "publish.h: commit", "sidecar.h: write_atomic"])
def test_known_entry_points_are_found(name):
    assert name in cache_entries.entries()
