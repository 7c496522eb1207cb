# SPDX-License-Identifier: Apache-2.0
# libidemclient as other languages load it, and the examples of its two lower
# layers. A library with a sanitizer in it loads into no interpreter.
if(NOT TARGET idemclient OR IDEM_SANITIZE OR IDEM_FUZZ)
  return()
endif()

find_program(IDEM_CXX NAMES c++ g++ clang++)
foreach(name ctypes cffi koffi cplusplus)
  add_test(NAME e2e_language_${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/languages/run ${name}
            ${CMAKE_BINARY_DIR}/languages/${name} $<TARGET_FILE:idemstored>
            $<TARGET_FILE:idemclient> ${CMAKE_SOURCE_DIR}/client/include
            ${CMAKE_C_COMPILER} ${IDEM_CXX})
  set_tests_properties(e2e_language_${name} PROPERTIES LABELS "e2e;languages"
                       SKIP_RETURN_CODE 77)
endforeach()

if(TARGET conn_poll)
  add_test(NAME e2e_examples
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/with_daemon $<TARGET_FILE:idemstored> 2
            ${CMAKE_CURRENT_SOURCE_DIR}/languages/examples
            $<TARGET_FILE_DIR:conn_poll>)
  set_tests_properties(e2e_examples PROPERTIES LABELS e2e)
endif()
