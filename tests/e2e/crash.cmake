# SPDX-License-Identifier: Apache-2.0
# kill -9 under load, and power cuts, with the journal on.
#   crash IDEMSTORED always|everysec ROUNDS [POWERCUT]
e2e_preloaded(powercut)
idem_program_test(e2e_crash_always SOURCES crash.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> always 40 LABELS e2e slow)
add_dependencies(e2e_crash_always idemstored powercut)

function(crash name)
  add_test(NAME e2e_crash_${name}
           COMMAND e2e_crash_always $<TARGET_FILE:idemstored> ${ARGN})
  set_tests_properties(e2e_crash_${name} PROPERTIES
    LABELS "e2e;slow" FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
endfunction()
crash(everysec everysec 3)
if(powercut_file)
  crash(power_always always 20 ${powercut_file})
  crash(power_everysec everysec 4 ${powercut_file})
endif()
