/* module.c - see module.h. */
#include "module.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

typedef const nt_module *(*module_fn)(void);

static const nt_module *refuse(cli *c, const char *name, const char *why, const char *fix)
{
    cli_refuse(c, "LoadError", cli_text(c, "%s: %s", name, why), fix);
    return NULL;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t size = strlen(text), tail = strlen(suffix);
    return size > tail && strcmp(text + size - tail, suffix) == 0;
}

/* An object made for another release may mean something else by the same bytes. */
static const nt_module *check(cli *c, const char *name, const nt_module *module)
{
    if (module == NULL)
        return refuse(c, name, "its netron_module() gives nothing", NULL);
    if (module->abi != NETRON_ABI_VERSION)
        return refuse(c, name,
            cli_text(c, "made for ABI %u of netron, this one has ABI %d", (unsigned)module->abi,
                NETRON_ABI_VERSION),
            "compile it again with the headers of this release");
    if (module->size < sizeof *module || module->provider == NULL)
        return refuse(c, name, "its netron_module() is incomplete",
            "compile it again with the headers of this release");
    return module;
}

const nt_module *cli_module_load(cli *c, const char *path, const char *name)
{
    /* dlopen() looks for a name without a slash in the system's folders. */
    const char *exact = strchr(path, '/') != NULL ? path : cli_text(c, "./%s", path);
    if (access(exact, R_OK) != 0)
        return refuse(c, name, strerror(errno), NULL);
    if (ends_with(path, ".c"))
        return refuse(c, name, "a source file, not a shared object",
            cli_text(c, "netron run %s compiles and serves it", name));
    void *object = dlopen(exact, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return refuse(c, name, "cannot be loaded", dlerror());
    void *symbol = dlsym(object, "netron_module");
    if (symbol == NULL)
        return refuse(c, name, "it offers no service",
            "end the file with NETRON_MAIN(service, &self); see netron/service.h");
    module_fn entry;
    memcpy(&entry, &symbol, sizeof entry); /* as POSIX wants dlsym() to be used for functions */
    return check(c, name, entry());
}
