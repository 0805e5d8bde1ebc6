/* screen.c - see screen.h. */
#include "screen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_screen_is_there(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static void write_codes(const char *codes)
{
    fputs(codes, stdout);
    fflush(stdout); /* what fails here fails with the next line drawn, too, where it is looked at */
}

/* Waiting sets a descriptor not to block, and all who share it: so it is one for us alone. */
static bool take_keys(cli_screen *screen)
{
    struct termios raw;
    if (!isatty(STDIN_FILENO))
        return true;
    if (tcgetattr(STDIN_FILENO, &screen->before) != 0)
        return false;
    screen->keys = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (screen->keys < 0)
        return true; /* a terminal of another user: without keys, Ctrl-C does */
    raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    screen->has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return screen->has_keys;
}

bool cli_screen_open(cli_screen *screen)
{
    *screen = (cli_screen){.is_open = true, .keys = -1};
    if (!take_keys(screen)) {
        cli_screen_close(screen);
        return false;
    }
    write_codes("\033[?1049h\033[?25l\033[H\033[2J");
    return true;
}

void cli_screen_close(cli_screen *screen)
{
    if (!screen->is_open)
        return;
    write_codes("\033[?25h\033[?1049l");
    if (screen->keys >= 0)
        close(screen->keys);
    if (screen->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before); /* the last that could be done */
    *screen = (cli_screen){.keys = -1};
}

void cli_screen_size(size_t *columns, size_t *rows)
{
    struct winsize size = {0};
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = is_known && size.ws_col > 0 ? size.ws_col : 80;
    *rows = is_known && size.ws_row > 0 ? size.ws_row : 24;
}
