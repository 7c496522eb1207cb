# Two daemons that replicate.
target_sources(e2e_harness PRIVATE ${CMAKE_CURRENT_LIST_DIR}/pair.c)
e2e(failover TIMEOUT 240)
e2e(stalled_copy TIMEOUT 180)
e2e(strangers TIMEOUT 180)
e2e(stood_still TIMEOUT 120)
e2e(pair_states TIMEOUT 240)
e2e(safe_to_stop TIMEOUT 240)
e2e(kept_places TIMEOUT 240)
