# SPDX-License-Identifier: Apache-2.0
# What the journal reads back from a disk.
if(NOT TARGET ids_journal)
  return()
endif()
foreach(target log snapshot)
  idem_fuzz(fuzz_${target} SOURCES fuzz_${target}.c journal_feed.c
            LINK ids_journal idt)
endforeach()
idem_fuzz(fuzz_manifest SOURCES fuzz_manifest.c LINK ids_journal)
