/* SPDX-License-Identifier: Apache-2.0 */
/* points_minimal.c -- the least there is to linking libidemclient.
 *
 *   cc points_minimal.c $(pkg-config --cflags --libs idemclient) -o play
 *   ./play my-key     takes the points
 *   ./play my-key     says again what it said the first time */
#include <idemclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t take_points(idem_run *run, void *ctx) {
    const char *answer = "10 points taken";
    (void)ctx;
    puts("(working)"); /* what must happen once */
    return idem_run_set_result(run, answer, strlen(answer), IDEM_CLASS_SUCCESS)
               ? IDEM_RUN_UNSURE
               : IDEM_RUN_DONE;
}

int main(int argc, char **argv) {
    const char *key = argc > 1 ? argv[1] : "my-key";
    idem_client *client;
    idem_error err = {.size = sizeof err};
    const char *uri = getenv("IDEMSTORE_URL");
    if (uri == NULL)
        uri = "idem://127.0.0.1:7117/";
    if (idem_client_open(uri, &client, &err) != 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    idem_args args = {.size = sizeof args, .key = key, .key_len = strlen(key)};
    idem_answer answer = {.size = sizeof answer};
    int32_t code =
        idem_run_once(client, &args, take_points, NULL, &answer, &err);
    if (code == 0)
        printf("%s: %.*s\n", idem_outcome_name(answer.outcome),
               (int)answer.result_len,
               answer.result ? (const char *)answer.result : "");
    else
        fprintf(stderr, "%s\n", err.text);
    idem_answer_fini(&answer);
    idem_client_close(client);
    return code != 0;
}
