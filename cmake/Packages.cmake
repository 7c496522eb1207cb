# SPDX-License-Identifier: Apache-2.0
# Packages.cmake -- every library that we use, found in one place.
# libuv, libsodium and their like have no CMake config on Debian 12.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(confuse REQUIRED IMPORTED_TARGET libconfuse>=3.3)
pkg_check_modules(edit REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
if(IDEM_TLS)
  pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl>=3.0)
endif()

# The packer is all in the headers and serves proto; the tests link the library
# too, as a second opinion on the wire. Debian and upstream name it differently.
find_package(msgpack-c CONFIG REQUIRED NAMES msgpack-c msgpackc msgpack)
foreach(name msgpack-c msgpackc)
  if(TARGET ${name} AND NOT TARGET idem_msgpack)
    add_library(idem_msgpack INTERFACE)
    target_link_libraries(idem_msgpack INTERFACE ${name})
    add_library(idem_msgpack_headers INTERFACE)
    target_include_directories(idem_msgpack_headers SYSTEM INTERFACE
      $<TARGET_PROPERTY:${name},INTERFACE_INCLUDE_DIRECTORIES>)
  endif()
endforeach()

# idemconform reads JSON with it: from its archive, for a program that runs
# where nothing is installed.
find_library(jansson_archive libjansson.a REQUIRED
             HINTS ${jansson_LIBDIR} ${jansson_STATIC_LIBRARY_DIRS})
add_library(idem_jansson_static INTERFACE)
target_include_directories(idem_jansson_static SYSTEM INTERFACE
                           ${jansson_INCLUDE_DIRS})
target_link_libraries(idem_jansson_static INTERFACE ${jansson_archive})

# For the failover agent's client of etcd; without it there is no agent.
pkg_check_modules(curl IMPORTED_TARGET libcurl>=7.85)
if(IDEM_BENCH)
  pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
endif()
if(IDEM_TESTS)
  pkg_check_modules(criterion REQUIRED IMPORTED_TARGET criterion)
  pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
  pkg_check_modules(cjson REQUIRED IMPORTED_TARGET libcjson)
endif()
