/* decode.c - see decode.h. */
#include "decode.h"

/* ---- base64 ------------------------------------------------------------------------------ */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool cli_decode_base64(netron_str text, uint8_t *out, size_t *size)
{
    size_t digits = text.size;
    while (digits > 0 && text.size - digits < 2 && text.data[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || (digits != text.size && text.size % 4 != 0))
        return false;
    uint32_t bits = 0;
    size_t written = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) /* 2, 4 or 6 bits are left over, and stay for the next digit */
            out[written++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *size = written;
    return true;
}

/* ---- dates ------------------------------------------------------------------------------- */

/* What is left of the text; the first mistake sticks. */
typedef struct scanner {
    netron_str left;
    bool is_wrong;
} scanner;

static bool take(scanner *s, const char *any_of)
{
    if (s->left.size == 0 || strchr(any_of, s->left.data[0]) == NULL || s->left.data[0] == '\0')
        return false;
    s->left.data++;
    s->left.size--;
    return true;
}

static void expect(scanner *s, const char *any_of)
{
    if (!take(s, any_of))
        s->is_wrong = true;
}

/* A number of exactly `digits` digits, from `low` to `high`. */
static int number(scanner *s, int digits, int low, int high)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        value = value * 10 + (s->left.size > 0 ? s->left.data[0] - '0' : 0);
        expect(s, "0123456789");
    }
    if (value < low || value > high)
        s->is_wrong = true;
    return value;
}

/* Milliseconds after the dot; finer digits are dropped. */
static int fraction(scanner *s)
{
    int ms = 0, weight = 100;
    if (!take(s, "."))
        return 0;
    if (s->left.size == 0)
        s->is_wrong = true;
    while (s->left.size > 0 && s->left.data[0] >= '0' && s->left.data[0] <= '9') {
        ms += (s->left.data[0] - '0') * weight;
        weight /= 10;
        take(s, "0123456789");
    }
    return ms;
}

/* Minutes east of UTC. */
static int offset(scanner *s)
{
    if (take(s, "Zz"))
        return 0;
    int sign = s->left.size > 0 && s->left.data[0] == '-' ? -1 : 1;
    expect(s, "+-");
    int hours = number(s, 2, 0, 23);
    expect(s, ":");
    return sign * (hours * 60 + number(s, 2, 0, 59));
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is
 * the last. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;
    int64_t before = (int64_t)y * 365 + y / 4 - y / 100 + y / 400;
    return before + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int64_t read_day(scanner *s)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = number(s, 4, 1, 9999);
    expect(s, "-");
    int month = number(s, 2, 1, 12);
    expect(s, "-");
    if (s->is_wrong)
        return 0;
    int length = lengths[month - 1] + (month == 2 && is_leap(year));
    return days_since_epoch(year, month, number(s, 2, 1, length));
}

static int64_t read_time_ms(scanner *s)
{
    int64_t seconds = (int64_t)number(s, 2, 0, 23) * 3600;
    expect(s, ":");
    seconds += (int64_t)number(s, 2, 0, 59) * 60;
    expect(s, ":");
    seconds += number(s, 2, 0, 60); /* a leap second is the first of the next minute */
    int64_t ms = seconds * 1000 + fraction(s);
    return ms - (int64_t)offset(s) * 60 * 1000;
}

bool cli_decode_date(netron_str text, netron_date *out)
{
    scanner s = {.left = text};
    int64_t ms = read_day(&s) * 24 * 60 * 60 * 1000;
    if (!s.is_wrong && s.left.size > 0) {
        expect(&s, "Tt ");
        ms += read_time_ms(&s);
    }
    if (s.is_wrong || s.left.size > 0)
        return false;
    out->ms = ms;
    return true;
}
