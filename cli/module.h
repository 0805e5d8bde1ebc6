/* module.h - services from shared objects: what NETRON_MAIN leaves in them. */
#ifndef CLI_MODULE_H
#define CLI_MODULE_H

#include "cli.h"

/* Load the shared object at `path`. It stays loaded, even when the file goes, until the program
 * ends. `name` is what messages call it. NULL with the reason told: no such file, no NETRON_MAIN,
 * made for another ABI. */
const nt_module *cli_module_load(cli *c, const char *path, const char *name);

#endif
