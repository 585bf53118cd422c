# Language, warnings, sanitizers and where build products go.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# bin/ and lib/ in the build tree look like the installed ones: libskua finds its modules beside itself,
# programs find libskua through a path relative to themselves.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/archive)
# (CMake's own build-tree run path would be padded with empty entries, which mean "the current folder".)
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib")
set(SKUA_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)

find_program(SKUA_CCACHE ccache)
if(SKUA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SKUA_CCACHE})
endif()

set(SKUA_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wswitch-enum -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12
   AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND SKUA_WARNINGS -Wno-restrict)  # GCC bug 105651: false alarm on "text" + std::string
endif()
if(SKUA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND SKUA_WARNINGS -Wno-maybe-uninitialized)  # false alarms in instrumented code
endif()

# GCC joins a product and a sum into one instruction that rounds once, wherever the processor has it: every aarch64, no plain
# x86-64. A tolerance would then have another border on the drone than where the set was made.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  add_compile_options(-ffp-contract=off)
endif()

set(_fuzzer "address,undefined,fuzzer-no-link")  # clang alone: preset fuzz
set(_sanitizers "" "address,undefined" "thread" ${_fuzzer})
if(NOT SKUA_SANITIZE IN_LIST _sanitizers AND NOT SKUA_SANITIZE STREQUAL "")
  message(FATAL_ERROR "SKUA_SANITIZE='${SKUA_SANITIZE}': use '', 'address,undefined', 'thread' or '${_fuzzer}'")
endif()
if(SKUA_SANITIZE)
  add_compile_options(-fsanitize=${SKUA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SKUA_SANITIZE})
endif()

# A shared library or module with an undefined symbol is a link error, not a surprise at dlopen.
# (clang links its sanitizer runtime into programs only, so there the check has to stay off.)
if(NOT (SKUA_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang"))
  set(SKUA_NO_UNDEFINED -Wl,--no-undefined)
  string(APPEND CMAKE_SHARED_LINKER_FLAGS " ${SKUA_NO_UNDEFINED}")
  string(APPEND CMAKE_MODULE_LINKER_FLAGS " ${SKUA_NO_UNDEFINED}")
endif()
