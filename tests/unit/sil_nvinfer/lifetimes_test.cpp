// Objects that go while somebody still needs them: undefined in the real library, a fault here.
#include "runs_fixture.h"
#include "sil/control/sil_control.h"

namespace skua::sil_test {
namespace {

TEST_F(SilRuns, AContextThatGoesUnderItsWorkFaults) {
  sil::hold_streams();
  const auto engine = load(rows_plan());
  DeviceMemory scratch(static_cast<std::size_t>(engine->getDeviceMemorySizeV2()));
  auto context = placed(*engine, 1, Strategy::kUSER_MANAGED);
  context->setDeviceMemoryV2(scratch.data(), engine->getDeviceMemorySizeV2());
  ASSERT_TRUE(context->enqueueV3(stream));
  context.reset();
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress) << "for good";
}

TEST_F(SilRuns, AGraphFaultsWithoutItsContext) {
  const auto engine = load(rows_plan());
  DeviceMemory scratch(static_cast<std::size_t>(engine->getDeviceMemorySizeV2()));  // stays
  auto context = placed(*engine, 1, Strategy::kUSER_MANAGED);
  context->setDeviceMemoryV2(scratch.data(), engine->getDeviceMemorySizeV2());
  ASSERT_TRUE(context->enqueueV3(stream));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_TRUE(context->enqueueV3(stream));
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  context.reset();
  ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  cudaGraphDestroy(graph);
  cudaGraphExecDestroy(executable);
}

TEST_F(SilRuns, AnEngineThatGoesBeforeItsContextFaults) {
  auto engine = load(rows_plan());
  auto context = placed(*engine, 1);
  engine.reset();
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  context.reset();
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}

TEST_F(SilRuns, AReportBesideAnAnswerChangesNothingElse) {
  const auto engine = load(rows_plan());
  sil::report_beside("ICudaEngine::getNbIOTensors", 2, 2);
  EXPECT_EQ(engine->getNbIOTensors(), 2);
  EXPECT_EQ(listener.errors(), "");
  EXPECT_EQ(engine->getNbIOTensors(), 2);
  EXPECT_NE(listener.errors().find("Error Code 2"), std::string::npos);
}

TEST_F(SilRuns, WhatAGraphLeavesOutItsRunHas) {
  for (const auto omission : {sil::Omission::work, sil::Omission::last_output}) {
    sil::leave_out_of_graphs(omission);
    const auto engine = load(rows_plan());
    const auto context = placed(*engine, 1);
    x.write(std::vector<float>{1, 2, 3, 4});
    ASSERT_TRUE(context->enqueueV3(stream));
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(y.read<float>(3), rows_by_hand({1, 2, 3, 4}));
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    ASSERT_TRUE(context->enqueueV3(stream));
    ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    std::size_t nodes = 9;
    ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
    EXPECT_EQ(nodes, omission == sil::Omission::work ? 0U : 1U);
    cudaGraphExec_t executable = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    y.write(std::vector<float>{7, 7, 7});
    ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(y.read<float>(3), (std::vector<float>{7, 7, 7}));
    cudaGraphDestroy(graph);
    cudaGraphExecDestroy(executable);
  }
}

}  // namespace
}  // namespace skua::sil_test
