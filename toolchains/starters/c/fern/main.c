// Grows a fern, a new instance for every visitor.
// ?seed=7&leaves=18 chooses which fern it is.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned seed, strokes;

// The number behind "name=" in the query string.
static int option(const char *name, int otherwise) {
    const char *query = getenv("QUERY_STRING");
    size_t length = strlen(name);
    while (query && *query) {
        if (strncmp(query, name, length) == 0 && query[length] == '=')
            return atoi(query + length + 1);
        query = strchr(query, '&');
        if (query) query++;
    }
    return otherwise;
}

static int between(int least, int value, int most) {
    return value < least ? least : value > most ? most : value;
}

static double jitter(double range) {
    seed = seed * 1664525u + 1013904223u;
    return ((seed >> 16) / 65536.0 - 0.5) * range;
}

// A stem of so many joints that bends as it grows. At each joint a leaf leaves it on both sides: a smaller frond, or a plain stroke.
static void frond(double x, double y, double angle, double length, int joints, int depth) {
    double step = length / joints, bend = jitter(0.03);
    for (int i = 0; i < joints; i++, strokes++) {
        double x2 = x + step * cos(angle), y2 = y - step * sin(angle);
        printf("M%.1f %.1fL%.1f %.1f", x, y, x2, y2);
        x = x2, y = y2, angle += bend + jitter(0.03);

        double grown = (i + 0.5) / joints, reach = length * 0.29 * pow(1 - grown, 0.7) * fmin(1, 0.35 + 3 * grown);
        for (int side = -1; side <= 1; side += 2) {
            double leaf = angle + side * (1.2 - 0.5 * grown) + jitter(0.1);
            if (depth > 0) {
                frond(x, y, leaf, reach, 3 + (int)(reach / 6), depth - 1);
            } else {
                printf("M%.1f %.1fl%.1f %.1f", x, y, reach * cos(leaf), -reach * sin(leaf));
                strokes++;
            }
        }
    }
}

int main(void) {
    unsigned asked = seed = (unsigned)option("seed", 7);
    int leaves = between(3, option("leaves", 18), 40);

    printf("Content-Type: image/svg+xml\r\n\r\n");
    printf("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 480' style='color-scheme:light dark'>"
           "<path fill='none' stroke='#178a5e' stroke-width='0.9' stroke-linecap='round' d='");
    for (int i = -2; i <= 2; i++)
        frond(320 + i * 3, 472, 1.571 - i * 0.55 + jitter(0.1), 430 - 75 * abs(i), leaves, 1);
    printf("'/></svg>\n");

    fprintf(stderr, "%u strokes, seed %u\n", strokes, asked);
    return 0;
}
