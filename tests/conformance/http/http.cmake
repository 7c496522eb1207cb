# SPDX-License-Identifier: Apache-2.0
# idemconform http, held to services whose faults are known. Without its tests
# it is only built.
target_sources(conform PRIVATE http/mode.c http/cases.c http/executions.c
  http/answers.c http/run.c http/client.c http/json.c)
target_link_libraries(conform PUBLIC Threads::Threads)
if(NOT IDEM_TESTS OR IDEM_FUZZ)
  return()
endif()

function(conformance_http name)
  add_test(NAME conformance_http_${name}
    COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/http/check ${name}
            $<TARGET_FILE:idemconform> ${ARGN})
  set_tests_properties(conformance_http_${name} PROPERTIES LABELS e2e
    FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
endfunction()

conformance_http(words)
conformance_http(service)
conformance_http(wrong)
if(TARGET points_service AND TARGET idemstored)
  conformance_http(example $<TARGET_FILE:idemstored>
                   $<TARGET_FILE:points_service>)
endif()
find_program(REDIS_SERVER redis-server)
conformance_http(recipe ${REDIS_SERVER})
