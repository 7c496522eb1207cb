# SPDX-License-Identifier: Apache-2.0
# Hostile acts against the loops; bench/run-figures turns runs the same program.
idem_program_test(e2e_long_turns SOURCES long_turns.c acts.c flood.c
  pinger.c
  LINK e2e_harness Threads::Threads
  ARGS $<TARGET_FILE:idemstored> LABELS e2e)
add_dependencies(e2e_long_turns idemstored)

# A disk that does not come back from a sync.
if(TARGET idemclient_static AND slow_sync_file)
  idem_program_test(e2e_slow_disk SOURCES slow_disk.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> ${slow_sync_file} LABELS e2e)
  add_dependencies(e2e_slow_disk idemstored slow_sync)
endif()
