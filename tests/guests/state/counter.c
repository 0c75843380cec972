#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KV(name) __attribute__((import_module("fastly_kv_store"), import_name(name)))
#define BODY(name) __attribute__((import_module("fastly_http_body"), import_name(name)))

KV("open") int32_t kv_open(const char *name, size_t len, uint32_t *store);
KV("lookup") int32_t kv_lookup(uint32_t store, const char *key, size_t len, uint32_t mask, const void *options, uint32_t *pending);
KV("lookup_wait_v2")
int32_t kv_lookup_wait(uint32_t pending, uint32_t *body, char *metadata, size_t max, size_t *len, uint64_t *generation, uint32_t *error);
KV("insert")
int32_t kv_insert(uint32_t store, const char *key, size_t len, uint32_t body, uint32_t mask, const void *options, uint32_t *pending);
KV("insert_wait") int32_t kv_insert_wait(uint32_t pending, uint32_t *error);
BODY("new") int32_t body_new(uint32_t *body);
BODY("read") int32_t body_read(uint32_t body, char *into, size_t max, size_t *len);
BODY("write") int32_t body_write(uint32_t body, const char *from, size_t len, int32_t end, size_t *written);

enum { OK = 1, NOT_FOUND = 3, OTHER_GENERATION = 4 };
enum { IF_GENERATION = 1 << 5 };

struct insert_options {
    uint32_t mode, unused;
    const char *metadata;
    uint32_t metadata_len, ttl_seconds;
    uint64_t generation;
};

static uint32_t store;

static int get(const char *key, char *value, size_t max, uint64_t *generation) {
    uint32_t pending, body, error, nothing = 0;
    size_t len = 0, metadata_len;
    char metadata[64];
    *generation = 0;
    if (kv_lookup(store, key, strlen(key), 0, &nothing, &pending)) exit(3);
    if (kv_lookup_wait(pending, &body, metadata, sizeof metadata, &metadata_len, generation, &error)) exit(4);
    if (error == OK && body_read(body, value, max - 1, &len)) exit(5);
    value[len] = 0;
    return error;
}

static int put(const char *key, const char *value, size_t len, const uint64_t *generation) {
    struct insert_options options = {.generation = generation ? *generation : 0};
    uint32_t pending, body, error;
    size_t written;
    if (body_new(&body) || body_write(body, value, len, 0, &written)) exit(6);
    if (kv_insert(store, key, strlen(key), body, generation ? IF_GENERATION : 0, &options, &pending)) exit(7);
    if (kv_insert_wait(pending, &error)) exit(8);
    return error;
}

int main(void) {
    const char *query = getenv("QUERY_STRING");
    char value[64];
    uint64_t generation;
    if (kv_open("kv", 2, &store)) return 2;
    printf("Content-Type: text/plain\n\n");
    if (!strcmp(query, "fill")) {
        static char long_value[100000];
        int error = OK, count = 0;
        for (; error == OK && count < 100; count++) {
            snprintf(value, sizeof value, "long/%d", count);
            error = put(value, long_value, sizeof long_value, NULL);
        }
        printf("%d of them, then error %d", count - 1, error);
        return 0;
    }
    for (;;) {
        int found = get("count", value, sizeof value, &generation);
        if (!strcmp(query, "get")) break;
        snprintf(value, sizeof value, "%d", found == OK ? atoi(value) + 1 : 1);
        int error = put("count", value, strlen(value), &generation);
        if (error == OK) break;
        if (error != OTHER_GENERATION) {
            printf("error %d", error);
            return 0;
        }
    }
    printf("%s", value);
}
