# One function per kind of target. A folder's CMakeLists.txt calls them and holds nothing else.
#
# Install components: `airborne` is what flies and nothing else (scripts/check_airborne.py proves it), `ground` is
# everything that compiles, measures or inspects, on top of it. A target is ground unless it says AIRBORNE. `python` is
# the package skua without libraries and programs, for the wheels.
set(SKUA_AIRBORNE_COMPONENT airborne)
set(SKUA_GROUND_COMPONENT ground)
set(SKUA_PYTHON_COMPONENT python)
# Nothing of ours goes into CMake's unnamed component, where a package could forget it.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME ${SKUA_GROUND_COMPONENT})

# "NAME x ..." and "x ..." both name the target x.
macro(skua_take_name)
  set(arguments ${ARGN})
  if(NAME STREQUAL "NAME")
    list(POP_FRONT arguments NAME)
  endif()
endmacro()

function(skua_check_arguments FUNCTION NAME SOURCES UNPARSED)
  if(NOT SOURCES OR NOT UNPARSED STREQUAL "")
    message(FATAL_ERROR "${FUNCTION}(${NAME} SOURCES file... [LINK target...]): not understood: '${UNPARSED}'")
  endif()
endfunction()

# Sources that are compiled alone: names local to them are local names of another source of their folder as well.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/compiled_alone.txt SKUA_COMPILED_ALONE REGEX "^[^#]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/compiled_alone.txt)

# Compiles the sources of a target eight at a time, where SKUA_PARSE_ONCE asks for it.
function(skua_parse_once TARGET)
  if(NOT SKUA_PARSE_ONCE)
    return()
  endif()
  get_target_property(sources ${TARGET} SOURCES)
  list(FILTER sources EXCLUDE REGEX "^[$]<")
  foreach(source IN LISTS sources)
    file(REAL_PATH ${source} path BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${path})
    if(name IN_LIST SKUA_COMPILED_ALONE)
      set_source_files_properties(${path} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
  set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# Flags and include folders that all our own targets share. Sources of an archive are compiled alone: a program takes from it
# what it needs, and what flies takes no more than that.
function(skua_configure_target TARGET)
  get_target_property(type ${TARGET} TYPE)
  if(NOT type STREQUAL STATIC_LIBRARY)
    skua_parse_once(${TARGET})
  endif()
  target_compile_features(${TARGET} PUBLIC cxx_std_20)
  target_compile_options(${TARGET} PRIVATE ${SKUA_WARNINGS})
  target_include_directories(${TARGET} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                                               ${SKUA_GENERATED_DIR})
endfunction()

# skua_folder(core [STATIC] SOURCES a.cpp ... [LINK target ...])
# Object library skua_NAME of this folder. The folders of libskua are linked into it by the root list;
# any other one is linked by whoever names it (programs, modules, unit tests). STATIC makes an archive.
function(skua_folder NAME)
  skua_take_name(${ARGN})
  cmake_parse_arguments(ARG "STATIC" "" "SOURCES;LINK" ${arguments})
  skua_check_arguments(skua_folder ${NAME} "${ARG_SOURCES}" "${ARG_UNPARSED_ARGUMENTS}")
  set(kind OBJECT)
  if(ARG_STATIC)
    set(kind STATIC)
  endif()
  add_library(skua_${NAME} ${kind} ${ARG_SOURCES})
  skua_configure_target(skua_${NAME})
  target_link_libraries(skua_${NAME} PUBLIC ${ARG_LINK})
endfunction()

# skua_component(OUT is_airborne): the install component of a target.
function(skua_component OUT IS_AIRBORNE)
  if(IS_AIRBORNE)
    set(${OUT} ${SKUA_AIRBORNE_COMPONENT} PARENT_SCOPE)
  else()
    set(${OUT} ${SKUA_GROUND_COMPONENT} PARENT_SCOPE)
  endif()
endfunction()

# skua_module(skua_runtime_onnx_trt_ep [AIRBORNE] SOURCES ... [LINK ...])
# libNAME.so beside libskua.so, opened with dlopen. Its one exported symbol is its entry function; the linker
# hides the rest (not -fvisibility, which would hide the types that the module shares with libskua).
function(skua_module NAME)
  skua_take_name(${ARGN})
  cmake_parse_arguments(ARG "AIRBORNE" "" "SOURCES;LINK" ${arguments})
  skua_check_arguments(skua_module ${NAME} "${ARG_SOURCES}" "${ARG_UNPARSED_ARGUMENTS}")
  add_library(${NAME} MODULE ${ARG_SOURCES})
  skua_configure_target(${NAME})
  set(exports ${PROJECT_SOURCE_DIR}/cmake/module_exports.map)
  target_link_libraries(${NAME} PRIVATE ${ARG_LINK} skua)
  target_link_options(${NAME} PRIVATE -Wl,--version-script=${exports})
  set_target_properties(${NAME} PROPERTIES PREFIX lib INSTALL_RPATH "$ORIGIN" LINK_DEPENDS ${exports})
  set_property(GLOBAL APPEND PROPERTY SKUA_MODULES ${NAME})
  skua_component(component ${ARG_AIRBORNE})
  install(TARGETS ${NAME} LIBRARY DESTINATION lib COMPONENT ${component})
endfunction()

# skua_program(skua [AIRBORNE] SOURCES main.cpp ... [LINK ...])
# Executable NAME in bin/ (its target is program_NAME).
function(skua_program NAME)
  skua_take_name(${ARGN})
  cmake_parse_arguments(ARG "AIRBORNE" "" "SOURCES;LINK" ${arguments})
  skua_check_arguments(skua_program ${NAME} "${ARG_SOURCES}" "${ARG_UNPARSED_ARGUMENTS}")
  set(target program_${NAME})
  if(SKUA_SANITIZE)
    list(APPEND ARG_SOURCES ${PROJECT_SOURCE_DIR}/tests/sanitizers/program_options.cpp)
  endif()
  add_executable(${target} ${ARG_SOURCES})
  skua_configure_target(${target})
  target_link_libraries(${target} PRIVATE ${ARG_LINK} skua)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${NAME})
  skua_component(component ${ARG_AIRBORNE})
  install(TARGETS ${target} RUNTIME DESTINATION bin COMPONENT ${component})
endfunction()
