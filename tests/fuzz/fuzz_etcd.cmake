# SPDX-License-Identifier: Apache-2.0
# What etcd, or whatever stands at its port, answers an agent.
if(TARGET ids_etcd)
  idem_fuzz(fuzz_etcd SOURCES fuzz_etcd.c LINK ids_etcd)
endif()
