// A small JSON API: /?a=2&b=3 adds, /?a=2&b=3&op=times multiplies.
#include <vivarium.h>

static double number(const char *name) {
    char text[64];
    return vivarium_parameter(name, text, sizeof text) < 0 ? 0 : atof(text);
}

int main(void) {
    char op[16];
    double a = number("a"), b = number("b"), result = a + b;
    if (vivarium_parameter("op", op, sizeof op) > 0) {
        if (strcmp(op, "times") == 0) {
            result = a * b;
        } else if (strcmp(op, "plus") != 0) {
            vivarium_respond(400, "application/json");
            printf("{\"error\":\"op is plus or times\"}\n");
            return 0;
        }
    }
    vivarium_respond(200, "application/json");
    printf("{\"a\":%.15g,\"b\":%.15g,\"result\":%.15g}\n", a, b, result);
}
