/* conformance_cases.h - the two tables of conformance cases: single requests, and small stories. */
#ifndef MEASURE_CONFORMANCE_CASES_H
#define MEASURE_CONFORMANCE_CASES_H

#include "bench/measure/conformance_talk.h"

/* A line that is sent in a state, and what must come back. The worker must live on. */
struct conformance_request {
    const char *name;
    enum probe_state state;
    const char *line;
    int  id;                 /* that the answer carries; 0: null */
    const char *kinds;       /* allowed error kinds, space separated; NULL: ok */
};
const struct conformance_request *conformance_requests(size_t *count);

/* A story with a fresh worker that was brought to `state`. */
struct conformance_case {
    const char *name;
    enum probe_state state;
    bool (*applies)(const struct probe_facts *facts);     /* NULL: always */
    enum status (*run)(struct probe *p, struct err *err); /* ST_OK, or anything else with the sentence */
};
const struct conformance_case *conformance_cases(size_t *count);

#endif
