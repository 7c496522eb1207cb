/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- a program outside of the tree that links what was installed. */
#include <idemclient.h>
#include <stdio.h>

int main(void) {
    idem_error err = {.size = sizeof err};
    idem_client *client = NULL;
    int32_t code = idem_client_open("idem://127.0.0.1/points", &client, &err);
    printf("%s %s\n", idem_version(), idem_error_name(code));
    idem_client_close(client);
    return code != 0;
}
