# SPDX-License-Identifier: Apache-2.0
# The machine's clock goes back.
e2e_preloaded(old_clock)
idem_program_test(e2e_clock_back SOURCES clock_back.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${old_clock_file} LABELS e2e)
add_dependencies(e2e_clock_back idemstored old_clock)
