# SPDX-License-Identifier: Apache-2.0
# Snapshots as ordered, and a disk that is nearly full.
add_library(tight_disk SHARED tight_disk.c)
target_compile_definitions(tight_disk PRIVATE _GNU_SOURCE)
target_link_libraries(tight_disk PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(tight_disk PROPERTIES C_VISIBILITY_PRESET default)

# A sanitizer's runtime wants to be the first library.
set(preloaded "")
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  set(preloaded $<TARGET_FILE:tight_disk>)
endif()
idem_program_test(e2e_store_orders SOURCES store_orders.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${preloaded} LABELS e2e TIMEOUT 120)
add_dependencies(e2e_store_orders idemstored tight_disk)

idem_program_test(e2e_log_lines SOURCES log_lines.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${preloaded} LABELS e2e TIMEOUT 600)
add_dependencies(e2e_log_lines idemstored tight_disk)
