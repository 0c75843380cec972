// Passes a request on to the backend "origin" and its answer back.
#include <vivarium.h>

int main(void) {
    char path[4096], type[200], buffer[8192];
    const char *query = vivarium_variable("QUERY_STRING");
    snprintf(path, sizeof path, "%s%s%s", vivarium_path(), *query ? "?" : "", query);
    vivarium_fetch fetch = vivarium_fetch_new("GET", path);
    vivarium_fetch_send(&fetch, "origin", NULL, 0);
    int status = vivarium_fetch_wait(&fetch);
    if (status < 0) {
        vivarium_respond(502, "text/plain; charset=utf-8");
        printf("The backend did not answer. Give the deployment \"backends\": {\"origin\": {\"origin\": \"https://example.org\"}}.\n");
        return 0;
    }
    if (vivarium_fetch_answer_header(&fetch, "content-type", type, sizeof type) < 0) strcpy(type, "application/octet-stream");
    vivarium_respond(status, type);
    for (long length; (length = vivarium_fetch_read(&fetch, buffer, sizeof buffer)) > 0;) fwrite(buffer, 1, length, stdout);
}
