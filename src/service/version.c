/* version.c - semantic versions and ranges. Every form of range becomes a list of plain
 * comparisons when it is parsed, so that matching is a loop. */
#include "service/version.h"

#include "base/error.h"

/* What is left of a text. */
typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

/* A version of which a front may be given: `given` is how many of the three numbers are. */
typedef struct partial {
    nt_version version;
    unsigned given;
} partial;

/* The prerelease that sorts before all others. As an upper bound, 2.0.0-0 keeps out 2.0.0-beta,
 * which comes before 2.0.0. */
static const netron_str lowest_pre = {"0", 1};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* semver.org 9: [0-9A-Za-z-] */
static bool is_identifier_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static bool take_char(cursor *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool skip_spaces(cursor *in)
{
    const char *from = in->at;
    while (take_char(in, ' '))
        continue;
    return in->at != from;
}

/* semver.org 2: no leading zeros. */
static bool take_number(cursor *in, uint64_t *out)
{
    const char *from = in->at;
    uint64_t number = 0;
    for (; in->at < in->end && is_digit(*in->at); in->at++) {
        number = number * 10 + (uint64_t)(*in->at - '0');
        if (number > NT_VERSION_NUMBER_MAX) /* far enough below 2^64 / 10 not to wrap */
            return false;
    }
    *out = number;
    return in->at != from && (*from != '0' || in->at - from == 1);
}

/* Dot-separated identifiers, none of them empty. In a prerelease, numeric ones have no leading zero
 * (semver.org 9); in build metadata they may (10). */
static bool take_identifiers(cursor *in, netron_str *out, bool zeros_lead)
{
    const char *from = in->at;
    do {
        const char *first = in->at;
        bool is_numeric = true;
        for (; in->at < in->end && is_identifier_char(*in->at); in->at++)
            is_numeric = is_numeric && is_digit(*in->at);
        if (in->at == first)
            return false;
        if (!zeros_lead && is_numeric && *first == '0' && in->at - first > 1)
            return false;
    } while (take_char(in, '.'));
    *out = (netron_str){from, (size_t)(in->at - from)};
    return true;
}

/* What may follow the three numbers. */
static bool take_suffixes(cursor *in, nt_version *out)
{
    if (take_char(in, '-') && !take_identifiers(in, &out->pre, false))
        return false;
    return !take_char(in, '+') || take_identifiers(in, &out->build, true);
}

static bool take_version(cursor *in, nt_version *out)
{
    return take_number(in, &out->major) && take_char(in, '.') && take_number(in, &out->minor) &&
           take_char(in, '.') && take_number(in, &out->patch) && take_suffixes(in, out);
}

netron_err nt_version_parse(netron_str text, nt_version *out)
{
    nt_version version = {0};
    if (text.size == 0)
        return nt_fail(NETRON_INVALID, "a version is empty: write three numbers, e.g. 1.2.3");
    if (text.size > NT_VERSION_MAX)
        return nt_fail(NETRON_INVALID, "a version is longer than 128 bytes");
    cursor in = {text.data, text.data + text.size};
    if (!take_version(&in, &version) || in.at != in.end)
        return nt_fail(NETRON_INVALID,
            "'%.*s' is not a version: write three numbers, e.g. 1.2.3 or 1.2.3-beta.1",
            NETRON_STR(text));
    *out = version;
    return NETRON_OK;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static bool is_numeric(netron_str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_digit(text.data[i]))
            return false;
    return true;
}

/* semver.org 11.4: numbers by value and below words, words by bytes. */
static int compare_identifiers(netron_str a, netron_str b)
{
    bool both_numeric = is_numeric(a) && is_numeric(b);
    if (!both_numeric && is_numeric(a) != is_numeric(b))
        return is_numeric(a) ? -1 : 1;
    if (both_numeric && a.size != b.size) /* without leading zeros, longer is greater */
        return a.size < b.size ? -1 : 1;
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : compare_numbers(a.size, b.size);
}

/* Takes the first identifier and its dot off the front. */
static netron_str split_identifier(netron_str *rest)
{
    const char *dot = memchr(rest->data, '.', rest->size);
    netron_str first = {rest->data, dot != NULL ? (size_t)(dot - rest->data) : rest->size};
    size_t step = dot != NULL ? first.size + 1 : first.size;
    *rest = (netron_str){rest->data + step, rest->size - step};
    return first;
}

/* semver.org 11.3 and 11.4: none is above any, and of equal fronts the longer is above. */
static int compare_pre(netron_str a, netron_str b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size == 0) - (b.size == 0);
    while (a.size != 0 && b.size != 0) {
        netron_str first = split_identifier(&a);
        netron_str second = split_identifier(&b);
        int order = compare_identifiers(first, second);
        if (order != 0)
            return order;
    }
    return (a.size != 0) - (b.size != 0);
}

