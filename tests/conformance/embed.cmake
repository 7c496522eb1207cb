# SPDX-License-Identifier: Apache-2.0
# Stories as C: cmake -DDIR=.. -DNAMES=a.md|b.md -DARRAY=.. -DTO=.. -P this
string(REPLACE "|" ";" names "${NAMES}")
set(arrays "")
set(rows "")
foreach(name ${names})
  get_filename_component(word ${name} NAME_WE)
  file(READ ${DIR}/${name} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const char ${word}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", ${word}},\n")
endforeach()
file(WRITE ${TO} "#include \"tests/conformance/stories.h\"\n\n#include <stddef.h>\n\n${arrays}\n"
  "const conf_story_file ${ARRAY}[] = {\n${rows}    {NULL, NULL}};\n")
