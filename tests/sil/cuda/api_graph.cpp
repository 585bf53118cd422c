// Graphs.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <vector>

#include "sil/cuda/call.h"
#include "sil/cuda/device.h"

namespace {

cudaError_t list_nodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (count == nullptr) return cudaErrorInvalidValue;
  std::vector<cudaGraphNode_t> all;
  if (const cudaError_t error = sil::device().graph_nodes(graph, all); error != cudaSuccess) return error;
  if (nodes == nullptr) return *count = all.size(), cudaSuccess;
  const std::size_t room = *count;
  for (std::size_t i = 0; i < room; ++i) nodes[i] = i < all.size() ? all[i] : nullptr;
  *count = std::min(room, all.size());
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return sil::call({"cudaGraphGetNodes"}, [&] { return list_nodes(graph, nodes, count); });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  return sil::call({"cudaGraphInstantiate", true}, [&] {
    if (executable == nullptr) return cudaErrorInvalidValue;
    if (flags != 0) return cudaErrorNotSupported;
    return sil::device().instantiate(graph, *executable);
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return sil::call({"cudaGraphLaunch"}, [&] { return sil::device().launch(executable, stream); });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return sil::call({"cudaGraphDestroy", false, true}, [&] { return sil::device().destroy_graph(graph); });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return sil::call({"cudaGraphExecDestroy", false, true},
                   [&] { return sil::device().destroy_executable(executable); });
}
