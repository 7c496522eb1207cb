/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_shell.c -- shell lines about idemctl, and what they say. */
#include "tests/e2e/ctl_shell.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

char ctl_output[CTL_OUTPUT_BYTES_MAX];

void ctl_start(daemon_t *daemon, const daemon_spec *spec, const char *ctl,
               const char *ns) {
    char uri[128];
    daemon_start(daemon, spec);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/%s", daemon->port, ns);
    setenv("IDEMSTORE_URL", uri, 1);
    setenv("CTL", ctl, 1);
}

int ctl_shell(const char *line) {
    fflush(NULL);
    /* What a shell makes of it is what is tested. NOLINTNEXTLINE */
    FILE *from = popen(line, "r");
    CHECK(from != NULL, "%s: no shell", line);
    size_t len = fread(ctl_output, 1, sizeof ctl_output - 1, from);
    ctl_output[len] = '\0';
    int status = pclose(from);
    CHECK(WIFEXITED(status), "%s: ended by signal %d", line, WTERMSIG(status));
    return WEXITSTATUS(status);
}

void ctl_says(int code, const char *text, const char *line) {
    char whole[2048];
    snprintf(whole, sizeof whole, "{ %s\n} 2>&1", line);
    int got = ctl_shell(whole);
    CHECK(got == code, "%s: exits %d, not %d: %s", line, got, code, ctl_output);
    CHECK(strstr(ctl_output, text) != NULL, "%s: says no \"%s\": %s", line,
          text, ctl_output);
}

const char *ctl_json(int code, const char *field, const char *line) {
    static char value[1024];
    int got = ctl_shell(line);
    CHECK(got == code, "%s: exits %d, not %d", line, got, code);
    size_t len = strlen(ctl_output);
    CHECK(len > 0 && strchr(ctl_output, '\n') == ctl_output + len - 1,
          "%s: not one line: %s", line, ctl_output);
    cJSON *object = cJSON_Parse(ctl_output);
    CHECK(cJSON_IsObject(object), "%s: no object: %s", line, ctl_output);
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field);
    CHECK(item != NULL, "%s: has no %s: %s", line, field, ctl_output);
    if (cJSON_IsString(item))
        snprintf(value, sizeof value, "%s", item->valuestring);
    else
        snprintf(value, sizeof value, "%s",
                 cJSON_IsNull(item)     ? "null"
                 : cJSON_IsTrue(item)   ? "true"
                 : cJSON_IsFalse(item)  ? "false"
                 : cJSON_IsNumber(item) ? "number"
                                        : "?");
    cJSON_Delete(object);
    return value;
}

void ctl_json_is(int code, const char *field, const char *value,
                 const char *line) {
    const char *got = ctl_json(code, field, line);
    CHECK(strcmp(got, value) == 0, "%s: %s is %s, not %s", line, field, got,
          value);
}
