/* Prints what calculator.h says of itself. check_compile.sh builds it as C11 and as C++17 and
 * compares the output: both languages must keep the same metadata. */
#include "calculator.h"

#include <stdio.h>

static void print_params(const nt_member *member)
{
    for (int i = 0; i < member->param_count; i++) {
        const nt_param *param = &member->params[i];
        printf("%s%s %s", i == 0 ? "" : ", ", param->type()->name, param->name);
        if (param->default_text != NULL)
            printf(" = %s", param->default_text);
    }
}

static void print_type(const nt_type *type)
{
    printf("%s:", type->name);
    for (int i = 0; i < type->count; i++) {
        if (type->kind == NT_KIND_ENUM)
            printf(" %s", type->names[i]);
        else
            printf(" %s %s;", type->fields[i].type()->name, type->fields[i].name);
    }
    if (type->item != NULL)
        printf(" of %s", type->item()->name);
    printf("\n");
}

int main(void)
{
    static const char *const kinds[] = {"method", "stream", "property", "event"};
    const nt_contract *contract = calculator__contract();
    printf("%s, %d members\n", contract->id, contract->count);
    for (int i = 0; i < contract->count; i++) {
        const nt_member *member = contract->members[i]();
        printf("%s %s(", kinds[member->kind], member->name);
        print_params(member);
        printf(")%s", member->writable ? " writable" : "");
        printf(" -> %s", member->result != NULL ? member->result()->name : "nothing");
        printf(" wire %s", *member->wire != NULL ? *member->wire : "-");
        printf(" doc %s\n", *member->doc != NULL ? *member->doc : "-");
    }
    print_type(nt_info_rounding());
    print_type(nt_info_step());
    print_type(nt_info_step_list());
    print_type(nt_info_opt_str());
    return 0;
}