static int compare_triple(const nt_version *a, const nt_version *b)
{
    if (a->major != b->major)
        return compare_numbers(a->major, b->major);
    if (a->minor != b->minor)
        return compare_numbers(a->minor, b->minor);
    return compare_numbers(a->patch, b->patch);
}

int nt_version_compare(const nt_version *a, const nt_version *b)
{
    int order = compare_triple(a, b);
    return order != 0 ? order : compare_pre(a->pre, b->pre);
}

/* 0: none, 1: no version, 2: a version. */
static int rank_of(netron_str text, nt_version *version)
{
    if (text.size == 0)
        return 0;
    return nt_version_parse(text, version) == NETRON_OK ? 2 : 1;
}

static int compare_text(netron_str a, netron_str b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared != 0 ? memcmp(a.data, b.data, shared) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

int nt_version_order(netron_str a, netron_str b)
{
    nt_version one, other;
    int rank = rank_of(a, &one), other_rank = rank_of(b, &other);
    int order = rank == 2 && other_rank == 2 ? nt_version_compare(&one, &other) : rank - other_rank;
    return order != 0 ? order : compare_text(a, b);
}

static bool is_wildcard(cursor in)
{
    return in.at < in.end && (*in.at == '*' || *in.at == 'x' || *in.at == 'X');
}

/* After a wildcard only wildcards make sense: 1.x.x, not 1.x.3. */
static bool take_wildcards(cursor *in, unsigned given)
{
    in->at++;
    for (unsigned i = given + 1; i < 3 && take_char(in, '.'); i++) {
        if (!is_wildcard(*in))
            return false;
        in->at++;
    }
    return true;
}

static bool take_partial(cursor *in, partial *out)
{
    uint64_t *numbers[] = {&out->version.major, &out->version.minor, &out->version.patch};
    *out = (partial){0};
    for (; out->given < 3; out->given++) {
        if (out->given != 0 && !take_char(in, '.'))
            return true;
        if (is_wildcard(*in))
            return take_wildcards(in, out->given);
        if (!take_number(in, numbers[out->given]))
            return false;
    }
    return take_suffixes(in, &out->version);
}

/* False when the range has too many. */
static bool add(nt_range *range, uint8_t set, nt_relation relation, nt_version version)
{
    if (range->count == NT_CONDITIONS_MAX)
        return false;
    range->conditions[range->count++] = (nt_condition){relation, set, version};
    return true;
}

/* The lowest version above all that share the first `kept` numbers of `v`. */
static nt_version next_after(const nt_version *v, unsigned kept)
{
    nt_version next = {.major = v->major, .pre = lowest_pre};
    if (kept == 1) {
        next.major++;
        return next;
    }
    next.minor = v->minor;
    if (kept == 2) {
        next.minor++;
        return next;
    }
    next.patch = v->patch + 1;
    return next;
}

/* The versions from `p` on that share its first `kept` numbers; all from `p` on if kept is 0. */
static bool add_front(nt_range *range, uint8_t set, const partial *p, unsigned kept)
{
    return add(range, set, NT_RELATION_GE, p->version) &&
           (kept == 0 || add(range, set, NT_RELATION_LT, next_after(&p->version, kept)));
}

/* How many numbers ^ keeps: up to the first that is not 0, for in 0.y.z a new y breaks. */
static unsigned count_caret(const partial *p)
{
    if (p->given <= 1 || p->version.major != 0)
        return p->given == 0 ? 0 : 1;
    return p->given == 2 || p->version.minor != 0 ? 2 : 3;
}

static bool add_none(nt_range *range, uint8_t set)
{
    return add(range, set, NT_RELATION_LT, (nt_version){.pre = lowest_pre});
}

/* An unfinished version after < or > stands for all that begin with it: >1.2 begins with 1.3.0,
 * <=1.2 ends before it. */
static bool add_compared(nt_range *range, uint8_t set, nt_relation relation, const partial *p)
{
    if (p->given == 3)
        return add(range, set, relation, p->version);
    bool is_strict = relation == NT_RELATION_LT || relation == NT_RELATION_GT;
    if (p->given == 0)
        return is_strict ? add_none(range, set) : add_front(range, set, p, 0);
    nt_version from = p->version;
    nt_version next = next_after(&p->version, p->given);
    switch (relation) {
    case NT_RELATION_LT:
        from.pre = lowest_pre;
        return add(range, set, NT_RELATION_LT, from);
    case NT_RELATION_LE:
        return add(range, set, NT_RELATION_LT, next);
    case NT_RELATION_GT:
        next.pre = (netron_str){0};
        return add(range, set, NT_RELATION_GE, next);
    case NT_RELATION_GE:
    case NT_RELATION_EQ:
        break;
    }
    return add(range, set, NT_RELATION_GE, from);
}

static bool parse_condition(cursor *in, nt_range *range, uint8_t set)
{
    partial p;
    char first = *in->at;
    bool is_compared = first == '<' || first == '>';
    bool has_prefix = is_compared || first == '=' || first == '^' || first == '~';
    if (has_prefix)
        in->at++;
    bool has_equal = is_compared && take_char(in, '=');
    if (has_prefix)
        skip_spaces(in);
    if (!take_partial(in, &p))
        return false;
    switch (first) {
    case '<':
        return add_compared(range, set, has_equal ? NT_RELATION_LE : NT_RELATION_LT, &p);
    case '>':
        return add_compared(range, set, has_equal ? NT_RELATION_GE : NT_RELATION_GT, &p);
    case '^':
        return add_front(range, set, &p, count_caret(&p));
    case '~':
        return add_front(range, set, &p, p.given < 2 ? p.given : 2);
    default:
        return p.given == 3 ? add(range, set, NT_RELATION_EQ, p.version)
                            : add_front(range, set, &p, p.given);
    }
}

/* " - " between two partial versions. Moves `in` only when there is one. */
static bool take_hyphen(cursor *in)
{
    cursor ahead = *in;
    if (!skip_spaces(&ahead) || !take_char(&ahead, '-') || !skip_spaces(&ahead))
        return false;
    *in = ahead;
    return true;
}

static bool parse_set(cursor *in, nt_range *range, uint8_t set)
{
    skip_spaces(in);
    cursor ahead = *in;
    partial from, to;
    if (take_partial(&ahead, &from) && take_hyphen(&ahead)) {
        *in = ahead;
        return take_partial(in, &to) && add_front(range, set, &from, 0) &&
               add_compared(range, set, NT_RELATION_LE, &to);
    }
    do {
        if (in->at == in->end || !parse_condition(in, range, set))
            return false;
    } while (skip_spaces(in) && in->at < in->end && *in->at != '|');
    return true;
}

static bool take_bars(cursor *in)
{
    bool is_there = in->end - in->at >= 2 && in->at[0] == '|' && in->at[1] == '|';
    in->at += is_there ? 2 : 0;
    return is_there;
}

netron_err nt_range_parse(netron_str text, nt_range *out)
{
    nt_range range = {.count = 0};
    cursor in = {text.data, text.data + text.size};
    if (text.size > NT_RANGE_MAX)
        return nt_fail(NETRON_INVALID, "a version range is longer than 256 bytes");
    bool is_good = text.size != 0;
    for (uint8_t set = 0; is_good; set++) {
        is_good = parse_set(&in, &range, set);
        skip_spaces(&in);
        if (!is_good || in.at == in.end)
            break;
        is_good = take_bars(&in);
    }
    if (!is_good && range.count == NT_CONDITIONS_MAX)
        return nt_fail(NETRON_INVALID,
            "version range '%.*s' has more than 16 conditions: simplify it", NETRON_STR(text));
    if (!is_good)
        return nt_fail(NETRON_INVALID,
            "'%.*s' is not a version range, at character %zu: write e.g. ^1.2, ~1.2.3, 1.x, "
            ">=1.2 <3, 1.2 - 2.3 or 1.x || 2.x",
            NETRON_STR(text), (size_t)(in.at - text.data) + 1);
    *out = range;
    return NETRON_OK;
}

static bool holds(const nt_condition *condition, const nt_version *version)
{
    int order = nt_version_compare(version, &condition->version);
    switch (condition->relation) {
    case NT_RELATION_LT:
        return order < 0;
    case NT_RELATION_LE:
        return order <= 0;
    case NT_RELATION_EQ:
        return order == 0;
    case NT_RELATION_GE:
        return order >= 0;
    case NT_RELATION_GT:
        return order > 0;
    }
    return false;
}

bool nt_range_matches(const nt_range *range, const nt_version *version)
{
    for (uint8_t i = 0; i < range->count;) {
        uint8_t set = range->conditions[i].set;
        bool all_hold = true;
        bool is_named = version->pre.size == 0; /* a release needs no naming */
        for (; i < range->count && range->conditions[i].set == set; i++) {
            const nt_condition *condition = &range->conditions[i];
            all_hold = all_hold && holds(condition, version);
            is_named = is_named || (condition->version.pre.size != 0 &&
                                       compare_triple(&condition->version, version) == 0);
        }
        if (all_hold && is_named)
            return true;
    }
    return false;
}

static bool is_name_char(char c)
{
    return is_identifier_char(c) || c == '_' || c == '.';
}

/* What is wrong with a service name, or NULL. */
static const char *judge_name(netron_str name)
{
    if (name.size == 0)
        return "the name is empty";
    if (name.size > NT_SERVICE_NAME_MAX)
        return "the name is longer than 255 bytes";
    for (size_t i = 0; i < name.size; i++) {
        if (!is_name_char(name.data[i]))
            return "a name is made of letters, digits, '.', '-' and '_'";
        bool is_end = i == 0 || i + 1 == name.size;
        if (name.data[i] == '.' && (is_end || name.data[i - 1] == '.'))
            return "each dot of a name stands between two other characters";
    }
    return NULL;
}

netron_err nt_service_name_check(netron_str name)
{
    const char *why = judge_name(name);
    if (why == NULL)
        return NETRON_OK;
    return nt_fail(NETRON_INVALID,
        "service name refused: %s; write e.g. user-management, not '%.*s'", why, NETRON_STR(name));
}

netron_err nt_service_id_split(const char *id, netron_str *name, netron_str *version)
{
    const char *at = strchr(id, '@');
    netron_str front = {id, at != NULL ? (size_t)(at - id) : strlen(id)};
    netron_str back = netron_s(at != NULL ? at + 1 : "");
    const char *why = judge_name(front);
    nt_version parsed = {0};
    cursor in = {back.data, back.data + back.size};
    if (why == NULL && at != NULL && back.size == 0)
        why = "the version after '@' is empty";
    else if (why == NULL && at != NULL && back.size > NT_VERSION_MAX)
        why = "the version is longer than 128 bytes";
    else if (why == NULL && at != NULL && (!take_version(&in, &parsed) || in.at != in.end))
        why = "the version after '@' is not three numbers";
    if (why != NULL)
        return nt_fail(NETRON_INVALID,
            "service id refused: %s; write e.g. user-management@1.2.3, not '%s'", why, id);
    *name = front;
    *version = back;
    return NETRON_OK;
}
