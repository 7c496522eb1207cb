# SPDX-License-Identifier: Apache-2.0
# Connections, dispatch and what is forwarded between workers, without a socket.
idem_fuzz(fuzz_conn
  SOURCES fuzz_conn.c ${CMAKE_SOURCE_DIR}/tests/unit/server/harness.c
  LINK ids_server idt)
