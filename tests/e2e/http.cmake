# SPDX-License-Identifier: Apache-2.0
# HTTP: byte by byte, with curl, with credentials.
idem_program_test(e2e_http SOURCES http.c http_conn.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> LABELS e2e http slow)
add_dependencies(e2e_http idemstored)
