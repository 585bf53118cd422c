# TensorRT and the CUDA runtime: headers and libraries of src/runtimes/tensorrt.
#
# TensorRT is looked for in TENSORRT_ROOT (cache variable or environment: an unpacked archive with include/ and lib/),
# else where NVIDIA's Debian packages put it. CUDA is looked for in CUDA_ROOT (likewise), else in /usr/local/cuda.
# Nowhere else. With SKUA_TENSORRT_SIL=ON the SDK is the software-in-the-loop one of tests/sil instead, over NVIDIA's
# own CUDA headers of the project's .venv; it is for tests alone and is never installed.
#
# Gives SkuaTensorRT_VERSION (as the headers have it), SkuaTensorRT_RUN_PATH (folders for the modules' run path) and
#   skua::cuda_headers     CUDA's headers
#   skua::tensorrt_sdk     nvinfer and the CUDA runtime: what running needs
#   skua::tensorrt_parser  beside it, the ONNX parser: what compiling needs

set(TENSORRT_ROOT "$ENV{TENSORRT_ROOT}" CACHE PATH "Unpacked TensorRT archive (include/, lib/)")
set(CUDA_ROOT "$ENV{CUDA_ROOT}" CACHE PATH "CUDA toolkit (include/, lib64/); default /usr/local/cuda")

