/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_watch.h, frozen: see README.md. */
#ifndef IDEMCLIENT_WATCH_H
#define IDEMCLIENT_WATCH_H
#include "idemclient.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef struct idem_status {
    uint32_t size;
    int32_t changes_wait;
    uint32_t connections;
    uint32_t events_lost;
    uint64_t epoch;
    uint64_t calls;
    uint64_t repeats;
    uint64_t connects;
    uint64_t losses;
    uint64_t follows;
    uint64_t unreplicated;
    uint64_t timeouts;
    uint64_t failed_fast;
    char primary[IDEM_ENDPOINT_BYTES];
} idem_status;
#ifdef __cplusplus
#define IDEM_STATUS_INIT idem__sized<idem_status>()
#else
#define IDEM_STATUS_INIT \
    { .size = sizeof(idem_status) }
#endif
IDEM_API void idem_status_init(idem_status *status, size_t status_size);
IDEM_API int32_t idem_client_status(idem_client *client, idem_status *status);
enum {
    IDEM_EVENT_CONNECTED = 901,
    IDEM_EVENT_LOST = 902,
    IDEM_EVENT_NEW_PRIMARY = 903,
    IDEM_EVENT_CHANGES_WAIT = 904,
    IDEM_EVENT_CHANGES_GO_ON = 905
};
typedef struct idem_event {
    uint32_t size;
    int32_t event;
    int32_t is_trouble;
    int32_t shard;
    uint64_t epoch;
    char endpoint[IDEM_ENDPOINT_BYTES];
    char text[256];
} idem_event;
typedef void (*idem_event_fn)(void *ctx, const idem_event *event) IDEM_NOEXCEPT;
IDEM_API int32_t idem_client_watch(idem_client *client, idem_event_fn on_event,
                                   void *ctx);
#ifdef __cplusplus
}
#endif
#endif
