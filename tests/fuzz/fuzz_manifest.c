/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_manifest.c -- any bytes as a manifest; its checksum is mended, and what
 * is taken is written again as it stood. */
#include "server/journal/crc32c.h"
#include "server/journal/manifest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    ids_manifest m;
    ids_fault fault = {0};
    char *text = calloc(1, len + 32);
    assert(text);
    if (len) {
        memcpy(text, bytes, len);
    }
    len += (size_t)sprintf(text + len, "crc %08x\n", ids_crc32c(0, text, len));
    if (ids_manifest_parse(&m, text, len, &fault)) {
        size_t again_len;
        char *again = ids_manifest_text(&m, &again_len);
        ids_manifest second;
        assert(again);
        assert(ids_manifest_parse(&second, again, again_len, &fault));
        assert(second.runs == m.runs && second.epoch == m.epoch);
        ids_manifest_fini(&second);
        ids_manifest_fini(&m);
        free(again);
    } else {
        assert(fault.kind != IDS_FAULT_NONE);
    }
    free(text);
    return 0;
}
