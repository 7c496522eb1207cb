# SPDX-License-Identifier: Apache-2.0
# kill -9 under load, and power cuts, with the journal on.
#   crash IDEMSTORED always|everysec ROUNDS [POWERCUT]
add_library(powercut SHARED powercut.c)
target_compile_definitions(powercut PRIVATE _GNU_SOURCE)
target_link_libraries(powercut PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(powercut PROPERTIES C_VISIBILITY_PRESET default)

idem_program_test(e2e_crash_always SOURCES crash.c LINK e2e_harness
  ARGS $<TARGET_FILE:idemstored> always 40 LABELS e2e slow TIMEOUT 300)
add_dependencies(e2e_crash_always idemstored powercut)

function(crash name)
  add_test(NAME e2e_crash_${name}
           COMMAND e2e_crash_always $<TARGET_FILE:idemstored> ${ARGN})
  set_tests_properties(e2e_crash_${name} PROPERTIES TIMEOUT 300
    LABELS "e2e;slow" FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
endfunction()
crash(everysec everysec 3)
# A sanitizer's runtime wants to be the first library.
if(IDEM_SANITIZE STREQUAL "" AND NOT IDEM_FUZZ)
  crash(power_always always 20 $<TARGET_FILE:powercut>)
  crash(power_everysec everysec 4 $<TARGET_FILE:powercut>)
endif()
