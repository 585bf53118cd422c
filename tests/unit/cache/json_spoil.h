// Every way to spoil one member of a JSON document: removed, of another type, doubled, with an unknown one
// beside it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/json_strict.h"

namespace skua::test {

struct Member {
  Json::json_pointer object;
  std::string key;
  std::string text() const { return object.to_string() + "/" + key; }
};

inline void collect_members(const Json& json, const Json::json_pointer& at, std::vector<Member>& members) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      members.push_back({at, key});
      collect_members(value, at / key, members);
    }
  }
  if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) collect_members(json[i], at / i, members);
  }
}

inline std::vector<Member> members_of(const Json& json) {
  std::vector<Member> members;
  collect_members(json, Json::json_pointer(), members);
  return members;
}

inline Json without(const Json& json, const Member& member) {
  Json spoiled = json;
  spoiled[member.object].erase(member.key);
  return spoiled;
}

/// Values of every other JSON type than the member has; null only where `null_is_wrong`.
inline std::vector<Json> with_other_types(const Json& json, const Member& member, bool null_is_wrong) {
  const Json& value = json[member.object][member.key];
  std::vector<Json> spoiled;
  for (const Json& other :
       {Json("x"), Json(-7), Json(2.5), Json(true), Json::array({-1.5}), Json::object({{"?", 1}}), Json()}) {
    const bool is_other = other.type() != value.type() && !(other.is_number() && value.is_number_float());
    if (!is_other || (other.is_null() && !null_is_wrong)) continue;
    spoiled.push_back(json);
    spoiled.back()[member.object][member.key] = other;
  }
  return spoiled;
}

/// Text in which the member stands twice.
inline std::string doubled(const Json& json, const Member& member) {
  Json marked = json;
  marked[member.object]["@twice@"] = json[member.object][member.key];
  std::string text = marked.dump();
  const std::size_t at = text.find("@twice@");
  return text.replace(at, 7, member.key);
}

inline Json with_unknown(const Json& json, const Json::json_pointer& object) {
  Json spoiled = json;
  spoiled[object]["unknown"] = "x";
  return spoiled;
}

/// Every member of `json` removed, doubled, of another type, and an unknown one beside it: each a text that
/// `refused` must be true of. How many members there are.
template <typename Refused>
std::size_t expect_every_member_once(const Json& json, Refused refused) {
  const std::vector<Member> members = members_of(json);
  for (const Member& member : members) {
    EXPECT_TRUE(refused(without(json, member).dump())) << member.text();
    EXPECT_TRUE(refused(doubled(json, member))) << member.text();
    EXPECT_TRUE(refused(with_unknown(json, member.object).dump())) << member.object.to_string();
    for (const Json& spoiled : with_other_types(json, member, true)) {
      EXPECT_TRUE(refused(spoiled.dump())) << member.text() << ": " << spoiled.dump();
    }
  }
  return members.size();
}

}  // namespace skua::test
