#include "compile/finish_record.h"

#include "skua_build_id.h"

#include <utility>

#include "cache/utc_text.h"
#include "core/hash.h"
#include "skua/ports.h"

namespace skua::compile {

Status finish_record(Compilation& compilation, RuntimeFacts facts) {
  const CompileRequest& request = compilation.request;
  EngineRecord& record = compilation.record;
  record.model = request.model_name;
  record.runtime_label = std::move(facts.runtime_label);
  record.host = request.host;
  record.precision = request.build.precision;
  record.options = std::move(facts.options);
  record.arithmetic = std::move(facts.arithmetic);
  record.model_id = std::move(facts.model_id);
  record.weights_sha256 = std::move(facts.weights_sha256);
  record.exporter = std::move(facts.exporter);
  record.builder = SKUA_BUILD_ID;
  record.created = utc_text(system_clock().utc_us());
  record.engine_sha256 = sha256_of(compilation.artifact);
  record.proven = true;
  record.size_bytes = compilation.artifact.size();
  BuildConfig build = request.build;
  if (build.golden) build.golden->file = compilation.staged(compilation.golden_name());
  SKUA_ASSIGN_OR_RETURN(record.build_config_sha256, build_key(build, request.config));
  return {};
}

}  // namespace skua::compile
