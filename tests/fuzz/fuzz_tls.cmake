# SPDX-License-Identifier: Apache-2.0
# TLS in both roles, without a socket.
if(TARGET idp_tls)
  idem_fuzz(fuzz_tls SOURCES fuzz_tls.c LINK idp_tls idt_tls)
endif()
