# Hostile acts against the loops; bench/run-figures turns runs the same program.
idem_program_test(e2e_long_turns SOURCES long_turns.c acts.c flood.c
  LINK e2e_harness Threads::Threads
  ARGS $<TARGET_FILE:idemstored> LABELS e2e TIMEOUT 300)
add_dependencies(e2e_long_turns idemstored)
