// Counts its visitors: the number outlives the request, and the server.
#include <vivarium.h>

int main(void) {
    char text[32] = "0";
    vivarium_kv_get("visitors", text, sizeof text);
    int length = sprintf(text, "%ld", atol(text) + 1);
    if (vivarium_kv_set("visitors", text, length) != 0) {
        vivarium_respond(503, "text/plain; charset=utf-8");
        printf("The number cannot be kept now.\n");
        return 0;
    }
    vivarium_respond(200, "text/plain; charset=utf-8");
    printf("You are visitor %s.\n", text);
}
