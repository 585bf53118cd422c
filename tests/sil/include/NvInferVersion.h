// Software-in-the-loop stand-in for the TensorRT interface, for Skua's tests only. Names, values and
// signatures follow release 10.3 so that one source compiles against either; nothing here is NVIDIA's text.
#pragma once

/// Only these headers define it: what includes them is a test build.
#define SKUA_SIL 1

#define NV_TENSORRT_MAJOR 10
#define NV_TENSORRT_MINOR 3
#define NV_TENSORRT_PATCH 0
#define NV_TENSORRT_BUILD 0
