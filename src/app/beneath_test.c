/* beneath_test.c - paths that try to leave a folder. */
#include "app/beneath.h"

#include "support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int (*open_fn)(int folder, const char *path, int flags);

/* outside/secret, and inside: file, sub/file, and links of every kind. */
static int make_tree(char *base)
{
    char path[300];
    static const char *const links[][2] = {{"inside/out", "../outside/secret"},
        {"inside/outdir", "../outside"}, {"inside/absolute", "/etc/passwd"},
        {"inside/loop", "loop"}, {"inside/near", "file"}, {"inside/sub/up", "../../outside/secret"}};
    static const char *const files[] = {"outside/secret", "inside/file", "inside/sub/file"};
    static const char *const folders[] = {"outside", "inside", "inside/sub"};
    assert_non_null(mkdtemp(base));
    for (size_t i = 0; i < NT_COUNT(folders); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", base, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    for (size_t i = 0; i < NT_COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", base, files[i]);
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    for (size_t i = 0; i < NT_COUNT(links); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", base, links[i][0]);
        assert_int_equal(symlink(links[i][1], path), 0);
    }
    (void)snprintf(path, sizeof path, "%s/inside", base);
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(folder >= 0);
    return folder;
}

static void remove_tree(const char *base)
{
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", base);
    assert_int_equal(system(command), 0);
}

static void check_all(open_fn fn, bool follows_near)
{
    static const struct {
        const char *path;
        int error; /* 0: it opens; -1: any */
    } rows[] = {{"file", 0}, {"sub/file", 0}, {"sub//file", 0}, {"./sub/./file", 0}, {"none", ENOENT},
        {"sub/none", ENOENT}, {"file/none", ENOTDIR}, {"out", -1}, {"outdir/secret", -1},
        {"absolute", -1}, {"loop", ELOOP}, {"sub/up", -1}};
    char base[] = "/tmp/nt-beneath-XXXXXX", name[400];
    int folder = make_tree(base);
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        errno = 0;
        int fd = fn(folder, rows[i].path, O_RDONLY | O_CLOEXEC);
        int error = errno;
        NT_CHECK_ROW((fd >= 0) == (rows[i].error == 0), rows[i].path);
        NT_CHECK_ROW(rows[i].error <= 0 || error == rows[i].error, rows[i].path);
        NT_CHECK_ROW(rows[i].error >= 0 || error == EXDEV || error == ELOOP || error == ENOTDIR,
            rows[i].path);
        if (fd >= 0)
            close(fd);
    }
    int near = fn(folder, "near", O_RDONLY | O_CLOEXEC);
    assert_int_equal(near >= 0, follows_near);
    if (near >= 0)
        close(near);
    /* A new file: through no link either. */
    int made = fn(folder, "sub/new", O_WRONLY | O_CREAT | O_CLOEXEC);
    assert_true(made >= 0);
    close(made);
    assert_true(fn(folder, "outdir/new", O_WRONLY | O_CREAT | O_CLOEXEC) < 0);
    (void)snprintf(name, sizeof name, "%s/outside/new", base);
    assert_int_equal(access(name, F_OK), -1);
    memset(name, 'x', 300);
    name[300] = '\0';
    assert_true(fn(folder, name, O_RDONLY | O_CLOEXEC) < 0);
    assert_int_equal(errno, ENAMETOOLONG);
    close(folder);
    remove_tree(base);
}

/* Linux since 5.6, but not under valgrind: there the path is walked. */
static bool kernel_keeps_to_folder(void)
{
#ifdef SYS_openat2
    return syscall(SYS_openat2, AT_FDCWD, ".", NULL, (size_t)0) == 0 || errno != ENOSYS;
#else
    return false;
#endif
}

static void test_no_path_leaves_the_folder(void **state)
{
    (void)state;
    check_all(nt_open_beneath, kernel_keeps_to_folder());
}

static void test_no_path_leaves_the_folder_when_it_is_walked(void **state)
{
    (void)state;
    check_all(nt_walk_beneath, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_path_leaves_the_folder),
        cmocka_unit_test(test_no_path_leaves_the_folder_when_it_is_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
