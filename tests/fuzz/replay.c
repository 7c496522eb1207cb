/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c -- a main for a fuzz target without libFuzzer: it feeds the files
 * of the corpus folders (or single files) that it is given, each once. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Each input lies in a block of exactly its size, so that a read past its end
 * is seen by the address sanitizer. */
static bool replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    struct stat about;
    bool good = fstat(fileno(file), &about) == 0;
    size_t len = good ? (size_t)about.st_size : 0;
    uint8_t *bytes = malloc(len ? len : 1);
    good = good && bytes && fread(bytes, 1, len, file) == len;
    fclose(file);
    if (good) {
        LLVMFuzzerTestOneInput(bytes, len);
    }
    free(bytes);
    return good;
}

static size_t replay_folder(const char *path, bool *good) {
    DIR *folder = opendir(path);
    if (!folder) {
        *good = replay_file(path) && *good;
        return 1;
    }
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        *good = replay_file(name) && *good;
        count++;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv) {
    bool good = true;
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i], &good);
    }
    printf("%zu inputs replayed\n", count);
    return good && count > 0 ? 0 : 1;
}
