# SPDX-License-Identifier: Apache-2.0
# Turns a text file into a C array: cmake -DFROM=.. -DTO=.. -DNAME=.. -P this
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${TO} "extern const char ${NAME}[];\n")
file(APPEND ${TO} "const char ${NAME}[] = {${bytes}0};\n")
