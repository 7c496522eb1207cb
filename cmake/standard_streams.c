/* SPDX-License-Identifier: Apache-2.0 */
/* standard_streams.c -- linked into every program: before main runs,
 * descriptors 0 to 2 are open, and a file that grows too large is an error of
 * its write and no end without a word (SIGXFSZ).
 *
 * Whoever starts a program may have closed them. Then the first file or socket
 * that it opens takes their place, and what is meant for a terminal is written
 * into a data file, or to the server. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define EXIT_OS 71 /* EX_OSERR */

/* The lower ones are open, so an open gives exactly this one. */
static void open_one(int fd) {
    if (fcntl(fd, F_GETFD) >= 0)
        return;
    /* What is printed to a closed stdout is lost, and its writer hears so. */
    int got = open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
    if (got < 0) /* no devices here: it need only be something harmless */
        got = open("/", O_PATH | O_DIRECTORY);
    if (got != fd)
        _exit(EXIT_OS);
}

__attribute__((constructor)) static void prepare(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        open_one(fd);
    signal(SIGXFSZ, SIG_IGN);
}
