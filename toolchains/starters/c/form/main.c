// A page with a form, and what was filled in.
#include <vivarium.h>

int main(void) {
    char form[2048], name[200];
    vivarium_body(form, sizeof form);
    vivarium_respond(200, "text/html; charset=utf-8");
    printf("<!doctype html><title>A form</title><style>body{font:1.2rem system-ui;margin:4rem auto;max-width:24rem}</style>");
    if (vivarium_form_value(form, "name", name, sizeof name) > 0) {
        printf("<h1>Hello, ");
        vivarium_print_html(name);
        printf(".</h1>");
    }
    printf("<form method=post><label>Your name <input name=name autofocus></label> <button>Send</button></form>");
}
