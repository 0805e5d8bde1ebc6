/* with_validation.c - what arguments must be like: netron_use_validation(). */
#include "peer/chain.h"

#include "base/error.h"
#include "service/node.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct validation {
    netron_scope scope; /* of the rules' texts */
    netron_rule *rules;
    size_t count;
    netron_check_fn check;
    void *user;
} validation;

/* ---- one argument ---- */

static bool is_number(const netron_value *value, double *out)
{
    return netron_value_f64(value, out) == NETRON_OK;
}

/* A size that rules may speak of; false: the value has none. */
static bool size_of(const netron_value *value, size_t *out)
{
    if (value->type == NETRON_TYPE_STR)
        *out = value->as.str.size;
    else if (value->type == NETRON_TYPE_BYTES)
        *out = value->as.bytes.size;
    else if (value->type == NETRON_TYPE_LIST || value->type == NETRON_TYPE_SET)
        *out = value->as.list.count;
    else if (value->type == NETRON_TYPE_MAP || value->type == NETRON_TYPE_DICT)
        *out = value->as.map.count;
    else
        return false;
    return true;
}

static bool is_one_of(const netron_value *value, const char *const *texts)
{
    for (size_t i = 0; texts[i] != NULL; i++)
        if (value->type == NETRON_TYPE_STR && netron_eq(value->as.str, netron_s(texts[i])))
            return true;
    return false;
}

static void list_texts(const char *const *texts, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; texts[i] != NULL && used < size; i++) {
        int more = snprintf(out + used, size - used, "%s\"%s\"", i != 0 ? ", " : "", texts[i]);
        used += more > 0 ? (size_t)more : 0;
    }
}

static netron_err check_size(const netron_rule *rule, const netron_value *value, const char *what)
{
    size_t size;
    if (!size_of(value, &size))
        return nt_fail(NETRON_INVALID, "%s has a size to keep to, and is %s", what,
            netron_type_name(value->type));
    if (size < rule->min_size)
        return nt_fail(NETRON_INVALID, "%s has a size of %zu, at least %zu is asked for", what, size,
            rule->min_size);
    if (rule->max_size != 0 && size > rule->max_size)
        return nt_fail(NETRON_INVALID, "%s has a size of %zu, at most %zu is allowed", what, size,
            rule->max_size);
    return NETRON_OK;
}

static netron_err check_argument(const netron_rule *rule, const netron_value *value)
{
    char what[300], texts[400];
    double number;
    if (rule->name != NULL)
        (void)snprintf(what, sizeof what, "%s: argument %u, %s,", rule->member, rule->argument + 1,
            rule->name);
    else
        (void)snprintf(what, sizeof what, "%s: argument %u", rule->member, rule->argument + 1);
    bool is_missing = value == NULL || value->type == NETRON_TYPE_UNDEFINED ||
                      value->type == NETRON_TYPE_NULL;
    if (is_missing)
        return rule->required ? nt_fail(NETRON_INVALID, "%s is required", what) : NETRON_OK;
    if (rule->has_range && (!is_number(value, &number) || !(number >= rule->min) ||
                               !(number <= rule->max)))
        return nt_fail(NETRON_INVALID, "%s must be a number from %g to %g", what, rule->min,
            rule->max);
    if (rule->min_size != 0 || rule->max_size != 0)
        NETRON_TRY(check_size(rule, value, what));
    if (rule->one_of != NULL && !is_one_of(value, rule->one_of)) {
        list_texts(rule->one_of, texts, sizeof texts);
        return nt_fail(NETRON_INVALID, "%s must be one of %s", what, texts);
    }
    return NETRON_OK;
}

/* ---- a request ---- */

static netron_err check_rules(const validation *v, netron_invocation *inv)
{
    for (size_t i = 0; i < v->count; i++) {
        const netron_rule *rule = &v->rules[i];
        if (strcmp(rule->member, inv->member) != 0)
            continue;
        const netron_value *args = netron_invocation_args(inv);
        if (args == NULL)
            return netron_last_error()->code;
        NETRON_TRY(check_argument(rule, rule->argument < args->as.list.count
                                            ? &args->as.list.items[rule->argument]
                                            : NULL));
    }
    return NETRON_OK;
}

static netron_err validate(netron_invocation *inv, void *user)
{
    const validation *v = user;
    if (inv->kind != NETRON_INVOKED_GET) {
        NETRON_TRY(check_rules(v, inv));
        if (v->check != NULL) {
            const netron_value *args = netron_invocation_args(inv);
            if (args == NULL)
                return netron_last_error()->code;
            NETRON_TRY(v->check(inv->ctx, inv->member, args->as.list.items, args->as.list.count,
                v->user));
        }
    }
    return netron_next(inv);
}

/* ---- adding it ---- */

static void free_validation(void *user)
{
    validation *v = user;
    netron_scope_end(&v->scope);
    free(v);
}

static char *copy_text(netron_scope *scope, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = netron_scope_alloc(scope, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

static netron_err copy_texts(netron_scope *scope, const char *const *texts, const char *const **out)
{
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    const char **copy = netron_scope_alloc(scope, (count + 1) * sizeof *copy);
    if (copy == NULL)
        return nt_no_memory();
    for (size_t i = 0; i < count; i++)
        if ((copy[i] = copy_text(scope, texts[i])) == NULL)
            return nt_no_memory();
    *out = copy;
    return NETRON_OK;
}

static netron_err copy_rule(netron_scope *scope, const netron_rule *rule, netron_rule *out)
{
    if (rule->member == NULL)
        return nt_fail(NETRON_INVALID, "a rule is for a member: its name is missing");
    *out = *rule;
    out->member = copy_text(scope, rule->member);
    out->name = rule->name != NULL ? copy_text(scope, rule->name) : NULL;
    if (out->member == NULL || (rule->name != NULL && out->name == NULL))
        return nt_no_memory();
    return rule->one_of != NULL ? copy_texts(scope, rule->one_of, &out->one_of) : NETRON_OK;
}

netron_err netron_use_validation(netron *node, unsigned sides, const char *service,
    const netron_rule *rules, size_t count, netron_check_fn check, void *user)
{
    validation *v = calloc(1, sizeof *v);
    if (v == NULL)
        return nt_no_memory();
    v->check = check;
    v->user = user;
    v->rules = netron_scope_alloc(&v->scope, count * sizeof *v->rules + 1);
    netron_err err = v->rules != NULL ? NETRON_OK : nt_no_memory();
    while (err == NETRON_OK && v->count < count) {
        err = copy_rule(&v->scope, &rules[v->count], &v->rules[v->count]);
        v->count++;
    }
    if (err == NETRON_OK)
        err = netron_use(node, &(netron_middleware){.fn = validate,
                                   .user = v,
                                   .sides = sides,
                                   .order = NETRON_ORDER_VALIDATION,
                                   .service = service,
                                   .on_end = free_validation});
    if (err != NETRON_OK)
        free_validation(v);
    return err;
}
