#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# exception.sh CXX SOURCE_DIR LIBRARY FAKE_SERVER CODEC -- builds exception.cc
# against the shared library and runs it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" -std=c++11 -Wall -Wextra -Werror -I"$2" -I"$2/client/include" \
    "$2/tests/unit/client/exception.cc" "$3" "$4" "$5" -lsodium -pthread \
    -Wl,-rpath,"$(dirname "$3")" -o "$work/exception"
"$work/exception"
