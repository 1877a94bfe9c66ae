#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/base/sha256.h"

/* The examples of FIPS 180-4: "abc", the two-block message, a million times "a"; and the empty message. */
static void published_examples(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE];
    sha256_of(hex, "", 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of(hex, "abc", 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_of(hex, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE], piece[1000];
    memset(piece, 'a', sizeof piece);
    struct sha256 *s = sha256_open();
    assert_non_null(s);
    sha256_add(s, piece, 0);
    for (int i = 0; i < 999; i++)
        sha256_add(s, piece, sizeof piece);
    sha256_add(s, piece, 1);
    sha256_add(s, piece, 999);
    sha256_close(s, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(published_examples), cmocka_unit_test(pieces_are_the_whole) };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
