# SPDX-License-Identifier: Apache-2.0
# What an operator may have written, into the reader of credentials.
idem_fuzz(fuzz_credentials SOURCES fuzz_credentials.c LINK ids_access)
