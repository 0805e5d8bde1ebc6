/* beneath.h - opening a path that never leaves a folder.
 *
 * The kernel keeps to the folder by itself where it can (Linux' openat2); else the path is walked
 * component by component, and no link is followed. The path is relative and has no "..".
 */
#ifndef NT_APP_BENEATH_H
#define NT_APP_BENEATH_H

/* A descriptor, or -1 with errno: EXDEV or ELOOP where a link leads out. A new file gets mode 0644. May
 * block. */
int nt_open_beneath(int folder, const char *path, int flags);

/* The same by walking: every link is ELOOP or ENOTDIR. */
int nt_walk_beneath(int folder, const char *path, int flags);

#endif
