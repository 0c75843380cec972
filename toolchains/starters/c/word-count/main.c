// Reads text on stdin; prints how much there is of it and which words come most often.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
    char letters[32];
    unsigned count;
};

static struct word words[4096];
static unsigned known;

static void count(const char *letters) {
    for (unsigned i = 0; i < known; i++)
        if (strcmp(words[i].letters, letters) == 0) {
            words[i].count++;
            return;
        }
    if (known < sizeof words / sizeof *words) {
        strcpy(words[known].letters, letters);
        words[known++].count = 1;
    }
}

static int more_often(const void *a, const void *b) {
    const struct word *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : strcmp(x->letters, y->letters);
}

int main(void) {
    char letters[32];
    unsigned length = 0, lines = 0, total = 0, characters = 0;

    for (int c; (c = getchar()) != EOF || length > 0;) {
        if (c != EOF) characters++;
        if (c == '\n') lines++;
        if (c != EOF && isalpha(c)) {
            if (length + 1 < sizeof letters) letters[length++] = (char)tolower(c);
        } else if (length > 0) {
            letters[length] = '\0';
            count(letters);
            total++, length = 0;
        }
    }

    printf("%u lines, %u words, %u characters\n", lines, total, characters);
    qsort(words, known, sizeof *words, more_often);
    for (unsigned i = 0; i < known && i < 10; i++)
        printf("%6u  %s\n", words[i].count, words[i].letters);
    return 0;
}
