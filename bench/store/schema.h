/* schema.h - the tables in the file: made when it is empty, checked when it is not. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "bench/store/sql.h"

#define SCHEMA_APPLICATION 0x424e4348 /* "BNCH": how a store of ours is told from another SQLite database */

/* Is this file a store that we can use? *empty: it has no table yet. Changes nothing.
 * Statuses of store_open. */
enum status schema_check(bool *empty, struct store *s, struct err *err);
/* All tables, indexes, triggers and the version, in one transaction. */
enum status schema_create(struct store *s, struct err *err);

#endif
