// Counts its visitors: the number outlives the request, and the server.
#include <string>

#include <vivarium.h>

int main() {
    char text[32] = "0";
    vivarium_kv_get("visitors", text, sizeof text);
    std::string next = std::to_string(std::atol(text) + 1);
    bool kept = vivarium_kv_set("visitors", next.data(), next.size()) == 0;
    vivarium_respond(kept ? 200 : 503, "text/plain; charset=utf-8");
    printf(kept ? "You are visitor %s.\n" : "The number %s cannot be kept now.\n", next.c_str());
}
