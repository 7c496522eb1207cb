#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test.sh BUILD_DIR SOURCE_DIR -- installs the library somewhere else and
# builds a small program against it: with find_package, with pkg-config, with
# pkg-config --static, and as C++ where there is a compiler for it.
set -eu
build=$1
here=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in client dev; do
    cmake --install "$build/client" --prefix "$work/tree" --component $part \
        >"$work/log" || { cat "$work/log"; exit 1; }
done
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/tree" \
    >"$work/log" && cmake --build "$work/build" >>"$work/log" ||
    { cat "$work/log"; exit 1; }
echo "find_package: $("$work/build/consumer")"

pc=$(dirname "$(find "$work/tree" -name idemclient.pc)")
# It stands alone: no other package's file is there to be found.
export PKG_CONFIG_LIBDIR="$pc" PKG_CONFIG_PATH=
lib=$(pkg-config --variable=libdir idemclient)
cc "$here/main.c" $(pkg-config --cflags --libs idemclient) -o "$work/shared"
echo "pkg-config: $(LD_LIBRARY_PATH="$lib" "$work/shared")"
cc "$here/main.c" $(pkg-config --cflags idemclient) "$lib/libidemclient.a" \
    $(pkg-config --static --libs-only-l idemclient | sed 's/-lidemclient//') \
    -o "$work/static"
echo "static: $("$work/static")"
if command -v c++ >/dev/null; then
    c++ -Wall -Wextra -Werror "$here/all.cc" $(pkg-config --cflags idemclient) \
        -L"$lib" -lidemclient -luv -o "$work/cc"
    LD_LIBRARY_PATH="$lib" "$work/cc"
    echo "c++: built and run"
fi
