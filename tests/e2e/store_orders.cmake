# SPDX-License-Identifier: Apache-2.0
# Snapshots as ordered, and a disk that is nearly full.
e2e_preloaded(tight_disk)
idem_program_test(e2e_store_orders SOURCES store_commands.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${tight_disk_file} LABELS e2e)
add_dependencies(e2e_store_orders idemstored tight_disk)

idem_program_test(e2e_log_lines SOURCES log_lines.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${tight_disk_file} LABELS e2e)
add_dependencies(e2e_log_lines idemstored tight_disk)
