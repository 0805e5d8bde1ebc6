/* driver.c - libFuzzer's main() where there is none: run the target once over each file of a corpus,
 * each of its first 64 truncations, and nothing at all.
 *
 * usage: fuzz_NAME FOLDER
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of exactly its size, so that reading past its end is noticed. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_file(const char *path)
{
    static uint8_t buffer[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return;
    size_t size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    run(buffer, size);
    for (size_t cut = 0; cut < size && cut < 64; cut++)
        run(buffer, cut);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    run((const uint8_t *)"", 0);
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        run_file(path);
        count++;
    }
    if (folder != NULL)
        closedir(folder);
    printf("%u inputs\n", count);
    return 0;
}
