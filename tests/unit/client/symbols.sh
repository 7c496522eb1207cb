#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols.sh LIBRARY LIST HEADERS ARCHIVE -- the library shows exactly the names
# that are listed, the headers of that folder declare exactly those, and the
# static library has no others, nor needs any of ours from elsewhere.
set -eu
shown=$(nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' |
        sed 's/@.*//' | LC_ALL=C sort)
declared=$(sed 's://.*$::' "$3"/*.h | tr '\n' ' ' |
           grep -oE 'IDEM_API [^;(]*\(' | grep -oE 'idem_[a-z_]+\($' |
           tr -d '(' | LC_ALL=C sort)
listed=$(LC_ALL=C sort "$2")
[ "$shown" = "$listed" ] || {
    echo "the library shows other names than $2 lists:"
    printf '%s\n' "$shown" | diff "$2" - || true
    exit 1
}
[ "$declared" = "$listed" ] || {
    echo "the headers declare other names than $2 lists:"
    printf '%s\n' "$declared" | diff "$2" - || true
    exit 1
}
static=$(nm -g --defined-only "$4" | awk 'NF == 3 { print $3 }' |
         LC_ALL=C sort)
[ "$static" = "$listed" ] || {
    echo "the static library shows other names than $2 lists:"
    printf '%s\n' "$static" | diff "$2" - || true
    exit 1
}
if nm -u "$4" | grep -E ' (idem|idp|ids)_'; then
    echo "the static library lacks these"
    exit 1
fi
echo "$(printf '%s\n' "$listed" | wc -l) names"
