# SPDX-License-Identifier: Apache-2.0
# docs/tls.md, typed from its first line to its last.
if(NOT IDEM_TLS OR NOT TARGET idemclient OR IDEM_SANITIZE OR IDEM_FUZZ)
  return()
endif()
function(e2e_docs_tls name label)
  add_test(NAME ${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs_tls ${CMAKE_SOURCE_DIR}
            ${CMAKE_BINARY_DIR} $<TARGET_FILE:idemclient> ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "e2e;${label}"
                       SKIP_RETURN_CODE 77)
endfunction()
e2e_docs_tls(e2e_docs_tls tls c python)
e2e_docs_tls(e2e_docs_tls_languages languages js java)
