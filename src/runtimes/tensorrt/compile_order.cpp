// Reading in a graph why its nodes cannot be put into an order. TensorRT's parser names neither value nor
// node.
#include <map>
#include <set>

#include "core/text.h"
#include "runtimes/tensorrt/compile_network.h"

namespace skua::tensorrt {
namespace {

using Producers = std::map<std::string, const OnnxNode*>;

std::string name_of(const OnnxNode& node) { return quote(node.label()) + " (" + node.op_type + ")"; }

/// A node that waits for another one of `left`; nullptr when it does not.
const OnnxNode* awaited(const OnnxNode& node, const Producers& producers,
                        const std::set<const OnnxNode*>& left) {
  for (const std::string& input : node.inputs) {
    const auto producer = producers.find(input);
    if (producer != producers.end() && left.count(producer->second) != 0) return producer->second;
  }
  return nullptr;
}

/// Takes away what waits for nobody, until nothing more goes.
std::set<const OnnxNode*> unordered(const OnnxGraph& graph, const Producers& producers) {
  std::set<const OnnxNode*> left;
  for (const OnnxNode& node : graph.nodes) left.insert(&node);
  for (std::size_t before = left.size() + 1; left.size() < before;) {
    before = left.size();
    std::erase_if(left, [&](const OnnxNode* node) { return awaited(*node, producers, left) == nullptr; });
  }
  return left;
}

}  // namespace

std::string order_problem(const OnnxGraph& graph) {
  Producers producers;
  for (const OnnxNode& node : graph.nodes) {
    for (const std::string& output : node.outputs) {
      if (output.empty() || producers.emplace(output, &node).second) continue;
      return "the value " + quote(output) + " is produced twice, by " + name_of(*producers.at(output)) +
             " and " + name_of(node);
    }
  }
  const auto left = unordered(graph, producers);
  if (left.empty()) return "";
  // Each one left waits for another one left: following them leads into the circle.
  std::set<const OnnxNode*> seen;
  const OnnxNode* node = *left.begin();
  while (seen.insert(node).second) node = awaited(*node, producers, left);
  std::string text = "nodes wait for each other: " + name_of(*node);
  for (const OnnxNode* next = awaited(*node, producers, left); next != node;
       next = awaited(*next, producers, left)) {
    text += " waits for " + name_of(*next);
  }
  return text + " waits for " + name_of(*node);
}

}  // namespace skua::tensorrt
