/* SPDX-License-Identifier: Apache-2.0 */
/* click.c -- clicks twice on everything, from threads: see double_click.c. */
#include <idemclient.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 8,
    THINGS_MAX = 1 << 20,
    WAIT_MS = 60000,
    PATIENCE_MS = 120000
};

static idem_client *client;
static _Atomic int next_click, clicks, troubles;
static _Atomic unsigned char runs[THINGS_MAX];

static int32_t work(idem_run *run, void *thing) {
    char result[32];
    int len = snprintf(result, sizeof result, "did %d", *(int *)thing);
    atomic_fetch_add(&runs[*(int *)thing], 1);
    idem_run_set_result(run, result, (size_t)len, IDEM_CLASS_SUCCESS);
    return IDEM_RUN_DONE;
}

static void click_on(int thing, idem_answer *answer) {
    char key[32], expected[32];
    idem_error err = {.size = sizeof err};
    snprintf(key, sizeof key, "thing-%d", thing);
    int len = snprintf(expected, sizeof expected, "did %d", thing);
    idem_args args = {.size = sizeof args,
                      .key = key,
                      .key_len = strlen(key),
                      .wait_ms = WAIT_MS,
                      .timeout_ms = PATIENCE_MS};
    int32_t code = idem_run_once(client, &args, work, &thing, answer, &err);
    if (code == 0 && answer->result_len == (size_t)len &&
        memcmp(answer->result, expected, (size_t)len) == 0)
        return;
    atomic_fetch_add(&troubles, 1);
    printf("%s: %s\n", key,
           code ? err.text : idem_outcome_name(answer->outcome));
}

static int input_has_ended(void) {
    struct pollfd look = {.fd = 0, .events = POLLIN};
    return poll(&look, 1, 0) != 0;
}

/* Two clicks after each other go to two threads. */
static void *click_away(void *ctx) {
    idem_answer answer = {.size = sizeof answer};
    (void)ctx;
    while (!input_has_ended() && atomic_load(&troubles) == 0) {
        int click = atomic_fetch_add(&next_click, 1);
        if (click / 2 >= THINGS_MAX)
            break;
        click_on(click / 2, &answer);
        int done = atomic_fetch_add(&clicks, 1) + 1;
        if (done % 50 == 0)
            printf("done %d\n", done);
        poll(NULL, 0, 2); /* the store is what is tried, not the machine */
    }
    idem_answer_fini(&answer);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    idem_error err = {.size = sizeof err};
    const char *stores = getenv("STORES");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!stores || idem_client_open(stores, &client, &err) != 0) {
        printf("%s\n", stores ? err.text : "STORES is not set");
        return 1;
    }
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, click_away, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* Later on nothing of it is run again. */
    idem_answer answer = {.size = sizeof answer};
    int things = atomic_load(&next_click) / 2, wrong = 0;
    for (int thing = 0; thing < things; thing++) {
        click_on(thing, &answer);
        wrong += atomic_load(&runs[thing]) != 1;
    }
    idem_answer_fini(&answer);
    idem_client_close(client);
    printf("%d things, %d of them not run once, %d troubles\n", things, wrong,
           atomic_load(&troubles));
    return wrong || atomic_load(&troubles) || things == 0;
}
