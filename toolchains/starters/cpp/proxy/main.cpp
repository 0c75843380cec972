// Passes a request on to the backend "origin" and its answer back.
#include <string>

#include <vivarium.h>

int main() {
    std::string path = vivarium_path(), query = vivarium_variable("QUERY_STRING");
    vivarium_fetch fetch = vivarium_fetch_new("GET", (query.empty() ? path : path + "?" + query).c_str());
    vivarium_fetch_send(&fetch, "origin", nullptr, 0);
    int status = vivarium_fetch_wait(&fetch);
    if (status < 0) {
        vivarium_respond(502, "text/plain; charset=utf-8");
        puts(R"(The backend did not answer. Give the deployment "backends": {"origin": {"origin": "https://example.org"}}.)");
        return 0;
    }
    char buffer[8192];
    bool has_type = vivarium_fetch_answer_header(&fetch, "content-type", buffer, sizeof buffer) > 0;
    vivarium_respond(status, has_type ? buffer : "application/octet-stream");
    for (long length; (length = vivarium_fetch_read(&fetch, buffer, sizeof buffer)) > 0;) fwrite(buffer, 1, length, stdout);
}
