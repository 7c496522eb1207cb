# SPDX-License-Identifier: Apache-2.0
# Tests.cmake -- how a test is declared. A sanitizer's report fails a test
# even where the runner still says it passed. Each has its folder's name among
# its labels, so that `scripts/test core` finds those of tests/unit/core.
#
# No test has a time limit of its own below ctest's, which is 1,500 s: the limit
# is for what hangs, and a machine with other work is many times slower. A lint
# holds it.

set(IDEM_SANITIZER_SAID
    "ERROR: (Leak|Address|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:")

# idem_test(NAME SOURCES... LINK targets... [LABELS labels...])
# A Criterion program; it forks per test, so none of it runs under TSan.
function(idem_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LINK;LABELS;ARGS" ${ARGN})
  if(IDEM_SANITIZE STREQUAL "thread")
    return()
  endif()
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE idem_options ${T_LINK}
                        PkgConfig::criterion)
  idem_declare_test(${name} LABELS unit ${T_LABELS} ARGS ${T_ARGS})
endfunction()

# idem_program_test(NAME ...): the same for a plain main(), TSan included.
function(idem_program_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LINK;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE idem_options ${T_LINK})
  idem_declare_test(${name} LABELS ${T_LABELS} ARGS ${T_ARGS})
endfunction()

function(idem_declare_test name)
  cmake_parse_arguments(T "" "" "LABELS;ARGS" ${ARGN})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  file(RELATIVE_PATH component ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REGEX REPLACE "(^|.*/)([^/]+)(/tests)?$" "\\2" component ${component})
  list(APPEND T_LABELS ${component})
  list(REMOVE_DUPLICATES T_LABELS)
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  set_tests_properties(${name} PROPERTIES
    LABELS "${T_LABELS}"
    FAIL_REGULAR_EXPRESSION "${IDEM_SANITIZER_SAID}")
endfunction()
