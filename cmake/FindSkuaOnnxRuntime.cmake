# ONNX Runtime: the C header to compile against and the library that is opened at run time (never linked).
#
# Looked for in ONNXRUNTIME_ROOT (cache variable or environment: an unpacked official archive with include/ and
# lib/libonnxruntime.so*), else in what scripts/setup.sh placed into .deps and .venv. Nowhere else.
#
# Gives SkuaOnnxRuntime_INCLUDE_DIR, SkuaOnnxRuntime_LIBRARY (absolute), SkuaOnnxRuntime_API_VERSION and the
# target skua::onnxruntime_headers.

set(ONNXRUNTIME_ROOT "$ENV{ONNXRUNTIME_ROOT}" CACHE PATH "Unpacked ONNX Runtime archive (include/, lib/)")

if(ONNXRUNTIME_ROOT)
  set(_ort_remedy "ONNXRUNTIME_ROOT=${ONNXRUNTIME_ROOT} must hold include/onnxruntime_c_api.h and "
                  "lib/libonnxruntime.so")
  set(_ort_includes ${ONNXRUNTIME_ROOT}/include ${ONNXRUNTIME_ROOT}/include/onnxruntime)
  file(GLOB _ort_libraries ${ONNXRUNTIME_ROOT}/lib/libonnxruntime.so ${ONNXRUNTIME_ROOT}/lib/libonnxruntime.so.*)
else()
  set(_ort_remedy "run scripts/setup.sh build, or set ONNXRUNTIME_ROOT to an unpacked official archive, or "
                  "configure with -DBUILD_ONNX_TRT_EP_RUNTIME=OFF")
  set(_ort_includes ${PROJECT_SOURCE_DIR}/.deps/onnxruntime/include)
  file(GLOB _ort_libraries
       ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*)
endif()
string(REPLACE ";" "" _ort_remedy "${_ort_remedy}")

set(SkuaOnnxRuntime_INCLUDE_DIR "")
foreach(_dir IN LISTS _ort_includes)
  if(NOT SkuaOnnxRuntime_INCLUDE_DIR AND EXISTS ${_dir}/onnxruntime_c_api.h)
    set(SkuaOnnxRuntime_INCLUDE_DIR ${_dir})
  endif()
endforeach()
set(SkuaOnnxRuntime_LIBRARY "")
if(_ort_libraries)
  list(SORT _ort_libraries)
  list(GET _ort_libraries 0 SkuaOnnxRuntime_LIBRARY)
endif()

if(NOT SkuaOnnxRuntime_INCLUDE_DIR)
  message(FATAL_ERROR "BUILD_ONNX_TRT_EP_RUNTIME=ON: onnxruntime_c_api.h not found in ${_ort_includes}; "
                      "${_ort_remedy}")
endif()
if(NOT SkuaOnnxRuntime_LIBRARY)
  message(FATAL_ERROR "BUILD_ONNX_TRT_EP_RUNTIME=ON: libonnxruntime not found; ${_ort_remedy}")
endif()

file(STRINGS ${SkuaOnnxRuntime_INCLUDE_DIR}/onnxruntime_c_api.h _ort_api REGEX "^#define ORT_API_VERSION [0-9]+")
string(REGEX REPLACE "^#define ORT_API_VERSION ([0-9]+).*" "\\1" SkuaOnnxRuntime_API_VERSION "${_ort_api}")
# libonnxruntime 1.N offers the interface versions up to N; the file name says N where it says a version.
file(REAL_PATH ${SkuaOnnxRuntime_LIBRARY} _ort_file)
if(_ort_file MATCHES "\\.so\\.1\\.([0-9]+)" AND CMAKE_MATCH_1 LESS SkuaOnnxRuntime_API_VERSION)
  message(FATAL_ERROR "${SkuaOnnxRuntime_LIBRARY} is older than its header (interface "
                      "${SkuaOnnxRuntime_API_VERSION}); ${_ort_remedy}")
endif()
message(STATUS "ONNX Runtime: ${SkuaOnnxRuntime_LIBRARY} (header: interface ${SkuaOnnxRuntime_API_VERSION})")

if(NOT TARGET skua::onnxruntime_headers)
  add_library(skua::onnxruntime_headers INTERFACE IMPORTED GLOBAL)
  target_include_directories(skua::onnxruntime_headers SYSTEM INTERFACE ${SkuaOnnxRuntime_INCLUDE_DIR})
endif()
set(SkuaOnnxRuntime_FOUND TRUE)
