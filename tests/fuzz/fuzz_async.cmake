# SPDX-License-Identifier: Apache-2.0
# What a server sends, into an async client, whose driver does as it likes.
if(TARGET idemclient_static)
  idem_fuzz(fuzz_async SOURCES fuzz_async.c
            LINK idemclient_static idp PkgConfig::sodium)
endif()
