# SPDX-License-Identifier: Apache-2.0
# Options.cmake -- one interface target that every room of ours links: the
# warnings, the sanitizer, and asserts that stay on in every build type.
# The presets make a warning an error.

add_library(idem_options INTERFACE)
target_compile_definitions(idem_options INTERFACE _GNU_SOURCE)
target_compile_options(idem_options INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wundef -Wconversion -Wsign-conversion
  # assert(!"what is wrong")
  $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion> -fno-strict-aliasing
  -fno-omit-frame-pointer -UNDEBUG)
# What the product holds to beyond that, where it does: idem_strict(TARGET...).
function(idem_strict)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE -Wcast-qual -Wswitch-enum)
  endforeach()
endfunction()
target_include_directories(idem_options INTERFACE ${CMAKE_SOURCE_DIR})

if(IDEM_SANITIZE STREQUAL "address")
  set(san -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(IDEM_SANITIZE STREQUAL "thread")
  set(san -fsanitize=thread)
elseif(NOT IDEM_SANITIZE STREQUAL "")
  message(FATAL_ERROR "IDEM_SANITIZE is address, thread or empty")
endif()
if(IDEM_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "IDEM_FUZZ needs clang: cmake -DCMAKE_C_COMPILER=clang")
  endif()
  set(san -fsanitize=fuzzer-no-link,address,undefined
      -fno-sanitize-recover=undefined)
endif()
if(san AND NOT IDEM_FUZZ)
  # Half of -O2's time to compile, and the same reports. Which numbers are small
  # gcc does not find out then: that warning is the release build's.
  list(APPEND san -O1 -g1 -Wno-format-truncation)
endif()
target_compile_options(idem_options INTERFACE ${san})
target_link_options(idem_options INTERFACE ${san})

# The daemon that tests/lint/walk watches: each function says that it is entered.
if(IDEM_WALK)
  target_compile_options(idem_options INTERFACE -finstrument-functions)
endif()

# For the programs that read words from people.
add_library(idem_near STATIC ${CMAKE_SOURCE_DIR}/cmake/near.c)
target_link_libraries(idem_near PRIVATE idem_options)
# Every program of ours links this one, too.
add_library(idem_streams OBJECT ${CMAKE_SOURCE_DIR}/cmake/standard_streams.c)
target_link_libraries(idem_streams PRIVATE idem_options)
