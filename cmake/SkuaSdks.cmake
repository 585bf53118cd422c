# The SDKs of runtimes that are ON. One that is missing stops the configuration; nothing turns itself OFF.

set(SKUA_ONNXRUNTIME_LIBRARY_PATH "")
if(BUILD_ONNX_TRT_EP_RUNTIME)
  find_package(SkuaOnnxRuntime REQUIRED)
  set(SKUA_ONNXRUNTIME_LIBRARY_PATH ${SkuaOnnxRuntime_LIBRARY})
endif()

if(SKUA_TENSORRT_SIL AND NOT BUILD_TENSORRT_RUNTIME)
  message(FATAL_ERROR "SKUA_TENSORRT_SIL=ON without BUILD_TENSORRT_RUNTIME=ON: there is nothing to run over it")
endif()
if(BUILD_TENSORRT_RUNTIME)
  find_package(SkuaTensorRT REQUIRED)
endif()

set(SKUA_TORCH_LIBRARY_PATH "")
set(SKUA_TORCH_DEVICE_NAME "")
if(BUILD_PYTORCH_FP16_RUNTIME)
  find_package(SkuaTorch REQUIRED)
  set(SKUA_TORCH_LIBRARY_PATH ${SkuaTorch_LIBRARY})
  set(SKUA_TORCH_DEVICE_NAME ${SkuaTorch_DEVICE})
endif()

configure_file(${PROJECT_SOURCE_DIR}/cmake/skua_sdk_paths.h.in ${SKUA_GENERATED_DIR}/skua_sdk_paths.h)
