# SPDX-License-Identifier: Apache-2.0
# HTTP: byte by byte, with curl, with credentials.
idem_program_test(e2e_http SOURCES http.c http_conn.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> LABELS e2e http slow)
add_dependencies(e2e_http idemstored)
idem_program_test(e2e_http_pair SOURCES http_pair.c http_conn.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> LABELS e2e http)
add_dependencies(e2e_http_pair idemstored)
idem_program_test(e2e_health SOURCES health.c http_conn.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> LABELS e2e http)
add_dependencies(e2e_health idemstored)
set_tests_properties(e2e_health PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME e2e_http_curl
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/http_curl
                 $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>)
set_tests_properties(e2e_http_curl PROPERTIES LABELS "e2e;http"
                     SKIP_RETURN_CODE 77)
add_test(NAME e2e_looks
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/looks
                 $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>)
set_tests_properties(e2e_looks PROPERTIES LABELS "e2e;http"
                     SKIP_RETURN_CODE 77)
if(IDEM_TLS)
  add_test(NAME e2e_http_certs
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/http_certs
                   $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>)
  set_tests_properties(e2e_http_certs PROPERTIES LABELS "e2e;http"
                       SKIP_RETURN_CODE 77)
endif()
add_test(NAME e2e_readme_once
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_once
                 ${CMAKE_SOURCE_DIR}/README.md $<TARGET_FILE:idemstored>)
set_tests_properties(e2e_readme_once PROPERTIES LABELS "e2e;http;slow"
                     SKIP_RETURN_CODE 77)
# As often as Prometheus asks in two weeks.
idem_program_test(e2e_scrapes SOURCES scrapes.c http_conn.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> 100000 LABELS e2e http slow)
add_dependencies(e2e_scrapes idemstored)
