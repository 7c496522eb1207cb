# SPDX-License-Identifier: Apache-2.0
# Any bytes as HTTP. The oracle is Debian's libhttp-parser: what ours takes, that
# takes, too, and as the same.
find_library(http_parser_archive libhttp_parser.a REQUIRED)
idem_fuzz(fuzz_http_reader SOURCES fuzz_http_reader.c
          LINK ids_http ${http_parser_archive})
