/* Single requests, each with the one kind of answer that the protocol allows. */
#include "bench/measure/conformance_cases.h"

#define RUN_REST "\"min_ns\":0,\"min_iterations\":1,\"max_iterations\":1,\"unmeasured\":0"

static const struct conformance_request rows[] = {
    /* nothing loaded */
    { "hello again", PROBE_NEW, "{\"id\":10,\"op\":\"hello\",\"protocol\":1}", 10, NULL },
    { "hello with unknown keys", PROBE_NEW, "{\"id\":11,\"op\":\"hello\",\"protocol\":1,\"x\":[{}]}", 11, NULL },
    { "hello in another protocol", PROBE_NEW, "{\"id\":12,\"op\":\"hello\",\"protocol\":99}", 12,
      "unsupported invalid" },
    { "prepare before load", PROBE_NEW, "{\"id\":13,\"op\":\"prepare\",\"batch\":1}", 13, "invalid" },
    { "run before load", PROBE_NEW, "{\"id\":14,\"op\":\"run\",\"batch\":1," RUN_REST "}", 14, "invalid" },
    { "memory before load", PROBE_NEW, "{\"id\":15,\"op\":\"memory\"}", 15, "invalid unsupported" },
    { "output before load", PROBE_NEW,
      "{\"id\":16,\"op\":\"output\",\"batch\":1,\"images\":[1],\"path\":\"/nonexistent/x.npy\"}", 16,
      "invalid unsupported" },
    { "profile before load", PROBE_NEW, "{\"id\":17,\"op\":\"profile\",\"batch\":1,\"iterations\":1}", 17,
      "invalid unsupported" },
    { "release before load", PROBE_NEW, "{\"id\":18,\"op\":\"release\",\"batch\":1}", 18, "invalid" },
    { "unknown operation", PROBE_NEW, "{\"id\":19,\"op\":\"dance\"}", 19, "unsupported" },
    { "empty operation", PROBE_NEW, "{\"id\":20,\"op\":\"\"}", 20, "unsupported invalid" },
    { "missing op", PROBE_NEW, "{\"id\":21}", 21, "invalid" },
    { "op of a wrong type", PROBE_NEW, "{\"id\":22,\"op\":7}", 22, "invalid" },
    { "missing protocol", PROBE_NEW, "{\"id\":23,\"op\":\"hello\"}", 23, "invalid" },
    { "protocol of a wrong type", PROBE_NEW, "{\"id\":24,\"op\":\"hello\",\"protocol\":\"1\"}", 24, "invalid" },
    { "missing model", PROBE_NEW, "{\"id\":25,\"op\":\"load\"}", 25, "invalid" },
    { "model of a wrong type", PROBE_NEW, "{\"id\":26,\"op\":\"load\",\"model\":{}}", 26, "invalid" },
    { "shape of a wrong type", PROBE_NEW, "{\"id\":27,\"op\":\"load\",\"model\":\"x\",\"shape\":\"3x8x8\"}", 27,
      "invalid" },
    { "shape of zero", PROBE_NEW, "{\"id\":28,\"op\":\"load\",\"model\":\"x\",\"shape\":[3,0,0]}", 28, "invalid" },
    { "no JSON", PROBE_NEW, "this is no request", 0, "invalid" },
    { "empty line", PROBE_NEW, "", 0, "invalid" },
    { "two values on a line", PROBE_NEW, "{\"id\":29} {\"id\":30}", 0, "invalid" },
    { "invalid UTF-8", PROBE_NEW, "{\"id\":31,\"op\":\"\xff\xfe\"}", 0, "invalid" },
    { "cut UTF-8", PROBE_NEW, "{\"id\":32,\"op\":\"\xe2\x82\"}", 0, "invalid" },
    { "an array", PROBE_NEW, "[1,2,3]", 0, "invalid" },
    { "a number", PROBE_NEW, "42", 0, "invalid" },
    { "hello after all that", PROBE_NEW, "{\"id\":33,\"op\":\"hello\",\"protocol\":1}", 33, NULL },
    /* loaded, nothing prepared */
    { "second load", PROBE_LOADED, "{\"id\":40,\"op\":\"load\",\"model\":\"x\"}", 40, "invalid" },
    { "run before prepare", PROBE_LOADED, "{\"id\":41,\"op\":\"run\",\"batch\":2," RUN_REST "}", 41, "invalid" },
    { "output before prepare", PROBE_LOADED,
      "{\"id\":42,\"op\":\"output\",\"batch\":1,\"images\":[1],\"path\":\"/nonexistent/x.npy\"}", 42,
      "invalid unsupported" },
    { "profile before prepare", PROBE_LOADED, "{\"id\":43,\"op\":\"profile\",\"batch\":1,\"iterations\":1}", 43,
      "invalid unsupported" },
    { "release before prepare", PROBE_LOADED, "{\"id\":44,\"op\":\"release\",\"batch\":2}", 44, "invalid" },
    { "prepare without batch", PROBE_LOADED, "{\"id\":45,\"op\":\"prepare\"}", 45, "invalid" },
    { "prepare batch 0", PROBE_LOADED, "{\"id\":46,\"op\":\"prepare\",\"batch\":0}", 46, "invalid" },
    { "prepare batch -1", PROBE_LOADED, "{\"id\":47,\"op\":\"prepare\",\"batch\":-1}", 47, "invalid" },
    { "prepare batch 2^31", PROBE_LOADED, "{\"id\":48,\"op\":\"prepare\",\"batch\":2147483648}", 48,
      "invalid out_of_memory" },
    { "prepare batch of a wrong type", PROBE_LOADED, "{\"id\":49,\"op\":\"prepare\",\"batch\":\"2\"}", 49, "invalid" },
    { "prepare batch 1.5", PROBE_LOADED, "{\"id\":50,\"op\":\"prepare\",\"batch\":1.5}", 50, "invalid" },
    { "prepare after all that", PROBE_LOADED, "{\"id\":51,\"op\":\"prepare\",\"batch\":1}", 51, NULL },
    /* loaded, batch 2 prepared */
    { "run another size", PROBE_PREPARED, "{\"id\":60,\"op\":\"run\",\"batch\":3," RUN_REST "}", 60, "invalid" },
    { "run batch 0", PROBE_PREPARED, "{\"id\":61,\"op\":\"run\",\"batch\":0," RUN_REST "}", 61, "invalid" },
    { "run batch 2^31", PROBE_PREPARED, "{\"id\":62,\"op\":\"run\",\"batch\":2147483648," RUN_REST "}", 62, "invalid" },
    { "run without batch", PROBE_PREPARED, "{\"id\":63,\"op\":\"run\"," RUN_REST "}", 63, "invalid" },
    { "run without min_ns", PROBE_PREPARED,
      "{\"id\":64,\"op\":\"run\",\"batch\":2,\"min_iterations\":1,\"max_iterations\":1}", 64, "invalid" },
    { "run min_ns of a wrong type", PROBE_PREPARED,
      "{\"id\":65,\"op\":\"run\",\"batch\":2,\"min_ns\":\"0\",\"min_iterations\":1,\"max_iterations\":1}", 65, "invalid" },
    { "run of fewer than no iterations", PROBE_PREPARED,
      "{\"id\":66,\"op\":\"run\",\"batch\":2,\"min_ns\":0,\"min_iterations\":-1,\"max_iterations\":1}", 66, "invalid" },
    { "load after prepare", PROBE_PREPARED, "{\"id\":67,\"op\":\"load\",\"model\":\"x\"}", 67, "invalid" },
    { "run", PROBE_PREPARED, "{\"id\":68,\"op\":\"run\",\"batch\":2," RUN_REST "}", 68, NULL },
    { "release another size", PROBE_PREPARED, "{\"id\":69,\"op\":\"release\",\"batch\":3}", 69, "invalid" },
};

const struct conformance_request *conformance_requests(size_t *count)
{
    *count = sizeof rows / sizeof *rows;
    return rows;
}
