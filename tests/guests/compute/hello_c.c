#include <stdint.h>
#include <string.h>

#define COMPUTE(module, name) __attribute__((import_module(module), import_name(name)))

COMPUTE("fastly_http_req", "body_downstream_get") int32_t asked(uint32_t *request, uint32_t *body);
COMPUTE("fastly_http_resp", "new") int32_t new_response(uint32_t *response);
COMPUTE("fastly_http_resp", "header_insert")
int32_t set_header(uint32_t response, const char *name, size_t name_len, const char *value, size_t value_len);
COMPUTE("fastly_http_body", "new") int32_t new_body(uint32_t *body);
COMPUTE("fastly_http_body", "write") int32_t write_body(uint32_t body, const char *from, size_t len, int32_t end, size_t *written);
COMPUTE("fastly_http_resp", "send_downstream") int32_t answer(uint32_t response, uint32_t body, uint32_t streaming);

int main(void) {
    uint32_t request, visitor, response, body;
    size_t written;
    const char *text = "hello from C";
    if (asked(&request, &visitor) || new_response(&response) || new_body(&body)) return 1;
    if (write_body(body, text, strlen(text), 0, &written)) return 2;
    if (set_header(response, "content-type", 12, "text/plain", 10)) return 3;
    return answer(response, body, 0);
}
