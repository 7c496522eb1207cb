# SPDX-License-Identifier: Apache-2.0
# Connections, dispatch and what is forwarded between workers, without a socket;
# the same inputs, and more, with TLS between.
idem_fuzz(fuzz_conn
  SOURCES fuzz_conn.c fuzz_conn_plain.c
          ${CMAKE_SOURCE_DIR}/tests/unit/server/harness.c
  LINK ids_server idt)
if(TARGET idp_tls)
  idem_fuzz(fuzz_conn_tls CORPUS fuzz_conn
    SOURCES fuzz_conn.c fuzz_conn_seal.c
            ${CMAKE_SOURCE_DIR}/tests/unit/server/harness.c
    LINK ids_net idp_tls idt_tls idt)
endif()
