#!/bin/sh
# symbols.sh LIBRARY LIST HEADERS -- the library shows exactly the names that
# are listed, and the headers of that folder declare exactly those.
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
echo "$(printf '%s\n' "$listed" | wc -l) names"
