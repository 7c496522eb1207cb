# SPDX-License-Identifier: Apache-2.0
# A file of settings.
idem_fuzz(fuzz_config SOURCES fuzz_config.c LINK ids_server)
