# SPDX-License-Identifier: Apache-2.0
# What is written while the disk syncs, and what a kill -9 loses.
#   lost_tail IDEMSTORED everysec|no [ROUNDS]
idem_program_test(e2e_lost_tail SOURCES lost_tail.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> everysec 2 LABELS e2e TIMEOUT 240)
add_dependencies(e2e_lost_tail idemstored)

# A sanitizer's runtime wants to be the first library.
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  add_library(slow_sync SHARED slow_sync.c)
  target_compile_definitions(slow_sync PRIVATE _GNU_SOURCE)
  target_link_libraries(slow_sync PRIVATE ${CMAKE_DL_LIBS})
  set_target_properties(slow_sync PROPERTIES C_VISIBILITY_PRESET default)
  idem_program_test(e2e_slow_sync SOURCES slow_sync_test.c LINK e2e_harness
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:slow_sync>
    LABELS e2e TIMEOUT 180)
  add_dependencies(e2e_slow_sync idemstored slow_sync)
endif()
