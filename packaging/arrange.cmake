# Run by cpack between installing into its own tree and packing that: what lies outside of a package's folder, and what
# makes two packages of one source equal.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(folder ${root}${CPACK_SKUA_PREFIX})

if(CPACK_SKUA_PACKAGE STREQUAL airborne)
  set(program skua-flight)
  file(MAKE_DIRECTORY ${root}/lib)
  file(RENAME ${folder}/lib/systemd ${root}/lib/systemd)
else()
  set(program skua)
  file(REMOVE_RECURSE ${folder}/lib/systemd)  # the unit starts the program of the other package
endif()
file(MAKE_DIRECTORY ${root}/usr/bin)
file(CREATE_LINK ${CPACK_SKUA_PREFIX}/bin/${program} ${root}/usr/bin/${program} SYMBOLIC)

set(documents ${root}/usr/share/doc/skua-${CPACK_SKUA_PACKAGE})
file(MAKE_DIRECTORY ${documents})
configure_file(${CPACK_SKUA_SDK} ${documents}/SDK COPYONLY)
configure_file(${CPACK_SKUA_LICENSE} ${documents}/copyright COPYONLY)

# Whoever builds: the same modes, and the same times where SOURCE_DATE_EPOCH is set.
execute_process(COMMAND chmod -R u+rwX,go+rX,go-w ${root} COMMAND_ERROR_IS_FATAL ANY)
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND find ${root} -exec touch -h -d @$ENV{SOURCE_DATE_EPOCH} {} + COMMAND_ERROR_IS_FATAL ANY)
endif()
