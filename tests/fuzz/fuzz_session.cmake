# SPDX-License-Identifier: Apache-2.0
# What a server sends, into the client's session.
if(TARGET idemclient_static)
  idem_fuzz(fuzz_session SOURCES fuzz_session.c
            LINK idemclient_static PkgConfig::sodium)
endif()
