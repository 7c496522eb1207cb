# SPDX-License-Identifier: Apache-2.0
# The double click behind nginx, and idemctl as shells and people use it.

# The double click through a proxy on libuv.
if(TARGET claim_proxy)
  idem_program_test(e2e_claim_proxy
    SOURCES claim_proxy.c http_call.c LINK e2e_harness
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:claim_proxy>
    LABELS e2e)
  add_dependencies(e2e_claim_proxy idemstored claim_proxy)
endif()

if(TARGET points_service)
  idem_program_test(e2e_double_click
    SOURCES double_click.c click_stage.c http_call.c
    LINK e2e_harness
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:points_service>
         ${CMAKE_SOURCE_DIR}/client/examples/nginx.conf.in
    LABELS e2e)
  add_dependencies(e2e_double_click idemstored points_service)

  # What it stores, and what it says when that can't be replayed.
  idem_program_test(e2e_stored_answers
    SOURCES stored_answers.c http_call.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:points_service>
    LABELS e2e)
  add_dependencies(e2e_stored_answers idemstored points_service)

  # The store's primary dies under it.
  idem_program_test(e2e_double_click_failover
    SOURCES double_click_failover.c click_stage.c http_call.c byte_proxy.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:points_service>
         ${CMAKE_SOURCE_DIR}/client/examples/nginx.conf.in
    LABELS e2e)
  add_dependencies(e2e_double_click_failover idemstored points_service)

  # The same for people to look at: it must go on working, too.
  add_test(NAME e2e_demo
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/demo ${CMAKE_BINARY_DIR})
  set_tests_properties(e2e_demo PROPERTIES LABELS e2e
                       FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
endif()

if(TARGET idemctl AND TARGET PkgConfig::cjson)
  idem_program_test(e2e_ctl SOURCES ctl_test.c ctl_shell.c
    LINK e2e_harness PkgConfig::cjson
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
         $<TARGET_FILE:points_minimal>
    LABELS e2e)
  add_dependencies(e2e_ctl idemstored idemctl points_minimal)
  set(answer_reads ${CMAKE_SOURCE_DIR}/docs/man/idemctl.1)
  set(run_reads ${CMAKE_SOURCE_DIR}/docs/man/idemctl.1)
  foreach(part terminal answer run run_faults look)
    idem_program_test(e2e_ctl_${part} SOURCES ctl_${part}.c ctl_shell.c
      LINK e2e_harness PkgConfig::cjson
      ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
           ${${part}_reads}
      LABELS e2e)
    add_dependencies(e2e_ctl_${part} idemstored idemctl)
  endforeach()
  # What the package installs, in the shells that people have.
  foreach(shell bash zsh fish)
    set(loader ${CMAKE_SOURCE_DIR}/packaging/completions/idemctl.${shell})
    if(shell STREQUAL zsh)
      set(loader ${CMAKE_SOURCE_DIR}/packaging/completions/_idemctl)
    endif()
    add_test(NAME e2e_completion_${shell}
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/completion ${shell}
                     $<TARGET_FILE:idemctl> ${loader})
    set_tests_properties(e2e_completion_${shell} PROPERTIES LABELS e2e
      SKIP_RETURN_CODE 77
      FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
  endforeach()
  idem_program_test(e2e_both_died SOURCES both_died.c
    LINK e2e_harness Threads::Threads
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
    LABELS e2e)
  add_dependencies(e2e_both_died idemstored idemctl)
  idem_program_test(e2e_ctl_operator SOURCES ctl_operator.c ctl_shell.c
    LINK e2e_harness PkgConfig::cjson
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
    LABELS e2e)
  add_dependencies(e2e_ctl_operator idemstored idemctl)

  if(TARGET idembench)
    idem_program_test(e2e_mistakes
      SOURCES mistakes.c mistakes_ctl.c mistakes_daemon.c mistakes_strangers.c
              ctl_shell.c
      LINK e2e_harness PkgConfig::cjson
      ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
           $<TARGET_FILE:idembench>
      LABELS e2e)
    add_dependencies(e2e_mistakes idemstored idemctl idembench)
  endif()
endif()
