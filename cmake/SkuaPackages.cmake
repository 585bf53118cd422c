# Two Debian packages, skua-airborne and skua-ground: target `packages`, which `make packages` builds
# (docs/design/packages.md). Neither ships an SDK library; each says what it expects, and where.
#
# A package for each folder, /opt/skua and /opt/skua-ground, so that what is in the first can be proven to build nothing
# also where both are installed. CPack has one folder for all packages of a configuration, so each has its own.

set(SKUA_PACKAGE_CONTACT "The authors of Skua <skua@skua.invalid>" CACHE STRING "Maintainer named in the packages")
set(SKUA_SOURCE_VERSION "~unknown" CACHE STRING "What the packages' version ends in (scripts/source_version.sh); names the commit")
set(SKUA_PACKAGES_DIR ${CMAKE_BINARY_DIR}/packages)

# skua_sdk_line(label built name version path): the line of one runtime.
function(skua_sdk_line LABEL IS_BUILT NAME VERSION PATH)
  set(line "${LABEL}: not built")
  if(IS_BUILT)
    set(line "${LABEL}: ${NAME} ${VERSION} at ${PATH}, not shipped")
  endif()
  set(SKUA_SDK_${LABEL} "${line}" PARENT_SCOPE)
endfunction()
skua_sdk_line(tensorrt "${BUILD_TENSORRT_RUNTIME}" TensorRT "${SKUA_TENSORRT_VERSION}" "${SKUA_TENSORRT_LIBRARY_PATH}")
skua_sdk_line(pytorch_fp16 "${BUILD_PYTORCH_FP16_RUNTIME}" libtorch "${SKUA_TORCH_VERSION}" "${SKUA_TORCH_LIBRARY_PATH}")
skua_sdk_line(onnx_trt_ep "${BUILD_ONNX_TRT_EP_RUNTIME}" "ONNX Runtime" "${SKUA_ONNXRUNTIME_VERSION}"
              "${SKUA_ONNXRUNTIME_LIBRARY_PATH}")
# Of a further runtime nothing is stated here; the ground package, which holds all that is built, says that.
set(_sdk_of_others "")
foreach(_label flag IN ZIP_LISTS SKUA_RUNTIME_LABELS SKUA_RUNTIME_FLAGS)
  if(NOT DEFINED SKUA_SDK_${_label} AND ${flag})
    list(APPEND _sdk_of_others "${_label}: no SDK library stated")
  endif()
endforeach()

# TensorRT is linked, with the CUDA runtime, and found by the run path of its modules.
set(SKUA_SDK_tensorrt_libraries "")
if(BUILD_TENSORRT_RUNTIME)
  list(JOIN SkuaTensorRT_RUN_PATH " " _folders)
  set(SKUA_SDK_tensorrt_libraries "tensorrt libraries: sought in ${_folders}")
endif()

# The Python half of `skua quantize` goes with what calls it, where that is told to look for it there.
set(_quantize_folder /opt/skua-ground/share/skua/python)
if(SKUA_QUANTIZE_SCRIPT STREQUAL "${_quantize_folder}/quantize.py")
  install(FILES python/quantize.py DESTINATION share/skua/python COMPONENT ${SKUA_GROUND_COMPONENT})
  install(DIRECTORY python/skua_precision DESTINATION share/skua/python COMPONENT ${SKUA_GROUND_COMPONENT}
          FILES_MATCHING PATTERN "*.py")
  # With what these four need in turn, so that another day's installation is the same.
  file(STRINGS requirements.txt _requirements REGEX
       "^(numpy|onnx|onnxruntime|protobuf|coloredlogs|flatbuffers|humanfriendly|ml_dtypes|mpmath|packaging|sympy|typing_extensions)==")
  list(JOIN _requirements "\n" _requirements)
  file(WRITE ${CMAKE_BINARY_DIR}/packaging/requirements.txt "${_requirements}\n")
  install(FILES ${CMAKE_BINARY_DIR}/packaging/requirements.txt DESTINATION share/skua/python
          COMPONENT ${SKUA_GROUND_COMPONENT})
endif()

# What both packages have in common.
set(CPACK_PACKAGE_VENDOR Skua)
set(CPACK_PACKAGE_CONTACT "${SKUA_PACKAGE_CONTACT}")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_DIRECTORY ${SKUA_PACKAGES_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/arrange.cmake)
set(CPACK_SKUA_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
# Not stripped: scripts/check_airborne.py sees more, and so does whoever reads a backtrace.
set(CPACK_STRIP_FILES OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_VERSION "${PROJECT_VERSION}${SKUA_SOURCE_VERSION}")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Debian's libraries are found by what the programs need, each with the version from which on it has the symbols. SDK
# libraries are looked at where they were found here; those of no package name none.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${SkuaTorch_LIBRARY_DIR})
include(CPack)

# skua_package(name PREFIX folder SUMMARY text SDK line... COMPONENTS component...)
function(skua_package NAME)
  cmake_parse_arguments(ARG "" "PREFIX;SUMMARY;DEPENDS" "SDK;COMPONENTS" ${ARGN})
  list(JOIN ARG_SDK "\n" sdk)
  configure_file(${PROJECT_SOURCE_DIR}/packaging/SDK.in ${CMAKE_BINARY_DIR}/packaging/SDK-${NAME} @ONLY)
  set(projects "")
  foreach(component IN LISTS ARG_COMPONENTS)
    list(APPEND projects ${CMAKE_BINARY_DIR} skua ${component} ${ARG_PREFIX})
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/${NAME}/*)
  configure_file(${PROJECT_SOURCE_DIR}/packaging/package.cmake.in ${CMAKE_BINARY_DIR}/packaging/${NAME}.cmake @ONLY)
endfunction()

set(_quantize "skua quantize: Python at ${SKUA_PYTHON} with the packages of requirements.txt beside ${SKUA_QUANTIZE_SCRIPT}, not shipped")
skua_package(
  airborne
  PREFIX /opt/skua
  SUMMARY "on-board neural-network inference for drones: what flies"
  SDK "${SKUA_SDK_tensorrt}" ${SKUA_SDK_tensorrt_libraries} "${SKUA_SDK_pytorch_fp16}"
      "onnx_trt_ep: not in this package, it never flies"
  DEPENDS passwd
  COMPONENTS ${SKUA_AIRBORNE_COMPONENT})
skua_package(
  ground
  PREFIX /opt/skua-ground
  SUMMARY "on-board neural-network inference for drones: the ground tools"
  SDK "${SKUA_SDK_tensorrt}" ${SKUA_SDK_tensorrt_libraries} "${SKUA_SDK_pytorch_fp16}" "${SKUA_SDK_onnx_trt_ep}" ${_sdk_of_others} "${_quantize}"
  COMPONENTS ${SKUA_AIRBORNE_COMPONENT} ${SKUA_GROUND_COMPONENT})

add_custom_target(
  packages
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${SKUA_PACKAGES_DIR}
  COMMAND ${CMAKE_CPACK_COMMAND} --config ${CMAKE_BINARY_DIR}/packaging/airborne.cmake
  COMMAND ${CMAKE_CPACK_COMMAND} --config ${CMAKE_BINARY_DIR}/packaging/ground.cmake
  VERBATIM USES_TERMINAL)
