# SPDX-License-Identifier: Apache-2.0
# libidemclient against the daemon.
if(TARGET idemclient_static)
  idem_program_test(e2e_client_lib SOURCES client_lib.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e race TIMEOUT 240)
  add_dependencies(e2e_client_lib idemstored)
endif()

# The same while the primary of a pair goes away.
if(TARGET idemclient_static)
  idem_program_test(e2e_client_failover SOURCES client_failover.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e race TIMEOUT 240)
  add_dependencies(e2e_client_failover idemstored)
endif()

# What it says as it turns somebody away or goes down.
if(TARGET idemclient_static)
  idem_program_test(e2e_client_words SOURCES client_words.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e race TIMEOUT 240)
  add_dependencies(e2e_client_words idemstored)
endif()

# A client that was opened before a fork. TSan would end a child that makes a
# thread.
if(TARGET idemclient_static)
  idem_program_test(e2e_client_fork SOURCES client_fork.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> wipe LABELS e2e race TIMEOUT 240)
  add_dependencies(e2e_client_fork idemstored)
  add_test(NAME e2e_client_fork_atfork
    COMMAND e2e_client_fork $<TARGET_FILE:idemstored> atfork)
  set_tests_properties(e2e_client_fork_atfork PROPERTIES
    TIMEOUT 240 LABELS "e2e;race"
    FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
  set_tests_properties(e2e_client_fork e2e_client_fork_atfork PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=die_after_fork=0")
endif()

# Deadlines of connections; libidemclient's among them.
if(TARGET idemclient_static)
  idem_program_test(e2e_silence SOURCES silence.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e slow TIMEOUT 600)
  add_dependencies(e2e_silence idemstored)
endif()

# The replica of a pair stands still, as its clients see it.
if(TARGET idemclient_static)
  idem_program_test(e2e_client_replica SOURCES client_replica.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> LABELS e2e race TIMEOUT 240)
  add_dependencies(e2e_client_replica idemstored)
endif()
