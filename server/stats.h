/* stats.h -- the sums over all loops, gathered through the mail: exact, and
 * free for everyone who doesn't ask. */
#ifndef IDS_STATS_H
#define IDS_STATS_H

#include "server/desk.h"

/* Starts gathering; the reply leaves when every loop has told its part. */
void ids_stats_ask(ids_desk *desk, ids_conn *conn, uint32_t msgid);

/* Another loop asks for this one's part. */
void ids_stats_tell(ids_desk *desk, const ids_mail *mail);

/* Another loop's part has come. */
void ids_stats_told(ids_desk *desk, const ids_mail *mail, const uint8_t *body);

/* Drops what is being gathered, unanswered. */
void ids_stats_forget(ids_desk *desk);

#endif
