# SKUA_BUILD_ID: libskua and its modules refuse each other when theirs differ. It names what must agree for C++
# objects to cross the border: version, interface, compiler, library ABI, sanitizers.

include(CheckCXXSourceCompiles)
check_cxx_source_compiles("#include <string>
#if !_GLIBCXX_USE_CXX11_ABI
#error old ABI
#endif
int main() {}" SKUA_CXX11_ABI)
set(_abi 0)
if(SKUA_CXX11_ABI)
  set(_abi 1)
endif()

# The interface is every header that both sides of the border include: the public ones and those of libskua's folders.
# (src/compile is no part of it: a compiler module has its own copy inside.)
file(GLOB _headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     ${PROJECT_SOURCE_DIR}/include/skua/*.h ${PROJECT_SOURCE_DIR}/src/core/*.h ${PROJECT_SOURCE_DIR}/src/cache/*.h
     ${PROJECT_SOURCE_DIR}/src/telemetry/*.h ${PROJECT_SOURCE_DIR}/src/events/*.h
     ${PROJECT_SOURCE_DIR}/src/inference/*.h)
list(SORT _headers)
set(_digests "")
foreach(_header IN LISTS _headers)
  file(SHA256 ${PROJECT_SOURCE_DIR}/${_header} _digest)
  string(APPEND _digests "${_digest}  ${_header}\n")
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               ${PROJECT_SOURCE_DIR}/${_header})
endforeach()
string(SHA256 _interface "${_digests}")
string(SUBSTRING ${_interface} 0 16 _interface)

string(REPLACE "," "+" _sanitize "${SKUA_SANITIZE}")
if(NOT _sanitize)
  set(_sanitize none)
endif()
string(CONCAT SKUA_BUILD_ID_TEXT "skua-${PROJECT_VERSION} interface-${_interface} "
       "${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION} cxx11abi-${_abi} sanitize-${_sanitize}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/skua_build_id.h.in ${SKUA_GENERATED_DIR}/skua_build_id.h)
