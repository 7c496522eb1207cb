# SPDX-License-Identifier: Apache-2.0
# The daemon behind TLS.
if(TARGET idt_tls AND TARGET idemclient_static)
  idem_program_test(e2e_tls SOURCES tls.c
    LINK e2e_harness idt_tls idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_tls idemstored)
  idem_program_test(e2e_pair_tls SOURCES pair_tls.c
    LINK e2e_harness idt_tls ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_pair_tls idemstored)
endif()
