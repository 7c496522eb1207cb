# SPDX-License-Identifier: Apache-2.0
# Who gets in: a file of credentials, and what idemctl says of it.
if(TARGET idemctl AND TARGET PkgConfig::cjson)
  idem_program_test(e2e_credentials SOURCES credentials.c ctl_shell.c
    LINK e2e_harness PkgConfig::cjson Threads::Threads
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
    LABELS e2e)
  add_dependencies(e2e_credentials idemstored idemctl)
  idem_program_test(e2e_credentials_reload
    SOURCES credentials_reload.c ctl_shell.c
    LINK e2e_harness PkgConfig::cjson Threads::Threads
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
    LABELS e2e)
  add_dependencies(e2e_credentials_reload idemstored idemctl)
endif()
if(TARGET idt_tls AND TARGET idemclient_static)
  idem_program_test(e2e_credentials_tls SOURCES credentials_tls.c
    LINK e2e_harness idt_tls idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e)
  add_dependencies(e2e_credentials_tls idemstored)
endif()
