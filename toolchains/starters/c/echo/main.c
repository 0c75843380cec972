// Sends the request back: its method, its path, who asked, and its body.
#include <vivarium.h>

int main(void) {
    vivarium_respond(200, "text/plain; charset=utf-8");
    const char *agent = vivarium_header("User-Agent");
    printf("%s %s\nUser-Agent: %s\n\n", vivarium_method(), vivarium_path(), agent ? agent : "none");
    for (int byte; (byte = getchar()) != EOF;) putchar(byte);
}
