/* SPDX-License-Identifier: Apache-2.0 */
/* make_fixture.c -- writes the story's folder: make_fixture FOLDER.
 *
 * Run it once per format version and commit what it wrote. */
#include "server/storage/disk.h"
#include "tests/unit/journal/story.h"

#include <stdio.h>

int main(int argc, char **argv) {
    ids_posix_disk posix;
    char text[IDS_FAULT_TEXT_BYTES];
    ids_fault fault = {0};
    if (argc != 2 || ids_posix_disk_open(&posix, argv[1]) != 0) {
        fprintf(stderr, "usage: make_fixture FOLDER\n");
        return 64;
    }
    ids_disk disk = ids_posix_disk_of(&posix);
    bool good = story_write(&disk, &fault);
    ids_fault_text(&fault, text);
    ids_posix_disk_close(&posix);
    printf("%s\n", good ? "written" : text);
    return good ? 0 : 1;
}
