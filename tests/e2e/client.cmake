# SPDX-License-Identifier: Apache-2.0
# libidemclient against the daemon.
e2e_client(client_lib)
# The same while the primary of a pair goes away.
e2e_client(client_failover)
# The replica of a pair stands still, as its clients see it.
e2e_client(client_replica)
# What it says as it turns somebody away or goes down.
e2e_client(client_words)
# Deadlines of connections; libidemclient's among them.
e2e_client(silence SLOW)

# The same stories of the async client, on a thread with its loop.
foreach(name client_lib client_failover client_replica client_words)
  if(TARGET async_client)
    idem_program_test(e2e_async_${name} SOURCES ${name}.c
      LINK async_client e2e_harness idemclient_static PkgConfig::sodium
      ARGS $<TARGET_FILE:idemstored> LABELS e2e race)
    target_compile_options(e2e_async_${name} PRIVATE
      -include ${CMAKE_SOURCE_DIR}/tests/lib/async_client.h)
    add_dependencies(e2e_async_${name} idemstored)
  endif()
endforeach()
# And its own: many wait on one thread; a primary goes under load; two loops.
e2e_client(async_waits)
e2e_client(async_failover)
e2e_client(async_loops)

# A client that was opened before a fork. TSan would end a child that makes a
# thread.
e2e_client(client_fork ARGS wipe)
if(TARGET e2e_client_fork)
  add_test(NAME e2e_client_fork_atfork
    COMMAND e2e_client_fork $<TARGET_FILE:idemstored> atfork)
  set_tests_properties(e2e_client_fork_atfork PROPERTIES
    LABELS "e2e;race"
    FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
  set_tests_properties(e2e_client_fork e2e_client_fork_atfork PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=die_after_fork=0")
endif()
