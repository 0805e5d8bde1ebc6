/* beneath.c - see beneath.h. */
#include "app/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__) && __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#include <sys/syscall.h>
#define HAS_OPENAT2 1
#endif

int nt_walk_beneath(int folder, const char *path, int flags)
{
    char name[256];
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    while (at >= 0) {
        size_t size = strcspn(path, "/");
        bool is_last = path[size + strspn(path + size, "/")] == '\0';
        if (size >= sizeof name) {
            errno = ENAMETOOLONG;
            close(at);
            return -1;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        int how = is_last ? flags | O_NOFOLLOW : O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int next = openat(at, size != 0 ? name : ".", how, 0644);
        int error = errno;
        close(at);
        errno = error;
        if (is_last || next < 0)
            return next;
        at = next;
        path += size;
        path += strspn(path, "/");
    }
    return -1;
}

#ifdef HAS_OPENAT2
enum { RACES_MAX = 16 };
#endif

int nt_open_beneath(int folder, const char *path, int flags)
{
#ifdef HAS_OPENAT2
    struct open_how how = {.flags = (unsigned)flags,
        .mode = (flags & O_CREAT) != 0 ? 0644 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    /* EAGAIN: a folder was renamed during the walk, and the kernel cannot tell where that led. */
    for (int i = 0; i < RACES_MAX; i++) {
        fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    /* An old kernel, or a filter that does not know it. */
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return (int)fd;
#endif
    return nt_walk_beneath(folder, path, flags);
}
