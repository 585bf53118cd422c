# Debian's cross compiler for aarch64, the libraries of .deps/aarch64 (scripts/aarch64_sysroot.sh), and, where it is there,
# qemu's user mode to run what was built. Used by preset aarch64.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
get_filename_component(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../.deps/aarch64/sysroot ABSOLUTE)
if(NOT EXISTS ${CMAKE_SYSROOT}/usr/include)
  message(FATAL_ERROR "no arm64 libraries in ${CMAKE_SYSROOT}; run scripts/aarch64_sysroot.sh")
endif()

# Programs are this machine's, everything else is of the sysroot: an amd64 library found here would be a link error at best.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)

find_program(SKUA_QEMU qemu-aarch64-static)
if(SKUA_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${SKUA_QEMU} -L ${CMAKE_SYSROOT})
endif()
