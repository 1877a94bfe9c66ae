/* schema.h - the tables in the file: made when it is empty, checked when it is not, brought up to date when
 * an older version is written, and read as they are when it is only read. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "bench/store/sql.h"

#define SCHEMA_APPLICATION 0x424e4348 /* "BNCH": how a store of ours is told from another SQLite database */

/* Is this file a store that we can use? s->version: of its tables; 0: it has no table yet. Changes nothing.
 * Statuses of store_open. */
enum status schema_check(struct store *s, struct err *err);
/* All tables, indexes, triggers and the version, in one transaction. */
enum status schema_create(struct store *s, struct err *err);
/* Makes the tables and columns that an older version (s->version) does not have, and packs what lies another
 * way now, in one transaction. */
enum status schema_upgrade(struct store *s, struct err *err);
/* Takes away what refuses DELETE on a raw table, and puts it back: both within one transaction. */
enum status schema_lift(struct store *s, const struct table *table, struct err *err);
enum status schema_lower(struct store *s, const struct table *table, struct err *err);
/* Hides what an older version does not have behind views of this connection, with values that mean "not
 * known": then it reads like a new one. Changes nothing in the file. */
enum status schema_cover(struct store *s, struct err *err);

#endif
