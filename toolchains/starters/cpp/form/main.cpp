// A page with a form, and the words that were sent, sorted.
#include <iostream>
#include <set>
#include <sstream>
#include <string>

#include <vivarium.h>

int main() {
    static char form[8192], text[8192];
    vivarium_body(form, sizeof form);
    vivarium_respond(200, "text/html; charset=utf-8");
    printf("<!doctype html><title>Sorted</title><style>body{font:1.2rem system-ui;margin:4rem auto;max-width:24rem}</style>");
    printf("<form method=post><textarea name=text rows=4 cols=30 autofocus></textarea><br><button>Sort</button></form><ol>");
    vivarium_form_value(form, "text", text, sizeof text);
    std::istringstream words(text);
    std::multiset<std::string> sorted{std::istream_iterator<std::string>(words), {}};
    for (const std::string &word : sorted) {
        printf("<li>");
        vivarium_print_html(word.c_str());
    }
    printf("</ol>");
}
