# What a program of somebody else's needs to be built on an installed Skua: headers, the name to link against, the archive,
# and what find_package(skua) reads (docs/reference/cpp.md). Ground alone: what flies needs the versioned library and no more.
# Of the archive, what reads YAML is behind none of the public headers: its libraries are nobody's need.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/skua DESTINATION include COMPONENT ${SKUA_GROUND_COMPONENT} FILES_MATCHING PATTERN "*.h")
install(TARGETS skua_bootstrap ARCHIVE DESTINATION lib COMPONENT ${SKUA_GROUND_COMPONENT})

set(_folder ${CMAKE_BINARY_DIR}/packaging)
set(SKUA_SONAME "$<TARGET_SONAME_FILE_NAME:skua>")
configure_file(cmake/skuaConfig.cmake.in ${_folder}/skuaConfig.cmake.in @ONLY)
file(GENERATE OUTPUT ${_folder}/skuaConfig.cmake INPUT ${_folder}/skuaConfig.cmake.in)
write_basic_package_version_file(${_folder}/skuaConfigVersion.cmake COMPATIBILITY ExactVersion)
install(FILES ${_folder}/skuaConfig.cmake ${_folder}/skuaConfigVersion.cmake DESTINATION lib/cmake/skua
        COMPONENT ${SKUA_GROUND_COMPONENT})
