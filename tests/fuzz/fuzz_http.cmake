# SPDX-License-Identifier: Apache-2.0
# What somebody stored as an HTTP answer, into its reader.
if(TARGET idemclient_static)
  idem_fuzz(fuzz_http SOURCES fuzz_http.c
            LINK idemclient_static PkgConfig::sodium)
endif()
