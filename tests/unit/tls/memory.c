/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c -- what a connection costs, counted in OpenSSL's and our own blocks
 * as the allocator rounds them. A program of its own: OpenSSL takes a counter
 * only before its first allocation. */
#include <assert.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/tls/both.h"

static size_t held;

static void *counted_malloc(size_t bytes, const char *file, int line) {
    (void)file;
    (void)line;
    void *block = malloc(bytes);
    held += block != NULL ? malloc_usable_size(block) + 8 : 0;
    return block;
}

static void counted_free(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    if (block != NULL)
        held -= malloc_usable_size(block) + 8;
    free(block);
}

static void *counted_realloc(void *block, size_t bytes, const char *file,
                             int line) {
    (void)file;
    (void)line;
    size_t before = block != NULL ? malloc_usable_size(block) + 8 : 0;
    if (bytes == 0) {
        counted_free(block, file, line);
        return NULL;
    }
    void *moved = realloc(block, bytes);
    if (moved != NULL)
        held += malloc_usable_size(moved) + 8 - before;
    return moved;
}

/* Both sides of a connection are alive: the server's part is what goes when
 * that is freed. */
static size_t idle_bytes(const both_options *options, size_t *peak) {
    both *b = both_begin(options);
    both_pump(b); /* what is made once is made */
    say_text(b, &b->client, "may I?");
    both_again(b, options);
    size_t before = held;
    uint8_t *flight = malloc(65536);
    size_t len = output(&b->client, flight, 65536);
    feed(b, &b->server, flight, len);
    *peak = held - before;
    free(flight);
    both_pump(b);
    say_text(b, &b->client, "may I?");
    say_text(b, &b->server, "you may");
    assert(is_up(&b->server) && b->server.heard_len == 6);
    size_t with = held;
    idp_tls_free(b->server.tls);
    size_t bytes = with - held;
    b->server.tls = idp_tls_accept(b->server_context, false);
    both_end(b);
    return bytes;
}

int main(void) {
    size_t peak;
    int set =
        CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);
    assert(set == 1);
    size_t bare = idle_bytes(&(both_options){0}, &peak);
    printf("a server's connection: %zu bytes idle, %zu more within the "
           "handshake\n",
           bare, peak);
    assert(bare <= 20 * 1024);
    assert(peak <= 64 * 1024);
    size_t with = idle_bytes(
        &(both_options){.server_ca = "ca", .client_cert = "client"}, &peak);
    printf("with a client's certificate: %zu bytes idle, %zu\n", with, peak);
    assert(with <= 30 * 1024);
    return 0;
}
