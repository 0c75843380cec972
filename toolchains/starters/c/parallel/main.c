// Asks a backend for several parts at once and puts them into one page, in order: it takes as long as the slowest, not as long as all.
#include <vivarium.h>

static const char *const parts[] = {"/news", "/weather", "/sports"};
enum { COUNT = sizeof parts / sizeof *parts };

int main(void) {
    vivarium_fetch fetches[COUNT];
    for (int n = 0; n < COUNT; n++) {
        fetches[n] = vivarium_fetch_new("GET", parts[n]);
        vivarium_fetch_send(&fetches[n], "origin", NULL, 0);
    }
    vivarium_respond(200, "text/html; charset=utf-8");
    printf("<!doctype html><title>One page</title><style>body{font:1rem system-ui;margin:2rem}section{border-top:1px solid}</style>");
    for (int n = 0; n < COUNT; n++) {
        char text[4097];
        printf("<section><h2>%s</h2><pre>", parts[n] + 1);
        if (vivarium_fetch_wait(&fetches[n]) == 200) {
            for (long length; (length = vivarium_fetch_read(&fetches[n], text, sizeof text - 1)) > 0;) {
                text[length] = 0;
                vivarium_print_html(text);
            }
        } else {
            printf("nothing today");
        }
        printf("</pre></section>");
    }
}
