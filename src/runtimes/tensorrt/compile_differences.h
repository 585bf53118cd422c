// What was expected and what was found, collected, so that an operator sees all of it at once.
#pragma once

#include <string>

#include "compile/compilation.h"

namespace skua::tensorrt {

class Differences {
 public:
  void add(const std::string& text) { texts_ += (texts_.empty() ? "" : "; ") + text; }
  void compare(const std::string& what, const std::string& expected, const std::string& found) {
    if (expected != found) add(what + ": expected " + expected + ", found " + found);
  }
  /// EngineBuildError, contract_mismatch: `head`, every difference, `remedy`.
  Status finish(const std::string& head, const std::string& remedy) const {
    if (texts_.empty()) return {};
    return compile::build_error(Reason::kContractMismatch, head + ": " + texts_ + "; " + remedy);
  }

 private:
  std::string texts_;
};

}  // namespace skua::tensorrt
