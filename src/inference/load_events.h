// What loading tells: refusals, and engines that became resident.
#pragma once

#include <string_view>

#include "inference/runtime_state.h"

namespace skua {

/// What a gate's refusal is told as, for all who ask a gate. `file`: an engine's file name, or a set's
/// folder.
Event refusal_event(std::string_view file, const Error& error);

/// Every refusal is told, with what an operator keys on.
void report_refusal(const RuntimeState& runtime, std::string_view file, const Error& error);

/// The two steps of a load: the SDK took the verified bytes; the golden vectors were reproduced and every
/// lane that runs the engine has its memory.
void report_loaded(const RuntimeState& runtime, const EngineState& engine, const EngineLoadTimes& times);

}  // namespace skua
