/* SPDX-License-Identifier: Apache-2.0 */
/* walk_recorder.c -- linked into the daemon of the preset `walk` alone: each
 * function that is entered, and each time bytes come, leave or are waited for,
 * becomes an event in the file $IDEM_WALK_FILE. tests/lint/walk reads it.
 *
 * The calls of the C library that are seen are defined here, in the program,
 * so that libuv's go through here as well. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX ((size_t)1 << 20) /* some minutes of a quiet daemon */
#define NOT_SEEN   __attribute__((no_instrument_function))

typedef enum event_kind {
    ENTERED = 1, /* what: the function's address */
    CAME,        /* what: the descriptor; count: bytes */
    LEFT,        /* the same */
    WAITS,       /* the thread polls */
} event_kind;

/* As tests/lint/walk unpacks it. */
typedef struct event {
    uint64_t when_ns;
    uint64_t what;
    int64_t count;
    uint32_t thread;
    uint32_t kind;
} event;
_Static_assert(sizeof(event) == 32, "tests/lint/walk unpacks 32 bytes");

static event *events; /* NULL: nothing is recorded */
static atomic_size_t used;
static _Thread_local uint32_t thread_id;
static unsigned slow_ms;

void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);

NOT_SEEN static void record(event_kind kind, uint64_t what, int64_t count) {
    if (!events)
        return;
    size_t at = atomic_fetch_add_explicit(&used, 1, memory_order_relaxed);
    if (at >= EVENTS_MAX)
        return; /* what came last is missing, and the reader says so */
    if (!thread_id)
        thread_id = (uint32_t)syscall(SYS_gettid);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    events[at] = (event){.when_ns = (uint64_t)now.tv_sec * 1000000000u +
                                    (uint64_t)now.tv_nsec,
                         .what = what,
                         .count = count,
                         .thread = thread_id,
                         .kind = kind};
}

NOT_SEEN __attribute__((constructor)) static void begin_recording(void) {
    const char *path = getenv("IDEM_WALK_FILE");
    const char *slow = getenv("IDEM_WALK_SLOW_MS");
    slow_ms = slow ? (unsigned)atoi(slow) : 0;
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    size_t size = EVENTS_MAX * sizeof(event); /* a file with a hole */
    if (ftruncate(fd, (off_t)size) == 0) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        events = at == MAP_FAILED ? NULL : at;
    }
    close(fd);
}

NOT_SEEN void __cyg_profile_func_enter(void *function, void *caller) {
    (void)caller;
    record(ENTERED, (uint64_t)(uintptr_t)function, 0);
}

NOT_SEEN void __cyg_profile_func_exit(void *function, void *caller) {
    (void)function, (void)caller;
}

NOT_SEEN static ssize_t moved(event_kind kind, int fd, long count) {
    if (count > 0)
        record(kind, (uint64_t)fd, count);
    return count;
}

/* The rest is for libuv, too: the project hides what is not said to be seen. */
#pragma GCC visibility push(default)

/* The loops receive and send by it (server/net/calls.h). */
NOT_SEEN long syscall(long number, ...) {
    static long (*next)(long, ...);
    long of[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        of[i] = va_arg(args, long);
    va_end(args);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    long done = next(number, of[0], of[1], of[2], of[3], of[4], of[5]);
    return number == SYS_recvfrom ? moved(CAME, (int)of[0], done)
           : number == SYS_sendto ? moved(LEFT, (int)of[0], done)
                                  : done;
}

NOT_SEEN ssize_t recv(int fd, void *to, size_t len, int flags) {
    return syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);
}

NOT_SEEN ssize_t read(int fd, void *to, size_t len) {
    return moved(CAME, fd, syscall(SYS_read, fd, to, len));
}

NOT_SEEN ssize_t send(int fd, const void *from, size_t len, int flags) {
    return syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}

NOT_SEEN ssize_t sendmsg(int fd, const struct msghdr *parts, int flags) {
    return moved(LEFT, fd, syscall(SYS_sendmsg, fd, parts, flags));
}

/* A slow node looks at what came only after a while: then it is the last of
 * all that a reply waits for, and the walk is the same each time. */
NOT_SEEN int epoll_pwait(int fd, struct epoll_event *to, int max,
                         int timeout_ms, const sigset_t *mask) {
    record(WAITS, 0, 0);
    long n = syscall(SYS_epoll_pwait, fd, to, max, timeout_ms, mask, _NSIG / 8);
    if (n > 0 && slow_ms)
        usleep(slow_ms * 1000);
    return (int)n;
}

NOT_SEEN int epoll_wait(int fd, struct epoll_event *to, int max,
                        int timeout_ms) {
    return epoll_pwait(fd, to, max, timeout_ms, NULL);
}

#pragma GCC visibility pop
