/* SPDX-License-Identifier: Apache-2.0 */
/* echo_server.c -- read, write the same bytes back, nothing else.
 *
 * One libuv loop, one shared read buffer, uv_try_write first: what any
 * server on libuv has to pay, and the least it can. */
#include "bench/echo_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char read_buffer[1 << 18];

typedef struct pending {
    uv_write_t write;
    char bytes[];
} pending;

static void on_close(uv_handle_t *handle) {
    free(handle);
}

static void on_written(uv_write_t *write, int status) {
    if (status < 0 && !uv_is_closing((uv_handle_t *)write->handle))
        uv_close((uv_handle_t *)write->handle, on_close);
    free(write->data);
}

static void lend_read_buffer(uv_handle_t *handle, size_t suggested,
                             uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

/* What the socket did not take at once is queued. */
static void write_later(uv_stream_t *stream, const char *bytes, size_t len) {
    pending *later = malloc(sizeof *later + len);
    if (!later) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    memcpy(later->bytes, bytes, len);
    later->write.data = later;
    uv_buf_t buffer = uv_buf_init(later->bytes, (unsigned)len);
    if (uv_write(&later->write, stream, &buffer, 1, on_written) != 0) {
        free(later);
        uv_close((uv_handle_t *)stream, on_close);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
    if (got < 0 && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_close);
    if (got <= 0)
        return;
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned)got);
    int wrote = uv_try_write(stream, &out, 1);
    if (wrote < 0 && wrote != UV_EAGAIN) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    size_t taken = wrote > 0 ? (size_t)wrote : 0;
    if (taken < (size_t)got)
        write_later(stream, buffer->base + taken, (size_t)got - taken);
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *client = status == 0 ? malloc(sizeof *client) : NULL;
    if (!client)
        return;
    uv_tcp_init(listener->loop, client);
    if (uv_accept(listener, (uv_stream_t *)client) != 0) {
        uv_close((uv_handle_t *)client, on_close);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, lend_read_buffer, on_read);
}

int idb_echo_serve(uint16_t port) {
    uv_tcp_t listener;
    struct sockaddr_in at;
    int size = sizeof at;
    uv_loop_t *loop = uv_default_loop();
    uv_ip4_addr("127.0.0.1", port, &at);
    uv_tcp_init(loop, &listener);
    int error = uv_tcp_bind(&listener, (const struct sockaddr *)&at, 0);
    if (!error)
        error = uv_listen((uv_stream_t *)&listener, 4096, on_connection);
    if (!error)
        error = uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &size);
    if (error) {
        fprintf(stderr, "idembench: --serve-echo: %s\n", uv_strerror(error));
        return 1;
    }
    printf("echo on 127.0.0.1:%u\n", ntohs(at.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
