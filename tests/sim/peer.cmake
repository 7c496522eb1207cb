# SPDX-License-Identifier: Apache-2.0
# Two nodes or three, their clients, an operator and a hostile network.
if(NOT TARGET ids_node_mutable)
  return()
endif()

# The first seeds are the tier core's; all 10,000 are run in --all, in two parts,
# so that two cores have work.
set(first 1500)
set(half 5500)
set(all 10000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(first 500)
endif()
set(seal peer_seal_off.c)
if(TARGET idp_tls)
  set(seal peer_seal.c)
  set(tls idp_tls idt_tls)
endif()
idem_program_test(peer_sim
  SOURCES peer_sim.c peer_world.c peer_net.c peer_ends.c peer_node.c peer_driver.c
          peer_worker.c peer_wire.c peer_look.c peer_disk.c peer_backup.c
          peer_clash.c peer_lost.c peer_client.c peer_decide.c mutant.c peer_group.c peer_operator.c peer_check.c peer_reach.c
          peer_copy.c peer_agents.c agent_etcd.c agent_post.c agent_host.c ${seal}
  LINK ids_node_mutable ids_agent_mutable idt ${tls} LABELS sim ARGS --seeds 1..${first})
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  math(EXPR behind "${first} + 1")
  math(EXPR last "${half} + 1")
  add_test(NAME peer_sim_behind COMMAND peer_sim --seeds ${behind}..${half})
  add_test(NAME peer_sim_last COMMAND peer_sim --seeds ${last}..${all})
  set_tests_properties(peer_sim_behind peer_sim_last PROPERTIES LABELS "sim;all")
endif()
# The same worlds with TLS between the nodes. A world has hundreds of handshakes,
# which cost more than all else in it.
if(TARGET idp_tls)
  set(sealed 20)
  if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
    set(sealed 5)
  endif()
  foreach(how on drips)
    add_test(NAME peer_sim_tls_${how}
             COMMAND peer_sim --tls ${how} --seeds 1..${sealed})
    set_tests_properties(peer_sim_tls_${how} PROPERTIES LABELS "sim;tls"
      FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
  endforeach()
endif()
# The checker looks on: see peer_look.c.
foreach(name commit_gate_change commit_gate_call reply_answer reply_message staging_route
             audit_is_off audit_begin audit_ask)
  target_link_options(peer_sim PRIVATE LINKER:--wrap=ids_${name})
endforeach()

# It can fail: without any one of the rules it does, within those seeds; and
# judged by what clients hear alone, which takes longer.
set(rules R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12
          epoch-rises steps-down drops-pending acks-applied acks-swapped
          joins-whole swaps-whole disowned kept-alone kept-acks had-replica
          third-node steals-session one-leads epoch-bound whole-ms
          kept-at all-members own-acks own-session own-place
          kept-replies swaps-all revokes watermark-now)
idem_faults(peer_sim_needs
  COMMAND peer_sim --rule-off @ --seeds 1..10000 
  FAULTS ${rules} min-leaves status-by-name origin quiesce-whole role-first tells-first)
# What a copied folder does harm to is rare: none of those seeds has it.
idem_faults(peer_sim_needs
  COMMAND peer_sim --rule-off @ --seeds 10001..20000
  FAULTS restored)
idem_faults(peer_sim_harm_without
  COMMAND peer_sim --rule-off @ --see replies --seeds 1..30000
  FAULTS ${rules} restored)
idem_faults(peer_sim_needs
  COMMAND peer_sim --rule-off @ --seeds 1..10000
  FAULTS yields)

# Operators decide what became of claims, with a record that can't be written now
# and then. Without that record, and with sim's faults in each shard's resolve.
set(decided 1000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(decided 100)
endif()
add_test(NAME peer_sim_decides
         COMMAND peer_sim --decisions on --seeds 1..${decided})
set_tests_properties(peer_sim_decides PROPERTIES LABELS sim
  FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
idem_faults(peer_sim_decides_need
  COMMAND peer_sim --decisions on --rule-off @ --seeds 1..1000
  FAULTS on-record R1 R7)
idem_faults(peer_sim_decides_find
  COMMAND peer_sim --decisions on --mutant @ --seeds 1..1000
  FAULTS no-takeover resolves-anew completes-over needs-no-force)

# Agents decide: nodes and agents as they ship, a model of etcd.
set(agents 1000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(agents 100)
endif()
add_test(NAME peer_sim_agents
         COMMAND peer_sim --agents on --seeds 1..${agents})
set_tests_properties(peer_sim_agents PROPERTIES LABELS sim
  FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
idem_faults(peer_sim_agents_need
  COMMAND peer_sim --agents on --rule-off @ --seeds 1..3000
  FAULTS N2-incarnation N2-revision N2-epoch N2-resumes N3-revision N3-ends
         N4-inherited N5 R1 all-members
         T0-compare T1-member T1-gone T1-self T3-offer T3-revision T3-ready
         T4-touch T7-failure T7-silence command-first compare compare-fresh
         incarnation A1-config A2-incarnation
         K2-theirs K3-own K4-absent K6-end K7-whole K9-low K10-later)
# Two takeovers on end, and somebody who was away: rare.
idem_faults(peer_sim_agents_need
  COMMAND peer_sim --agents on --rule-off @ --seeds 3001..6000
  FAULTS K5-touched)

if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  add_test(NAME peer_sim_agents_behind
           COMMAND peer_sim --agents on --seeds 1001..5500)
  add_test(NAME peer_sim_agents_last
           COMMAND peer_sim --agents on --seeds 5501..10000)
  set_tests_properties(peer_sim_agents_behind peer_sim_agents_last PROPERTIES
    LABELS "sim;all")
endif()

# These take half a minute or more, each.
foreach(test needs_yields needs_restored needs_kept-acks needs_R9 needs_own-place
             harm_without_R3 harm_without_R9 harm_without_joins-whole
             harm_without_own-place harm_without_watermark-now
             agents_need_K7-whole agents_need_T3-ready)
  if(TEST peer_sim_${test})
    set_tests_properties(peer_sim_${test} PROPERTIES LABELS "sim;all")
  endif()
endforeach()

# The same seed tells the same story.
add_test(NAME peer_sim_repeats
         COMMAND sh -c "$<TARGET_FILE:peer_sim> --seed 7 >peer_7a.txt && \
$<TARGET_FILE:peer_sim> --seed 7 >peer_7b.txt && cmp peer_7a.txt peer_7b.txt")
set_tests_properties(peer_sim_repeats PROPERTIES LABELS sim)
