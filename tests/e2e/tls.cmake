# SPDX-License-Identifier: Apache-2.0
# The daemon behind TLS.
if(TARGET idt_tls AND TARGET idemclient_static)
  foreach(name tls tls_reload)
    idem_program_test(e2e_${name} SOURCES ${name}.c
      LINK e2e_harness idt_tls idp_tls idemclient_static PkgConfig::sodium
      ARGS $<TARGET_FILE:idemstored> LABELS e2e)
    add_dependencies(e2e_${name} idemstored)
  endforeach()
  idem_program_test(e2e_tls_hands SOURCES tls_hands.c hand.c
    LINK e2e_harness idt_tls idp_tls PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_tls_hands idemstored)
  # old_clock is clock.cmake's.
  idem_program_test(e2e_tls_hard SOURCES tls_hard.c hand.c
    LINK e2e_harness idt_tls idp_tls PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> ${old_clock_file} LABELS e2e)
  add_dependencies(e2e_tls_hard idemstored old_clock)
  idem_program_test(e2e_tls_flood SOURCES tls_flood.c stranger.c
    LINK e2e_harness idt_tls idp_tls idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_tls_flood idemstored)
  idem_program_test(e2e_pair_tls SOURCES pair_tls.c
    LINK e2e_harness idt_tls ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_pair_tls idemstored)
endif()
