// The timing cache and the progress monitor of the software-in-the-loop builder.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

using nvinfer1::BuilderFlag;

TEST_F(SilNvinfer, ATimingCacheOfGarbageIsAnEmptyOne) {
  Workshop workshop(listener);
  nvinfer1::IBuilderConfig& config = *workshop.config;
  EXPECT_EQ(config.createTimingCache(nullptr, 100), nullptr);
  EXPECT_NE(listener.errors().find("Error Code 3"), std::string::npos);
  const Owned<nvinfer1::ITimingCache> empty(config.createTimingCache(nullptr, 0));
  const Owned<nvinfer1::IHostMemory> bytes(empty->serialize());
  EXPECT_EQ(bytes->size(), 172U);
  EXPECT_EQ(std::string(static_cast<const char*>(bytes->data()), 5), "ptrtd");
  EXPECT_EQ(listener.warnings(), "");
  const Owned<nvinfer1::ITimingCache> garbage(config.createTimingCache("garbage", 7));
  ASSERT_NE(garbage, nullptr);
  EXPECT_NE(listener.warnings().find("Returning an empty timing cache."), std::string::npos);
  EXPECT_TRUE(config.setTimingCache(*garbage, false));
  EXPECT_TRUE(garbage->combine(*empty, false));
  EXPECT_TRUE(garbage->reset());
}

TEST_F(SilNvinfer, ATimingCacheLearnsABuild) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  const Owned<nvinfer1::ITimingCache> cache(workshop.config->createTimingCache(nullptr, 0));
  workshop.config->setTimingCache(*cache, false);
  workshop.config->setFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  EXPECT_EQ(workshop.build(), "");
  workshop.config->clearFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  EXPECT_NE(workshop.build(), "");
  const Owned<nvinfer1::IHostMemory> bytes(cache->serialize());
  EXPECT_GT(bytes->size(), 172U);
  const Owned<nvinfer1::ITimingCache> again(workshop.config->createTimingCache(bytes->data(), bytes->size()));
  workshop.config->setTimingCache(*again, false);
  workshop.config->setFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  EXPECT_NE(workshop.build(), "") << "the stored cache knows it";
}

TEST_F(SilNvinfer, ATimingCacheCombinedWithItselfNeverComesBack) {
  EXPECT_EXIT(
      {
        Workshop workshop(listener);
        const Owned<nvinfer1::ITimingCache> cache(workshop.config->createTimingCache(nullptr, 0));
        alarm(1);
        cache->combine(*cache, false);
      },
      testing::KilledBySignal(SIGALRM), "");
}

class Monitor final : public nvinfer1::IProgressMonitor {
 public:
  void phaseStart(char const* name, char const* parent, int32_t of) noexcept override {
    starts.emplace_back(name);
    parents.emplace_back(parent == nullptr ? "" : parent);
    announced[name] += of;
  }
  bool stepComplete(char const* name, int32_t) noexcept override {
    ++done[name];
    last_step = name;
    return ++steps != cancel_at;
  }
  void phaseFinish(char const* name) noexcept override {
    finishes.emplace_back(name);
    last_step_before[name] = last_step;
  }

  std::vector<std::string> starts, parents, finishes;
  std::map<std::string, int> announced, done;
  std::string last_step;
  std::map<std::string, std::string> last_step_before;  ///< the end of a phase
  int steps = 0;
  int cancel_at = -1;
};

TEST_F(SilNvinfer, ABuildTellsItsPhases) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  Monitor monitor;
  workshop.config->setProgressMonitor(&monitor);
  EXPECT_NE(workshop.build(), "");
  EXPECT_EQ(monitor.starts.front(), "Building engine");
  EXPECT_EQ(monitor.parents.front(), "");
  EXPECT_EQ(monitor.parents[1], "Building engine");
  EXPECT_EQ(monitor.finishes.back(), "Building engine");
  EXPECT_EQ(monitor.starts.size(), monitor.finishes.size());
  EXPECT_EQ(std::count(monitor.starts.begin(), monitor.starts.end(), "Computing reformatting costs"), 2);
  EXPECT_EQ(monitor.announced["Building engine"], 6);
  EXPECT_EQ(monitor.done["Building engine"], 5) << "no measure of what is left";
  EXPECT_EQ(monitor.last_step_before["Determining refit engines"], "Building engine")
      << "it outlasts its parent's steps";
}

TEST_F(SilNvinfer, ACancelledBuildFinishesItsPhasesAndMayBeRepeated) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  Monitor counting;
  workshop.config->setProgressMonitor(&counting);
  ASSERT_NE(workshop.build(), "");
  for (int step = 1; step <= counting.steps; step += 5) {
    Monitor monitor;
    monitor.cancel_at = step;
    workshop.config->setProgressMonitor(&monitor);
    listener.clear();
    EXPECT_EQ(workshop.build(), "") << step;
    EXPECT_EQ(monitor.steps, step);
    EXPECT_EQ(monitor.starts.size(), monitor.finishes.size());
    EXPECT_NE(listener.errors().find("Error Code 7: BuildCanceled (Build canceled by user"),
              std::string::npos);
  }
  workshop.config->setProgressMonitor(nullptr);
  EXPECT_NE(workshop.build(), "");
}

}  // namespace
}  // namespace skua::sil_test
