/* Every function of vivarium.h, once. */
#include <vivarium.h>

static void show(const char *what, long length, const char *text) { printf("%s: %s\n", what, length < 0 ? "none" : text); }

int main(void) {
    char text[512];
    vivarium_body(text, sizeof text);
    char body[512];
    strcpy(body, text);
    vivarium_respond(201, "text/plain; charset=utf-8");
    printf("method: %s\npath: %s\nagent: %s\ntype: %s\n", vivarium_method(), vivarium_path(), vivarium_header("User-Agent"),
           vivarium_header("content-type"));
    show("missing", vivarium_header("x-missing") ? 0 : -1, "");
    show("parameter", vivarium_parameter("x", text, sizeof text), text);
    show("no parameter", vivarium_parameter("z", text, sizeof text), text);
    show("form", vivarium_form_value(body, "line", text, sizeof text), text);
    printf("html: ");
    vivarium_print_html("<b>\"&'");
    show("\nkv", vivarium_kv_get("key", text, sizeof text), text);
    int kept = vivarium_kv_set("key", "fern", 4);
    show("kept", vivarium_kv_get("key", text, sizeof text), text);
    int forgotten = vivarium_kv_delete("key");
    show("forgotten", vivarium_kv_get("key", text, sizeof text), text);
    printf("done: %d %d\n", kept, forgotten);
    show("config", vivarium_config("colours", "leaf", text, sizeof text), text);
    show("no config", vivarium_config("colours", "root", text, sizeof text), text);
    show("secret", vivarium_secret("KEY", text, sizeof text), text);
    show("no secret", vivarium_secret("LOCK", text, sizeof text), text);
    vivarium_log("jay", "%d seen", 2);

    vivarium_fetch fetch = vivarium_fetch_new("POST", "/x?y");
    vivarium_fetch_header(&fetch, "x-own", "1");
    int sent = vivarium_fetch_send(&fetch, "origin", "moss", 4);
    printf("fetch: %d %d ", sent, vivarium_fetch_wait(&fetch));
    vivarium_fetch_answer_header(&fetch, "X-Backend", text, sizeof text);
    printf("%s ", text);
    for (long length; (length = vivarium_fetch_read(&fetch, text, sizeof text)) > 0;) fwrite(text, 1, (size_t)length, stdout);
    fetch = vivarium_fetch_new("GET", "/");
    printf("\nno backend: %d\n", vivarium_fetch_send(&fetch, "nowhere", NULL, 0));
    return 0;
}
