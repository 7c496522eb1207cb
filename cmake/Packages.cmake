# Packages.cmake -- every library that we use, found in one place.
# libuv, libsodium and their like have no CMake config on Debian 12.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(edit REQUIRED IMPORTED_TARGET libedit)
if(IDEM_BENCH)
  pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
endif()
if(IDEM_TESTS)
  pkg_check_modules(criterion REQUIRED IMPORTED_TARGET criterion)
  pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
  pkg_check_modules(cjson REQUIRED IMPORTED_TARGET libcjson)
  # The tests' second opinion on the wire; our own codec is in proto/.
  find_package(msgpack-c CONFIG REQUIRED NAMES msgpack-c msgpackc msgpack)
  foreach(name msgpack-c msgpackc)
    if(TARGET ${name} AND NOT TARGET idem_msgpack)
      add_library(idem_msgpack INTERFACE)
      target_link_libraries(idem_msgpack INTERFACE ${name})
    endif()
  endforeach()
endif()
