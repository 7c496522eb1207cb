# SPDX-License-Identifier: Apache-2.0
# Operations into a shard, held against the model.
if(TARGET idt_world)
  idem_fuzz(fuzz_shard SOURCES fuzz_shard.c LINK idt_world)
endif()
