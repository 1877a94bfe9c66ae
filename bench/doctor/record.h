/* record.h - a tree of this machine for a bug report: what the checks read, and nothing else, without what names the
 * machine. `bench doctor --root` reads it back. */
#ifndef DOCTOR_RECORD_H
#define DOCTOR_RECORD_H

#include "bench/doctor/facts.h"

/* Writes the tree into the new folder DIR: files of the table in record.c, control groups under other names, and
 * facts.json with the answers of `facts` (of this machine). Takes a second: what is sampled twice is. ST_USAGE: DIR is
 * there already, or cannot be made; ST_IO: writing failed (what was written stays); ST_INTERNAL. */
enum status record_write(const char *dir, const struct facts *facts, struct err *err);

#endif
