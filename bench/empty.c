/* empty.c - the least a dynamically linked program can do before it says that it is there. */
#include <stdio.h>

int main(void)
{
    puts("listening on nothing");
    return 0;
}
