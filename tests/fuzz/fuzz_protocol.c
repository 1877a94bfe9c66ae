/* The worker's side of the protocol: any bytes, cut into lines as the server does, to a session with a model loaded and
 * batch 1 prepared. Whatever comes, every line gets exactly one answer that is JSON with `id` and `ok`. Requests that name files
 * find a folder that does not exist: the scripted engine cannot be made to write. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "kernels/worker/protocol.h"
#include "kernels/worker/scripted.h"
#include "kernels/worker/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(char *text)
{
    json_error_t why;
    json_t *answer = text ? json_loads(text, 0, &why) : NULL;
    const json_t *id = json_object_get(answer, "id");
    if (!answer || !json_is_boolean(json_object_get(answer, "ok")) || !(json_is_integer(id) || json_is_null(id)) ||
        strchr(text, '\n'))
        abort();
    json_decref(answer);
    free(text);
}

static void ask(struct session *s, const char *line, size_t size)
{
    check_answer(session_answer(s, line, size));
}

/* True if the line asks for something that takes long or reaches files, which is not the parser's business. */
static int is_costly(const char *line, size_t size)
{
    return size > 4096 || memmem(line, size, "path", 4) || memmem(line, size, "script", 6) || memmem(line, size, "\\u", 2) ||
           memmem(line, size, "00000", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char load[] = "{\"id\":1,\"op\":\"load\",\"model\":\"x\",\"shape\":[1,2,2]}";
    static const char prepare[] = "{\"id\":2,\"op\":\"prepare\",\"batch\":1}";
    struct session *s;
    int code;
    if (session_open(&s, &scripted_engine, NULL) != ST_OK)
        return 0;
    if (size && data[0] != '{') { /* half of the inputs meet a worker with nothing loaded */
        ask(s, load, sizeof load - 1);
        ask(s, prepare, sizeof prepare - 1);
    }
    for (size_t at = 0; at < size && !session_ended(s, &code);) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - data) - at : size - at;
        char *line = malloc(length + 1); /* its own allocation: reading past the end is seen */
        if (line) {
            memcpy(line, data + at, length);
            line[length] = '\0';
            if (!is_costly(line, length))
                ask(s, line, length);
        }
        free(line);
        at += length + 1;
    }
    check_answer(session_answer_too_long(s));
    session_close(s);
    return 0;
}
