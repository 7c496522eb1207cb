# SPDX-License-Identifier: Apache-2.0
# The machine's clock goes back.
add_library(old_clock SHARED old_clock.c)
target_compile_definitions(old_clock PRIVATE _GNU_SOURCE)
target_link_libraries(old_clock PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(old_clock PROPERTIES C_VISIBILITY_PRESET default)

# A sanitizer's runtime wants to be the first library.
set(preloaded "")
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  set(preloaded $<TARGET_FILE:old_clock>)
endif()
idem_program_test(e2e_clock_back SOURCES clock_back.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${preloaded} LABELS e2e TIMEOUT 180)
add_dependencies(e2e_clock_back idemstored old_clock)
