/* recall.h -- held replies that will never leave: each is replaced by an
 * error to the same asker, in its place. hold.c's. */
#ifndef IDS_RECALL_H
#define IDS_RECALL_H

#include "server/desk.h"

typedef struct ids_recall {
    idp_error error;
    const char *text; /* NULL: the code's own */
} ids_recall;

/* The replies in the first held part of a connection's output, but for those
 * that show no record: errors, and what is no array of an outcome. Without
 * memory for that the connection is dead, and hears nothing. */
void ids_recall_part(ids_desk *desk, ids_conn *conn, const ids_recall *recall);

/* All replies in a parcel, in place: their desk will write the errors. */
void ids_recall_mail(const ids_parcel *parcel, idp_error error);

#endif
