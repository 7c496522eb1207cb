# SPDX-License-Identifier: Apache-2.0
# Two daemons that replicate.
target_sources(e2e_harness PRIVATE ${CMAKE_CURRENT_LIST_DIR}/pair.c)
e2e(failover TIMEOUT 240)
e2e(stalled_copy TIMEOUT 180)
e2e(strangers TIMEOUT 180)
e2e(turned_away TIMEOUT 240)
target_link_libraries(e2e_turned_away PRIVATE ids_peer) # a stranger's frames
e2e(stood_still TIMEOUT 120)
e2e(first_reply TIMEOUT 240)
e2e(pair_states TIMEOUT 240)
e2e(safe_to_stop TIMEOUT 240)
e2e(unwritten_decision TIMEOUT 240)
e2e(full_disk TIMEOUT 300)
set_tests_properties(e2e_full_disk PROPERTIES SKIP_RETURN_CODE 77)
e2e(kept_places TIMEOUT 240)
e2e(forgotten_flags TIMEOUT 180)
e2e(lost_record TIMEOUT 240)
e2e(full_primary TIMEOUT 240)

# A replica whose disk is slow.
if(slow_sync_file)
  idem_program_test(e2e_slow_replica SOURCES slow_replica.c LINK e2e_harness
                    ARGS $<TARGET_FILE:idemstored> ${slow_sync_file}
                    LABELS e2e TIMEOUT 180)
  add_dependencies(e2e_slow_replica idemstored slow_sync)
endif()
