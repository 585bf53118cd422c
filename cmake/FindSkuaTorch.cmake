# libtorch: headers to compile against and the libraries that are opened at run time from one absolute path.
#
# Looked for in Torch_DIR (the folder of TorchConfig.cmake, cache variable or environment: of a Python wheel, an
# unpacked libtorch archive or a system package), else in the wheel that scripts/setup.sh placed into .venv. Nowhere else.
# TorchConfig.cmake itself is not used: that of a CUDA build wants a whole CUDA toolkit where only headers are needed.
#
# Gives SkuaTorch_VERSION, SkuaTorch_LIBRARY (absolute, libtorch.so), SkuaTorch_DEVICE ("cuda" for a CUDA build,
# else "cpu") and the target skua::torch.

set(Torch_DIR "$ENV{Torch_DIR}" CACHE PATH "Folder of TorchConfig.cmake (share/cmake/Torch of a libtorch)")

if(Torch_DIR)
  set(_torch_remedy "Torch_DIR=${Torch_DIR} must be the folder of TorchConfig.cmake of a libtorch with headers")
  # A wheel or an archive: ROOT/share/cmake/Torch. A Debian package: /usr/lib/TRIPLET/cmake/Torch.
  set(_torch_prefixes ${Torch_DIR}/../../.. ${Torch_DIR}/../../../..)
  set(_torch_library_folders ${Torch_DIR}/../../../lib ${Torch_DIR}/../..)
else()
  set(_torch_remedy "run scripts/setup.sh build, or set Torch_DIR to the folder of an installed TorchConfig.cmake "
                    "(python -c 'import torch; print(torch.utils.cmake_prefix_path)'), or configure with "
                    "-DBUILD_PYTORCH_FP16_RUNTIME=OFF")
  string(REPLACE ";" "" _torch_remedy "${_torch_remedy}")
  file(GLOB _torch_prefixes ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  set(_torch_library_folders ${_torch_prefixes})
  list(TRANSFORM _torch_library_folders APPEND /lib)
endif()

set(SkuaTorch_INCLUDE_DIR "")
foreach(_prefix IN LISTS _torch_prefixes)
  if(NOT SkuaTorch_INCLUDE_DIR AND EXISTS ${_prefix}/include/torch/script.h)
    file(REAL_PATH ${_prefix}/include SkuaTorch_INCLUDE_DIR)
  endif()
endforeach()
set(SkuaTorch_LIBRARY_DIR "")
foreach(_folder IN LISTS _torch_library_folders)
  if(NOT SkuaTorch_LIBRARY_DIR AND EXISTS ${_folder}/libtorch.so)
    file(REAL_PATH ${_folder} SkuaTorch_LIBRARY_DIR)
  endif()
endforeach()

set(_torch_version_file ${SkuaTorch_INCLUDE_DIR}/torch/headeronly/version.h)
if(NOT EXISTS ${_torch_version_file})
  set(_torch_version_file ${SkuaTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h)  # before release 2.9
endif()
if(NOT SkuaTorch_INCLUDE_DIR OR NOT EXISTS ${_torch_version_file})
  message(FATAL_ERROR "BUILD_PYTORCH_FP16_RUNTIME=ON: libtorch's headers not found; ${_torch_remedy}")
endif()
foreach(_library torch torch_cpu c10)
  if(NOT SkuaTorch_LIBRARY_DIR OR NOT EXISTS ${SkuaTorch_LIBRARY_DIR}/lib${_library}.so)
    message(FATAL_ERROR "BUILD_PYTORCH_FP16_RUNTIME=ON: lib${_library}.so not found; ${_torch_remedy}")
  endif()
endforeach()

set(SkuaTorch_VERSION "")
foreach(_part MAJOR MINOR PATCH)
  file(STRINGS ${_torch_version_file} _line REGEX "^#define TORCH_VERSION_${_part} [0-9]+")
  string(REGEX REPLACE "^#define TORCH_VERSION_${_part} ([0-9]+).*" "\\1" _number "${_line}")
  list(APPEND SkuaTorch_VERSION ${_number})
endforeach()
list(JOIN SkuaTorch_VERSION "." SkuaTorch_VERSION)
set(SkuaTorch_LIBRARY ${SkuaTorch_LIBRARY_DIR}/libtorch.so)
set(SkuaTorch_DEVICE cpu)
if(EXISTS ${SkuaTorch_LIBRARY_DIR}/libtorch_cuda.so)
  set(SkuaTorch_DEVICE cuda)
endif()
message(STATUS "libtorch: ${SkuaTorch_LIBRARY} (${SkuaTorch_VERSION}, made for ${SkuaTorch_DEVICE})")

if(NOT TARGET skua::torch)
  add_library(skua::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(skua::torch SYSTEM INTERFACE ${SkuaTorch_INCLUDE_DIR}
                                                          ${SkuaTorch_INCLUDE_DIR}/torch/csrc/api/include)
  # Its assertions name the headers they stand in: not by the folder of the machine that built Skua.
  target_compile_options(skua::torch INTERFACE -ffile-prefix-map=${SkuaTorch_INCLUDE_DIR}=libtorch/include)
  # Needed by name alone: whoever links this is opened after the library at the configured path, which then serves.
  target_link_libraries(skua::torch INTERFACE ${SkuaTorch_LIBRARY_DIR}/libtorch_cpu.so ${SkuaTorch_LIBRARY_DIR}/libc10.so)
endif()
set(SkuaTorch_FOUND TRUE)
