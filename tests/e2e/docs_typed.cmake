# SPDX-License-Identifier: Apache-2.0
# Pages of docs whose sessions are typed from the first line to the last.
if(IDEM_SANITIZE OR IDEM_FUZZ)
  return()
endif()
function(e2e_docs_typed name page)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs_typed ${CMAKE_SOURCE_DIR}
            ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}/docs/${page}
            ${CMAKE_CURRENT_SOURCE_DIR}/docs_scenes)
  set_tests_properties(${name} PROPERTIES LABELS "e2e")
endfunction()
e2e_docs_typed(e2e_docs_recipes recipes.md)
e2e_docs_typed(e2e_docs_operations operations.md)
add_test(NAME e2e_docs_alerts
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs_alerts ${CMAKE_SOURCE_DIR})
set_tests_properties(e2e_docs_alerts PROPERTIES LABELS e2e)
