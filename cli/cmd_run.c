/* cmd_run.c - netron run: compile one C file with the system's compiler and serve it.
 *
 * The shared object stands in a temporary folder, which is gone again before anything is served:
 * what is loaded needs its file no more. Signals wait while the folder exists; Ctrl-C reaches the
 * compiler, so nobody waits long.
 */
#include "commands.h"
#include "module.h"
#include "options.h"
#include "serving.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 256

/* ---- the command line of the compiler ---------------------------------------------------- */

typedef struct words {
    const char *items[MAX_WORDS + 1]; /* NULL after the last */
    size_t count;
} words;

static void add_word(words *list, const char *word)
{
    if (list->count < MAX_WORDS)
        list->items[list->count++] = word;
}

/* Each word of "ccache gcc -m32". */
static void add_split(cli *c, words *list, const char *text)
{
    static const char blanks[] = " \t\n";
    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        size_t size = strcspn(text, blanks);
        add_word(list, cli_text(c, "%.*s", (int)size, text));
        text += size;
    }
}

static bool is_cplusplus(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot != NULL &&
           (strcmp(dot, ".cpp") == 0 || strcmp(dot, ".cc") == 0 || strcmp(dot, ".cxx") == 0);
}

static const char *compiler_for(const char *file)
{
    bool is_cpp = is_cplusplus(file);
    const char *wanted = getenv(is_cpp ? "CXX" : "CC");
    if (wanted != NULL && wanted[0] != '\0')
        return wanted;
    return is_cpp ? "c++" : "cc";
}

static bool has_headers(cli *c, const char *folder)
{
    return access(cli_text(c, "%s/netron/netron.h", folder), R_OK) == 0;
}

/* The include folder beside the folder that this program is in, as when installed. */
static const char *include_beside_program(cli *c)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size <= 0)
        return "";
    path[size] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return cli_text(c, "%s/include", path);
}

static void add_pkg_config(cli *c, words *list)
{
    char flags[4096] = "";
    FILE *pipe = popen("pkg-config --cflags netron 2>/dev/null", "re");
    if (pipe == NULL)
        return;
    size_t size = fread(flags, 1, sizeof flags - 1, pipe);
    flags[size] = '\0';
    if (pclose(pipe) == 0)
        add_split(c, list, flags);
}

/* The headers of this very release come first: installed beside the program, or in the tree that
 * it was built from. Another release's would make an object of another ABI. */
static void add_headers(cli *c, words *list)
{
    const char *beside = include_beside_program(c);
    if (has_headers(c, beside)) {
        add_word(list, cli_text(c, "-I%s", beside));
        return;
    }
#ifdef NETRON_INCLUDE_DIR
    if (has_headers(c, NETRON_INCLUDE_DIR)) {
        add_word(list, "-I" NETRON_INCLUDE_DIR);
        return;
    }
#endif
    add_pkg_config(c, list);
}

/* Symbols of libnetron are left open: this program has it loaded. -fstack-clash-protection, since
 * a handler's stack must not jump its guard page (docs/design.md, "Fibers"). */
static void compile_words(cli *c, words *list, const char *object)
{
    static const char *const usual[] = {
        "-shared", "-fPIC", "-fstack-clash-protection", "-O2", "-g", "-Wall"};
    add_split(c, list, compiler_for(c->words[0]));
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        add_word(list, usual[i]);
    add_headers(c, list);
    add_word(list, "-o");
    add_word(list, object);
    for (size_t i = 0; i < c->count; i++) /* the file, then what the user wants besides */
        add_word(list, c->words[i]);
}

/* ---- compiling --------------------------------------------------------------------------- */

/* Start a program that gets signals as if the shell had started it. 0, or an errno. */
static int spawn(pid_t *pid, const words *list, const sigset_t *mask)
{
    sigset_t usual;
    posix_spawnattr_t how;
    char *argv[MAX_WORDS + 1];
    memcpy(argv, list->items, sizeof argv);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&how, mask);
    posix_spawnattr_setsigdefault(&how, &usual);
    int failure = posix_spawnp(pid, argv[0], NULL, &how, argv, environ);
    posix_spawnattr_destroy(&how);
    return failure;
}

static int compile(cli *c, const char *object, const sigset_t *mask)
{
    const char *file = c->words[0];
    words list = {.count = 0};
    pid_t pid;
    int status;
    compile_words(c, &list, object);
    int failure = spawn(&pid, &list, mask);
    if (failure != 0)
        return cli_refuse(c, "CompileError",
            cli_text(c, "cannot run %s: %s", list.items[0], strerror(failure)),
            "install a C compiler, or name yours: CC=clang netron run ...");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CLI_OK;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
        return CLI_USAGE; /* the same Ctrl-C waits for us */
    return cli_refuse(c, "CompileError", cli_text(c, "%s does not compile", file), NULL);
}

/* Compile into the folder and load what came out. NULL with the reason told. */
static const nt_module *build(cli *c, const char *folder, const sigset_t *mask)
{
    const char *object = cli_text(c, "%s/service.so", folder);
    const nt_module *module = NULL;
    if (compile(c, object, mask) == CLI_OK)
        module = cli_module_load(c, object, c->words[0]);
    unlink(object);
    return module;
}

static const nt_module *build_in_temporary(cli *c)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    char *folder = strdup(cli_text(c, "%s/netron-XXXXXX", parent));
    const nt_module *module = NULL;
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_BLOCK, &ours, &before);
    if (folder == NULL || mkdtemp(folder) == NULL) {
        cli_refuse(c, "CompileError",
            cli_text(c, "no temporary folder in %s: %s", parent, strerror(errno)),
            "set TMPDIR to one that can be written");
    } else {
        module = build(c, folder, &before);
        rmdir(folder);
    }
    sigprocmask(SIG_SETMASK, &before, NULL); /* a signal that waited ends us here */
    free(folder);
    return module;
}

static int run(cli *c, const void *options)
{
    if (access(c->words[0], R_OK) != 0)
        return cli_refuse(
            c, "CompileError", cli_text(c, "%s: %s", c->words[0], strerror(errno)), NULL);
    const nt_module *module = build_in_temporary(c);
    return module != NULL ? cli_serve(c, options, &module, 1) : CLI_USAGE;
}

static const cli_option options[] = {
    {"listen", 'l', "URL", cli_parse_list, offsetof(cli_serving, listen),
        "listen there (ws://127.0.0.1:7070); may be repeated"},
    {"id", 0, "ID", cli_parse_text, offsetof(cli_serving, id), "the node's id (a fresh UUID)"},
    {"threads", 0, "N", cli_parse_count, offsetof(cli_serving, threads),
        "event loops, for services that are concurrent (1)"},
    {0},
};

const cli_command cli_command_run = {
    .name = "run",
    .task = "Run a node",
    .summary = "compile a C file and serve what it declares",
    .operands = {"FILE.c", "[FLAG]..."},
    .options = options,
    .options_size = sizeof(cli_serving),
    .run = run,
    .help = "The file ends with NETRON_MAIN(service, &self). It is compiled with cc, or what CC\n"
            "names (c++ and CXX for .cpp, .cc and .cxx), and nothing is left behind. FLAGs, which\n"
            "stand after --, are passed to the compiler.\n",
    .examples = "  netron run hello.c\n"
                "      on ws://127.0.0.1:7070\n"
                "  CC=clang netron run hello.c --listen unix:/tmp/hello.sock\n"
                "      another compiler, a Unix socket\n"
                "  netron run weather.c -- -I../include -lcurl\n"
                "      with a library\n",
};
