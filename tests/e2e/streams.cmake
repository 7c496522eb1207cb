# SPDX-License-Identifier: Apache-2.0
# Every program, with its standard streams closed.
if(TARGET idemctl AND TARGET idembench AND TARGET points_minimal)
  idem_program_test(e2e_closed_streams SOURCES closed_streams.c
    LINK e2e_harness idemclient_static PkgConfig::sodium
    ARGS $<TARGET_FILE:idemstored> $<TARGET_FILE:idemctl>
         $<TARGET_FILE:idembench> $<TARGET_FILE:points_minimal>
    LABELS e2e)
  add_dependencies(e2e_closed_streams idemstored idemctl idembench
                   points_minimal)
endif()
