#include <vector>

#include "builder.h"

namespace sil::infer {
namespace {

struct Phase {
  const char* name;
  int steps;
  int steps_done;
  std::vector<Phase> children;
  bool is_late = false;  ///< it ends after the steps of its parent
};

// As measured: nested, not every step arrives, one name twice.
std::vector<Phase> phases_of(int layers) {
  const std::vector<Phase> reformat = {{"Computing reformatting costs", 2, 2, {}}};
  const std::vector<Phase> timing = {{"Timing graph nodes", layers, layers, {}},
                                     {"Timing tensor reformats", 1, 1, reformat},
                                     {"Computing reformatting costs", 1, 1, {}}};
  const std::vector<Phase> costs = {{"Timing tactics", 3, 2, timing}};
  const std::vector<Phase> graph = {{"Optimizing graph", 30, 30, {}},
                                    {"Computing profile costs", 5, 5, costs}};
  return {{"Building engine",
           6,
           5,
           {{"Cloning network graph", layers, layers, {}},
            {"Preparing graph for optimization", 4, 4, {}},
            {"Building engine from subgraph", 3, 3, graph},
            {"Determining refit engines", 1, 1, {}, true}}}};
}

bool run_steps(nvinfer1::IProgressMonitor& monitor, const Phase& phase, bool continues) {
  for (int step = 0; step < phase.steps_done && continues; ++step)
    continues = monitor.stepComplete(phase.name, step);
  return continues;
}

// Phases are finished after a cancel too.
bool run_phase(nvinfer1::IProgressMonitor& monitor, const Phase& phase, const char* parent) {
  monitor.phaseStart(phase.name, parent, phase.steps);
  bool continues = true;
  const Phase* late = nullptr;
  for (std::size_t i = 0; i < phase.children.size() && continues; ++i) {
    const Phase& child = phase.children[i];
    if (child.is_late) late = &child;
    if (child.is_late) monitor.phaseStart(child.name, phase.name, child.steps);
    continues = child.is_late ? run_steps(monitor, child, true) : run_phase(monitor, child, phase.name);
  }
  continues = run_steps(monitor, phase, continues);
  if (late != nullptr) monitor.phaseFinish(late->name);
  monitor.phaseFinish(phase.name);
  return continues;
}

}  // namespace

bool run_phases(nvinfer1::IProgressMonitor* monitor, std::size_t layers) {
  if (monitor == nullptr) return true;
  for (const Phase& phase : phases_of(static_cast<int>(layers))) {
    if (!run_phase(*monitor, phase, nullptr)) return false;
  }
  return true;
}

}  // namespace sil::infer
