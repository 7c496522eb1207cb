# SPDX-License-Identifier: Apache-2.0
# Where the daemon listens; a name with several addresses.
e2e_preloaded(many_addresses)
idem_program_test(e2e_addresses SOURCES addresses.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> ${many_addresses_file} LABELS e2e)
add_dependencies(e2e_addresses idemstored many_addresses)
