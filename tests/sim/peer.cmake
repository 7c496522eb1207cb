# SPDX-License-Identifier: Apache-2.0
# Two nodes or three, their clients, an operator and a hostile network.
if(NOT TARGET ids_peer_mutable)
  return()
endif()

set(seeds 10000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(seeds 500)
endif()
idem_program_test(peer_sim
  SOURCES peer_sim.c peer_world.c peer_net.c peer_node.c peer_host.c
          peer_hold.c peer_disk.c peer_clash.c peer_lost.c peer_backup.c
          peer_client.c peer_group.c peer_operator.c peer_check.c peer_copy.c
  LINK ids_peer_mutable idt LABELS sim ARGS --seeds 1..${seeds} TIMEOUT 600)

# It can fail: without any one of the rules it does, within those seeds; and
# judged by what clients hear alone, which takes longer.
set(rules R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12
          epoch-rises steps-down drops-pending acks-applied acks-swapped
          joins-whole swaps-whole disowned kept-alone kept-acks had-replica
          third-node steals-session one-leads epoch-bound whole-ms restored)
idem_faults(peer_sim_needs 600
  COMMAND peer_sim --rule-off @ --seeds 1..10000 FAULTS ${rules} status-by-name origin)
idem_faults(peer_sim_harm_without 600
  COMMAND peer_sim --rule-off @ --see replies --seeds 1..30000
  FAULTS ${rules})

# The same seed tells the same story.
add_test(NAME peer_sim_repeats
         COMMAND sh -c "$<TARGET_FILE:peer_sim> --seed 7 >peer_7a.txt && \
$<TARGET_FILE:peer_sim> --seed 7 >peer_7b.txt && cmp peer_7a.txt peer_7b.txt")
set_tests_properties(peer_sim_repeats PROPERTIES LABELS sim TIMEOUT 60)
