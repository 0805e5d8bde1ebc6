/* utf8_test.c - every code point, every kind of bad byte, at every position. */
#include "base/utf8.h"

#include "support/check.h"

#include <string.h>

/* Encode without any check, so that surrogates and too large numbers come out too. */
static size_t encode(char out[4], uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[size] | point);
    return size;
}

static void test_utf8_valid_is_true_for_every_code_point_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x140000; point++) {
        char text[4];
        size_t size = encode(text, point);
        bool expected = (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
        if (nt_utf8_valid(text, size) != expected)
            fail_msg("U+%04X", point);
    }
}

/* An independent reading of RFC 3629: decode, then ask whether the number needs that many bytes. */
static bool decodes(const uint8_t *b, size_t size)
{
    if (size == 1)
        return b[0] < 0x80;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point = b[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if (b[i] >> 6 != 2)
            return false;
        point = point << 6 | (b[i] & 0x3f);
    }
    unsigned lead = (0xff00U >> size) & 0xff;
    return (b[0] & (lead >> 1 | 0x80)) == lead && point >= least[size] && point <= 0x10ffff &&
           (point < 0xd800 || point > 0xdfff);
}

static void test_utf8_valid_agrees_with_decoding_for_every_three_bytes(void **state)
{
    (void)state;
    for (uint32_t n = 0x800000; n < 0x1000000; n++) {
        uint8_t b[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        bool expected = decodes(b, 3) || (decodes(b, 2) && decodes(b + 2, 1));
        if (nt_utf8_valid((const char *)b, 3) != expected)
            fail_msg("%06x", n);
    }
}

static void test_utf8_prefix_stops_before_a_bad_byte_at_any_position(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
        "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x92",
        "\xf4\x90\x80\x80", "\xf5", "\xff", "\xfe"};
    char text[80];
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        for (size_t at = 0; at < 70; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, bad[i], strlen(bad[i]));
            assert_int_equal(nt_utf8_prefix(text, sizeof text), at);
            assert_false(nt_utf8_valid(text, sizeof text));
            assert_int_equal(nt_utf8_prefix(text, at + strlen(bad[i])), at);
        }
    }
}

static void test_utf8_valid_takes_mixed_scripts(void **state)
{
    (void)state;
    static const char text[] = "na\xc3\xafve \xd0\x9c\xd0\xb8\xd1\x80 \xe4\xb8\x96\xe7\x95\x8c "
                               "\xf0\x9f\x92\xa9 and a long tail of plain ASCII after it";
    assert_true(nt_utf8_valid(text, sizeof text));
    assert_true(nt_utf8_valid("", 0));
    assert_true(nt_utf8_valid(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_valid_is_true_for_every_code_point_but_surrogates),
        cmocka_unit_test(test_utf8_valid_agrees_with_decoding_for_every_three_bytes),
        cmocka_unit_test(test_utf8_prefix_stops_before_a_bad_byte_at_any_position),
        cmocka_unit_test(test_utf8_valid_takes_mixed_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
