# SPDX-License-Identifier: Apache-2.0
# Agents as they ship, with a model of etcd and of the nodes.
if(NOT TARGET ids_agent_mutable)
  return()
endif()

set(agent_seeds 3000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(agent_seeds 400)
endif()
idem_program_test(agent_sim
  SOURCES agent_sim.c agent_world.c agent_post.c agent_etcd.c agent_node.c
          agent_repl.c agent_check.c agent_faults.c agent_host.c
  LINK ids_agent_mutable LABELS sim ARGS --seeds 1..${agent_seeds})

# It can fail: without any one of the agent's rules it does.
idem_faults(agent_sim_needs
  COMMAND agent_sim --rule-off @ --seeds 1..4000
  FAULTS T0-compare T0-epoch T0-history T0-others T1-member T1-gone T1-epoch T1-self
         incarnation compare compare-fresh command-first T2-lost T2-min
         T3-offer T3-revision T3-ready T4-touch T6-compare T7-failure
         T7-silence A1-config A2-silent A2-incarnation A3-speaks A6-backup)

# The same seed tells the same story.
add_test(NAME agent_sim_repeats
         COMMAND sh -c "$<TARGET_FILE:agent_sim> --seed 7 >agent_7a.txt && \
$<TARGET_FILE:agent_sim> --seed 7 >agent_7b.txt && cmp agent_7a.txt agent_7b.txt")
set_tests_properties(agent_sim_repeats PROPERTIES LABELS sim)
