/* decode_test.c - bytes and dates as people write them on a command line, right and wrong. */
#include "decode.h"

#include "support/check.h"

#include <stdio.h>

typedef struct date_row {
    const char *text;
    int64_t ms;
} date_row;

static const date_row dates[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01", 0},
    {"1970-01-02 00:00:00Z", 86400000},
    {"2000-02-29T23:59:59.999Z", 951868799999},
    {"2026-11-05T10:30:00.250+01:00", 1793871000250},
    {"2026-11-05t10:30:00.2509999z", 1793874600250},
    {"2026-12-31T23:59:60Z", 1798761600000},
    {"1969-12-31T23:59:59Z", -1000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
    {"0001-01-01T00:00:00Z", -62135596800000},
};

static const char *const no_dates[] = {"", "today", "2026", "2026-11", "2026-11-05T", "2026-13-01",
    "2026-00-01", "2026-11-31", "2025-02-29", "1900-02-29", "2026-11-05T10:30",
    "2026-11-05T10:30:00", "2026-11-05T24:00:00Z", "2026-11-05T10:60:00Z", "2026-11-05T10:30:61Z",
    "2026-11-05T10:30:00.Z ", "2026-11-05T10:30:00.", "2026-11-05T10:30:00+1:00",
    "2026-11-05T10:30:00+01:00x", "26-11-05", "2026-1a-05", " 2026-11-05", "-2026-11-05"};

static void test_decode_date_reads_rfc_3339(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(dates); i++) {
        netron_date date = {-1};
        NT_CHECK_ROW(cli_decode_date(netron_s(dates[i].text), &date), dates[i].text);
        NT_CHECK_ROW(date.ms == dates[i].ms, dates[i].text);
    }
}

static void test_decode_date_refuses_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(no_dates); i++) {
        netron_date date;
        NT_CHECK_ROW(!cli_decode_date(netron_s(no_dates[i]), &date), no_dates[i]);
    }
}

typedef struct base64_row {
    const char *text, *bytes;
    size_t size;
} base64_row;

static const base64_row base64[] = {
    {"", "", 0},
    {"Zg==", "f", 1},
    {"Zg", "f", 1},
    {"Zm8=", "fo", 2},
    {"Zm8", "fo", 2},
    {"Zm9v", "foo", 3},
    {"Zm9vYmFy", "foobar", 6},
    {"++//", "\xfb\xef\xff", 3},
    {"--__", "\xfb\xef\xff", 3},
    {"AAAA", "\0\0\0", 3},
};

static const char *const no_base64[] = {
    "Z", "Zm9vY", "Zg=", "Zg===", "Z===", "=", "====", "Zm 9v", "Zm9\n", "Zm9v=", "Zm=v", "Zm9*"};

static void test_decode_base64_reads_both_alphabets(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(base64); i++) {
        uint8_t bytes[16];
        size_t size = 99;
        NT_CHECK_ROW(cli_decode_base64(netron_s(base64[i].text), bytes, &size), base64[i].text);
        NT_CHECK_ROW(size == base64[i].size, base64[i].text);
        NT_CHECK_ROW(memcmp(bytes, base64[i].bytes, size) == 0, base64[i].text);
    }
}

static void test_decode_base64_refuses_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(no_base64); i++) {
        uint8_t bytes[16];
        size_t size;
        NT_CHECK_ROW(!cli_decode_base64(netron_s(no_base64[i]), bytes, &size), no_base64[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_date_reads_rfc_3339),
        cmocka_unit_test(test_decode_date_refuses_what_is_none),
        cmocka_unit_test(test_decode_base64_reads_both_alphabets),
        cmocka_unit_test(test_decode_base64_refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