# skua_find_folder(OUT file folder...): the first of the folders that has the file. Nothing is cached: headers and
# libraries are of one tree also after TENSORRT_ROOT has changed.
function(skua_find_folder OUT FILE)
  set(${OUT} "" PARENT_SCOPE)
  foreach(folder IN LISTS ARGN)
    if(EXISTS ${folder}/${FILE})
      set(${OUT} ${folder} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(skua_add_sdk_target NAME)
  if(NOT TARGET skua::${NAME})
    add_library(skua_${NAME} INTERFACE)
    add_library(skua::${NAME} ALIAS skua_${NAME})
  endif()
endfunction()
foreach(_name IN ITEMS cuda_headers tensorrt_sdk tensorrt_parser)
  skua_add_sdk_target(${_name})
endforeach()

if(SKUA_TENSORRT_SIL)
  if(NOT SKUA_BUILD_TESTS)
    message(FATAL_ERROR "SKUA_TENSORRT_SIL=ON: the software-in-the-loop SDK is for tests; configure with "
                        "-DSKUA_BUILD_TESTS=ON, or give the real SDK with TENSORRT_ROOT")
  endif()
  if(NOT BUILD_ONNX_TRT_EP_RUNTIME)
    message(FATAL_ERROR "SKUA_TENSORRT_SIL=ON: its plans run through ONNX Runtime; configure with "
                        "-DBUILD_ONNX_TRT_EP_RUNTIME=ON")
  endif()
  file(GLOB _packages ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/nvidia)
  set(_cuda_folders ${_packages})
  list(TRANSFORM _cuda_folders APPEND /cuda_runtime/include)
  set(_crt_folders ${_packages})
  list(TRANSFORM _crt_folders APPEND /cuda_nvcc/include)  # the first package alone lacks crt/
  skua_find_folder(_cuda_include cuda_runtime_api.h ${_cuda_folders})
  skua_find_folder(_crt_include crt/host_defines.h ${_crt_folders})
  if(NOT _cuda_include OR NOT _crt_include)
    message(FATAL_ERROR "SKUA_TENSORRT_SIL=ON: CUDA's headers are not in .venv (packages nvidia-cuda-runtime-cu12 and "
                        "nvidia-cuda-nvcc-cu12); run scripts/setup.sh test")
  endif()
  target_include_directories(skua_cuda_headers SYSTEM INTERFACE ${_cuda_include} ${_crt_include})
  target_include_directories(skua_tensorrt_sdk SYSTEM INTERFACE ${PROJECT_SOURCE_DIR}/tests/sil/include)
  target_link_libraries(skua_tensorrt_sdk INTERFACE sil_nvinfer sil_cudart)
  target_link_libraries(skua_tensorrt_parser INTERFACE sil_onnxparser)
  set(SkuaTensorRT_RUN_PATH "$ORIGIN/../sil")
  set(SkuaTensorRT_VERSION "software in the loop")
  install(CODE "message(FATAL_ERROR \"This build tree holds the software-in-the-loop SDK (SKUA_TENSORRT_SIL=ON) and is \
never installed; configure another one, without it\")" ALL_COMPONENTS)
else()
  if(TENSORRT_ROOT)
    set(_remedy "TENSORRT_ROOT=${TENSORRT_ROOT} must hold include/NvInfer.h and lib/libnvinfer.so")
    set(_include_folders ${TENSORRT_ROOT}/include)
    set(_library_folders ${TENSORRT_ROOT}/lib ${TENSORRT_ROOT}/lib64)
  else()
    set(_remedy "install TensorRT's development packages (libnvinfer-dev, libnvonnxparsers-dev), or set TENSORRT_ROOT \
to an unpacked TensorRT archive, or configure with -DBUILD_TENSORRT_RUNTIME=OFF")
    set(_include_folders /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} /usr/include)
    set(_library_folders /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib)
  endif()
  set(_cuda_root /usr/local/cuda)
  if(CUDA_ROOT)
    set(_cuda_root ${CUDA_ROOT})
  endif()

  skua_find_folder(_include NvInfer.h ${_include_folders})
  skua_find_folder(_parser_include NvOnnxParser.h ${_include_folders})
  skua_find_folder(_cuda_include cuda_runtime_api.h ${_cuda_root}/include)
  skua_find_folder(_nvinfer_folder libnvinfer.so ${_library_folders})
  skua_find_folder(_parser_folder libnvonnxparser.so ${_library_folders})
  skua_find_folder(_cudart_folder libcudart.so ${_cuda_root}/lib64 ${_cuda_root}/lib)
  if(NOT _include OR NOT _parser_include)
    message(FATAL_ERROR "BUILD_TENSORRT_RUNTIME=ON: NvInfer.h and NvOnnxParser.h not found in ${_include_folders}; \
${_remedy}")
  endif()
  if(NOT _nvinfer_folder OR NOT _parser_folder)
    message(FATAL_ERROR "BUILD_TENSORRT_RUNTIME=ON: libnvinfer.so and libnvonnxparser.so not found in ${_library_folders}; \
${_remedy}")
  endif()
  if(NOT _cuda_include OR NOT _cudart_folder)
    message(FATAL_ERROR "BUILD_TENSORRT_RUNTIME=ON: cuda_runtime_api.h and libcudart.so not found in ${_cuda_root}; \
install the CUDA toolkit (cuda-cudart-dev), or set CUDA_ROOT, or configure with -DBUILD_TENSORRT_RUNTIME=OFF")
  endif()

  # The macros were renamed; the values stand in one form or the other.
  set(SkuaTensorRT_VERSION "")
  foreach(_part MAJOR MINOR PATCH)
    file(STRINGS ${_include}/NvInferVersion.h _line
         REGEX "^#define (NV_TENSORRT_${_part}|TRT_${_part}_ENTERPRISE) [0-9]+")
    string(REGEX REPLACE "^#define [A-Z_]+ ([0-9]+).*" "\\1" _number "${_line}")
    list(APPEND SkuaTensorRT_VERSION ${_number})
  endforeach()
  list(JOIN SkuaTensorRT_VERSION "." SkuaTensorRT_VERSION)
  if(SkuaTensorRT_VERSION VERSION_LESS 10.3)
    message(FATAL_ERROR "BUILD_TENSORRT_RUNTIME=ON: ${_include}/NvInferVersion.h is of TensorRT \
'${SkuaTensorRT_VERSION}', expected 10.3 or newer; ${_remedy}")
  endif()

  target_include_directories(skua_cuda_headers SYSTEM INTERFACE ${_cuda_include})
  target_include_directories(skua_tensorrt_sdk SYSTEM INTERFACE ${_include})
  target_link_libraries(skua_tensorrt_sdk INTERFACE ${_nvinfer_folder}/libnvinfer.so
                        ${_cudart_folder}/libcudart.so)
  target_link_libraries(skua_tensorrt_parser INTERFACE ${_parser_folder}/libnvonnxparser.so)
  set(SkuaTensorRT_RUN_PATH "")
  foreach(_library IN ITEMS ${_nvinfer_folder}/libnvinfer.so ${_cudart_folder}/libcudart.so)
    file(REAL_PATH ${_library} _library)
    get_filename_component(_folder ${_library} DIRECTORY)
    list(APPEND SkuaTensorRT_RUN_PATH ${_folder})
  endforeach()
  list(REMOVE_DUPLICATES SkuaTensorRT_RUN_PATH)
endif()
target_link_libraries(skua_tensorrt_sdk INTERFACE skua_cuda_headers)
target_link_libraries(skua_tensorrt_parser INTERFACE skua_tensorrt_sdk)
message(STATUS "TensorRT: ${SkuaTensorRT_VERSION}")
set(SkuaTensorRT_FOUND TRUE)
