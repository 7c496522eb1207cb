# SPDX-License-Identifier: Apache-2.0
# What is written while the disk syncs, and what a kill -9 loses.
#   lost_tail IDEMSTORED everysec|no [ROUNDS]
idem_program_test(e2e_lost_tail SOURCES lost_tail.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> everysec 2 LABELS e2e)
add_dependencies(e2e_lost_tail idemstored)

if(slow_sync_file)
  idem_program_test(e2e_slow_sync SOURCES slow_sync_test.c LINK e2e_harness
    ARGS $<TARGET_FILE:idemstored> ${slow_sync_file} LABELS e2e)
  add_dependencies(e2e_slow_sync idemstored slow_sync)
endif()
