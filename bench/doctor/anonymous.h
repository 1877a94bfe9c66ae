/* anonymous.h - texts of a machine without what names it: UUIDs, PCI addresses and long hexadecimal ids become
 * numbered ones, the same each time; host, user and home folder become words.
 * What anonymous_open gives, anonymous_close takes back. */
#ifndef DOCTOR_ANONYMOUS_H
#define DOCTOR_ANONYMOUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define ANONYMOUS_MAX 256            /* different names of one kind; those beyond are all number 256 */

struct anonymous {
    struct anonymous_kind { char *seen[ANONYMOUS_MAX]; size_t count; } uuids, addresses, ids;
    char host[256], user[256], home[1024]; /* "": leave such texts alone */
};

/* Of this process: its host, user and home. */
void anonymous_open(struct anonymous *a);
void anonymous_close(struct anonymous *a);
/* The text with all that replaced; the caller frees it. NULL: no memory. */
char *anonymous_text(struct anonymous *a, const char *text);
/* Every text in a JSON value, keys left alone; a new value. NULL: no memory. */
json_t *anonymous_json(struct anonymous *a, const json_t *value);

#endif
