# SPDX-License-Identifier: Apache-2.0
# The journal on a hostile disk. The build has switches in it that turn one
# rule off each; the simulation has to see that.
if(NOT TARGET ids_journal_mutable)
  return()
endif()

add_library(idt_disk STATIC disk_damage.c disk_hostile.c
            disk_history.c disk_life.c disk_replace.c
            disk_recover.c disk_world.c)
target_compile_definitions(idt_disk PUBLIC IDS_MUTANTS)
target_link_libraries(idt_disk PRIVATE idem_options
                      PUBLIC ids_journal_mutable idt ids_core)

set(seeds 3000)
if(NOT IDEM_SANITIZE STREQUAL "" OR IDEM_FUZZ)
  set(seeds 300)
endif()
idem_program_test(disk_sim SOURCES disk_sim.c LINK idt_disk LABELS sim
                  ARGS --seeds ${seeds})

idem_faults(disk_sim_finds
  COMMAND disk_sim --mutant @ --seeds 3000
  FAULTS no-chain no-checksum ack-before-sync rotates-unsynced
         takes-short-writes ignores-write-errors ignores-sync-errors
         no-folder-sync manifest-in-place manifest-not-synced
         removes-too-early cuts-too-late snapshot-unsynced snapshot-wins
         cuts-corruption refuses-torn forgets-missing trusts-the-tail
         trusts-the-sealed shrinks-deadlines clock-starts-anew resumes-epoch
         ignores-full-disk trusts-a-copy mixes-histories keeps-incarnation zeroes-the-head)
