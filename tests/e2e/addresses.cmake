# SPDX-License-Identifier: Apache-2.0
# Where the daemon listens; a name with several addresses.
add_library(many_addresses SHARED many_addresses.c)
target_compile_definitions(many_addresses PRIVATE _GNU_SOURCE)
target_link_libraries(many_addresses PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(many_addresses PROPERTIES C_VISIBILITY_PRESET default)

# A sanitizer's runtime wants to be the first library.
set(preloaded "")
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  set(preloaded $<TARGET_FILE:many_addresses>)
endif()
idem_program_test(e2e_addresses SOURCES addresses.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${preloaded} LABELS e2e TIMEOUT 180)
add_dependencies(e2e_addresses idemstored many_addresses)
