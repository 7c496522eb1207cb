# SPDX-License-Identifier: Apache-2.0
# The console as C: cmake -DDIR=.. -DPARTS=a.css|b.js -DTO=.. -P this. Each part is
# put into the page as it is, in the place of @NAME@, and its hash into the page's
# Content-Security-Policy.

# base64 of what is given in hexadecimal, of 32 bytes.
function(base64_of hex out)
  set(letters
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(text "")
  string(APPEND hex 00) # 33 bytes: 11 times three
  foreach(i RANGE 10)
    math(EXPR at "${i} * 6")
    string(SUBSTRING ${hex} ${at} 6 three)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${three} >> ${shift}) & 63")
      string(SUBSTRING ${letters} ${index} 1 letter)
      string(APPEND text ${letter})
    endforeach()
  endforeach()
  string(SUBSTRING ${text} 0 43 text)
  set(${out} "${text}=" PARENT_SCOPE)
endfunction()

file(READ ${DIR}/console.html page HEX)
set(allowed_css "")
set(allowed_js "")
string(REPLACE "|" ";" parts "${PARTS}")
foreach(part ${parts})
  file(READ ${DIR}/${part} hex HEX)
  string(HEX "@${part}@" mark)
  string(FIND "${page}" ${mark} at)
  if(at EQUAL -1)
    message(FATAL_ERROR "console.html has no place for ${part}")
  endif()
  string(REPLACE ${mark} "${hex}" page "${page}")
  file(SHA256 ${DIR}/${part} hash)
  base64_of(${hash} hash)
  get_filename_component(kind ${part} EXT)
  string(SUBSTRING ${kind} 1 -1 kind)
  string(APPEND allowed_${kind} " 'sha256-${hash}'")
endforeach()

string(CONCAT policy "default-src 'none'; script-src${allowed_js}; "
  "style-src${allowed_css}; connect-src 'self'; img-src data:; "
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${page}")
file(WRITE ${TO} "/* SPDX-License-Identifier: Apache-2.0 */
/* Made of server/http/console; see embed.cmake. */
#include \"server/http/console.h\"

static const uint8_t html[] = {
${bytes}};

const ids_http_page ids_http_console = {
    .html = html,
    .html_bytes = sizeof html,
    .fields = \"Content-Security-Policy: ${policy}\\r\\n\"
              \"Referrer-Policy: no-referrer\\r\\n\"
              \"Cross-Origin-Opener-Policy: same-origin\\r\\n\"
              \"Cross-Origin-Resource-Policy: same-origin\\r\\n\"};
")
