# SPDX-License-Identifier: Apache-2.0
# Two daemons that replicate.
target_sources(e2e_harness PRIVATE ${CMAKE_CURRENT_LIST_DIR}/pair.c)
e2e(failover)
e2e(stalled_copy)
e2e(strangers)
e2e(turned_away)
target_link_libraries(e2e_turned_away PRIVATE ids_peer) # a stranger's frames
e2e(stood_still)
e2e(first_reply)
e2e(pair_states)
e2e(safe_to_stop)
e2e(unwritten_decision)
e2e(full_disk)
set_tests_properties(e2e_full_disk PROPERTIES SKIP_RETURN_CODE 77)
e2e(kept_places)
e2e(forgotten_flags)
e2e(lost_record)
e2e(full_primary)
e2e(quota_pair)
e2e(group)

# A replica whose disk is slow.
if(slow_sync_file)
  idem_program_test(e2e_slow_replica SOURCES slow_replica.c LINK e2e_harness
                    ARGS $<TARGET_FILE:idemstored> ${slow_sync_file}
                    LABELS e2e)
  add_dependencies(e2e_slow_replica idemstored slow_sync)
endif()
