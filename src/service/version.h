/* version.h - versions of services (semver.org 2.0.0), ranges of them (npm's rules), and the rules
 * for service names and ids.
 *
 *   range      = set ("||" set)*                any set may match
 *   set        = hyphen | condition+            all conditions must match
 *   hyphen     = partial " - " partial          1.2 - 2.3      both ends are in
 *   condition  = ("<" "<=" ">" ">=" "=" "^" "~")? partial
 *   partial    = a version, or its front: 1  1.2  1.x  1.2.*  *
 *
 * A prerelease matches only where a condition of the set names a prerelease of the same
 * major.minor.patch: ^1.2.0-beta.1 takes 1.2.0-beta.2, but not 1.3.0-beta.1.
 */
#ifndef NT_SERVICE_VERSION_H
#define NT_SERVICE_VERSION_H

#include <netron/value.h>

#include "base/assert.h"

enum {
    NT_VERSION_MAX = 128,     /* bytes of a version */
    NT_RANGE_MAX = 256,       /* bytes of a range */
    NT_CONDITIONS_MAX = 16,   /* in a range, after ^, ~, x and hyphens became < and >= */
    NT_SERVICE_NAME_MAX = 255 /* bytes */
};

/* The greatest number in a version: JavaScript's Number.MAX_SAFE_INTEGER, as npm has it. */
#define NT_VERSION_NUMBER_MAX INT64_C(9007199254740991)

typedef struct nt_version {
    uint64_t major, minor, patch;
    netron_str pre;   /* "beta.1" of 1.2.3-beta.1, or empty. Points into the parsed text. */
    netron_str build; /* "7" of 1.2.3+7, or empty. Points into the parsed text. */
} nt_version;

typedef enum nt_relation {
    NT_RELATION_LT,
    NT_RELATION_LE,
    NT_RELATION_EQ,
    NT_RELATION_GE,
    NT_RELATION_GT
} nt_relation;

typedef struct nt_condition {
    nt_relation relation;
    uint8_t set; /* conditions of the same set stand side by side */
    nt_version version;
} nt_condition;

typedef struct nt_range {
    nt_condition conditions[NT_CONDITIONS_MAX];
    uint8_t count;
} nt_range;

/* A full version: three numbers, with a prerelease and build metadata if any. NETRON_INVALID. */
NT_MUST_CHECK netron_err nt_version_parse(netron_str text, nt_version *out);

/* Below, at or above 0 as a has lower, the same or higher precedence than b. Build metadata does not
 * count (semver.org 10). */
int nt_version_compare(const nt_version *a, const nt_version *b);

/* The order in which versions are listed: none (""), what is no version, versions by precedence. */
int nt_version_order(netron_str a, netron_str b);

/* The range keeps pointing into `text`. NETRON_INVALID says where and shows a right one. */
NT_MUST_CHECK netron_err nt_range_parse(netron_str text, nt_range *out);

bool nt_range_matches(const nt_range *range, const nt_version *version);

/* Letters, digits, '.', '-' and '_', no dot at either end and no two in a row. NETRON_INVALID. */
NT_MUST_CHECK netron_err nt_service_name_check(netron_str name);

/* Take "name@version" or "name" apart and check both; *version is empty if there is none. Both point
 * into `id`. NETRON_INVALID, also for a version that is not complete. */
NT_MUST_CHECK netron_err nt_service_id_split(const char *id, netron_str *name, netron_str *version);

#endif
