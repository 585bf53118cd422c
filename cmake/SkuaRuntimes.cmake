# The three runtime options. ON without its sources or its SDK stops the configuration; it never turns OFF.

function(skua_require_runtime_sources OPTION FOLDER)
  if(${OPTION} AND NOT EXISTS ${PROJECT_SOURCE_DIR}/src/runtimes/${FOLDER}/CMakeLists.txt)
    message(FATAL_ERROR "${OPTION}=ON, but this source tree does not have that runtime yet "
                        "(src/runtimes/${FOLDER} is absent). Configure with -D${OPTION}=OFF.")
  endif()
endfunction()
skua_require_runtime_sources(BUILD_TENSORRT_RUNTIME tensorrt)
skua_require_runtime_sources(BUILD_PYTORCH_FP16_RUNTIME pytorch)

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

configure_file(${PROJECT_SOURCE_DIR}/cmake/skua_build_flags.h.in ${SKUA_GENERATED_DIR}/skua_build_flags.h)
configure_file(${PROJECT_SOURCE_DIR}/cmake/skua_sdk_paths.h.in ${SKUA_GENERATED_DIR}/skua_sdk_paths.h)
