# SPDX-License-Identifier: Apache-2.0
# All hostile acts at once. For longer, and with a figure of a quiet machine:
# tests/bin/e2e_hostile ./idemstored 600
idem_program_test(e2e_hostile SOURCES hostile.c door_acts.c acts.c flood.c
  pinger.c
  LINK e2e_harness Threads::Threads
  ARGS $<TARGET_FILE:idemstored> 5 LABELS e2e)
add_dependencies(e2e_hostile idemstored)
