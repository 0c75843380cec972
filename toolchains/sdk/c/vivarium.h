/* What a program in C or C++ may ask of the server: #include <vivarium.h>, nothing to link.
 *
 *   the visitor     vivarium_method, vivarium_path, vivarium_header, vivarium_parameter, vivarium_body
 *   the answer      vivarium_respond, vivarium_print_html; the rest is printf
 *   what is kept    vivarium_kv_get, vivarium_kv_set, vivarium_kv_delete, vivarium_config, vivarium_secret
 *   the log         vivarium_log
 *   backends        vivarium_fetch_new, …_header, …_send, …_wait, …_answer_header, …_read
 *
 * Texts end with a zero. A function that fills a buffer cuts what does not fit, ends it with a zero, and returns the whole length, or -1 where there is
 * nothing. Functions that can fail return 0 or a length when they did not, and -1 when they did. */
#ifndef VIVARIUM_H
#define VIVARIUM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VIVARIUM_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

VIVARIUM_IMPORT("fastly_kv_store", "open") int vivarium_abi_kv_open(const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "lookup") int vivarium_abi_kv_lookup(uint32_t, const char *, size_t, uint32_t, const void *, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "lookup_wait_v2") int vivarium_abi_kv_lookup_wait(uint32_t, uint32_t *, char *, size_t, size_t *, uint64_t *, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "insert") int vivarium_abi_kv_insert(uint32_t, const char *, size_t, uint32_t, uint32_t, const void *, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "insert_wait") int vivarium_abi_kv_insert_wait(uint32_t, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "delete") int vivarium_abi_kv_delete(uint32_t, const char *, size_t, uint32_t, const void *, uint32_t *);
VIVARIUM_IMPORT("fastly_kv_store", "delete_wait") int vivarium_abi_kv_delete_wait(uint32_t, uint32_t *);
VIVARIUM_IMPORT("fastly_config_store", "open") int vivarium_abi_config_open(const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_config_store", "get") int vivarium_abi_config_get(uint32_t, const char *, size_t, char *, size_t, size_t *);
VIVARIUM_IMPORT("fastly_secret_store", "open") int vivarium_abi_secret_open(const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_secret_store", "get") int vivarium_abi_secret_get(uint32_t, const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_secret_store", "plaintext") int vivarium_abi_secret_plaintext(uint32_t, char *, size_t, size_t *);
VIVARIUM_IMPORT("fastly_log", "endpoint_get") int vivarium_abi_log_open(const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_log", "write") int vivarium_abi_log_write(uint32_t, const char *, size_t, size_t *);
VIVARIUM_IMPORT("fastly_http_body", "new") int vivarium_abi_body_new(uint32_t *);
VIVARIUM_IMPORT("fastly_http_body", "read") int vivarium_abi_body_read(uint32_t, void *, size_t, size_t *);
VIVARIUM_IMPORT("fastly_http_body", "write") int vivarium_abi_body_write(uint32_t, const void *, size_t, uint32_t, size_t *);
VIVARIUM_IMPORT("fastly_http_body", "close") int vivarium_abi_body_close(uint32_t);
VIVARIUM_IMPORT("fastly_http_req", "new") int vivarium_abi_request_new(uint32_t *);
VIVARIUM_IMPORT("fastly_http_req", "method_set") int vivarium_abi_request_method(uint32_t, const char *, size_t);
VIVARIUM_IMPORT("fastly_http_req", "uri_set") int vivarium_abi_request_uri(uint32_t, const char *, size_t);
VIVARIUM_IMPORT("fastly_http_req", "header_append") int vivarium_abi_request_header(uint32_t, const char *, size_t, const char *, size_t);
VIVARIUM_IMPORT("fastly_http_req", "send_async") int vivarium_abi_request_send(uint32_t, uint32_t, const char *, size_t, uint32_t *);
VIVARIUM_IMPORT("fastly_http_req", "pending_req_wait") int vivarium_abi_request_wait(uint32_t, uint32_t *, uint32_t *);
VIVARIUM_IMPORT("fastly_http_resp", "status_get") int vivarium_abi_answer_status(uint32_t, uint16_t *);
VIVARIUM_IMPORT("fastly_http_resp", "header_value_get") int vivarium_abi_answer_header(uint32_t, const char *, size_t, char *, size_t, size_t *);

/* ---- The visitor. ---- */

static inline const char *vivarium_variable(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

/* The method of the request, as in "GET". */
static inline const char *vivarium_method(void) { return vivarium_variable("REQUEST_METHOD"); }

/* The path of the request, decoded, without the query. */
static inline const char *vivarium_path(void) { return vivarium_variable("PATH_INFO"); }

/* A header of the request, by its name; NULL when it was not sent. */
static inline const char *vivarium_header(const char *name) {
  char variable[128] = "HTTP_";
  size_t length = 5;
  if (strcasecmp(name, "content-type") == 0 || strcasecmp(name, "content-length") == 0) length = 0;
  for (; *name && length < sizeof variable - 1; name++, length++) {
    variable[length] = *name == '-' ? '_' : *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
  }
  variable[length] = 0;
  return getenv(variable);
}

static inline int vivarium_digit(char digit) {
  return digit >= '0' && digit <= '9' ? digit - '0' : (digit | 32) >= 'a' && (digit | 32) <= 'f' ? (digit | 32) - 'a' + 10 : -1;
}

/* A value of "name=value&…", decoded, as in a query or a form that was sent. */
static inline long vivarium_form_value(const char *form, const char *name, char *buffer, size_t size) {
  size_t name_length = strlen(name);
  while (*form) {
    if (strncmp(form, name, name_length) == 0 && form[name_length] == '=') {
      size_t length = 0;
      for (form += name_length + 1; *form && *form != '&'; form++, length++) {
        char byte = *form == '+' ? ' ' : *form;
        if (*form == '%' && vivarium_digit(form[1]) >= 0 && vivarium_digit(form[2]) >= 0) {
          byte = (char)(vivarium_digit(form[1]) * 16 + vivarium_digit(form[2]));
          form += 2;
        }
        if (length + 1 < size) buffer[length] = byte;
      }
      if (size) buffer[length < size ? length : size - 1] = 0;
      return (long)length;
    }
    while (*form && *form++ != '&') {}
  }
  if (size) *buffer = 0;
  return -1;
}

/* A parameter of the request's query, decoded. */
static inline long vivarium_parameter(const char *name, char *buffer, size_t size) {
  return vivarium_form_value(vivarium_variable("QUERY_STRING"), name, buffer, size);
}

/* The body of the request, as far as it fits; its length. */
static inline long vivarium_body(char *buffer, size_t size) {
  size_t length = size ? fread(buffer, 1, size - 1, stdin) : 0;
  if (size) buffer[length] = 0;
  return (long)length;
}

/* ---- The answer. ---- */

/* Begins the answer; what is printed from here on is its body. */
static inline void vivarium_respond(int status, const char *content_type) {
  printf("Status: %d\r\nContent-Type: %s\r\n\r\n", status, content_type);
}

/* Prints text so that a browser shows it as it is. */
static inline void vivarium_print_html(const char *text) {
  for (; *text; text++) {
    switch (*text) {
      case '&': fputs("&amp;", stdout); break;
      case '<': fputs("&lt;", stdout); break;
      case '>': fputs("&gt;", stdout); break;
      case '"': fputs("&quot;", stdout); break;
      case '\'': fputs("&#39;", stdout); break;
      default: putchar(*text);
    }
  }
}

/* ---- What is kept. ---- */

#define VIVARIUM_KV_OK 1

static inline int vivarium_kv(uint32_t *store) { return vivarium_abi_kv_open("kv", 2, store); }

static inline long vivarium_read_body(uint32_t body, char *buffer, size_t size) {
  size_t length = 0, count = 0;
  char rest[256];
  do {
    int fits = length + 1 < size;
    if (vivarium_abi_body_read(body, fits ? buffer + length : rest, fits ? size - 1 - length : sizeof rest, &count) != 0) break;
    length += count;
  } while (count > 0);
  vivarium_abi_body_close(body);
  if (size) buffer[length < size ? length : size - 1] = 0;
  return (long)length;
}

static inline int vivarium_write_body(uint32_t body, const char *bytes, size_t length) {
  size_t count = 0;
  for (; length > 0; bytes += count, length -= count) {
    if (vivarium_abi_body_write(body, bytes, length, 0, &count) != 0) return -1;
  }
  return 0;
}

/* The value that is kept under a key. */
static inline long vivarium_kv_get(const char *key, char *buffer, size_t size) {
  uint32_t store, pending, body, error, none = 0;
  uint64_t generation;
  size_t about = 0;
  char metadata[2048];
  if (size) *buffer = 0;
  if (vivarium_kv(&store) != 0 || vivarium_abi_kv_lookup(store, key, strlen(key), 0, &none, &pending) != 0) return -1;
  int status = vivarium_abi_kv_lookup_wait(pending, &body, metadata, sizeof metadata, &about, &generation, &error);
  return status == 0 && error == VIVARIUM_KV_OK ? vivarium_read_body(body, buffer, size) : -1;
}

/* Keeps a value under a key, for all requests from now on. When this returns 0 it is stored for good. */
static inline int vivarium_kv_set(const char *key, const char *value, size_t length) {
  uint32_t store, body, pending, error;
  uint64_t options[4] = {0};
  if (vivarium_kv(&store) != 0 || vivarium_abi_body_new(&body) != 0 || vivarium_write_body(body, value, length) != 0) return -1;
  if (vivarium_abi_kv_insert(store, key, strlen(key), body, 0, options, &pending) != 0) return -1;
  return vivarium_abi_kv_insert_wait(pending, &error) == 0 && error == VIVARIUM_KV_OK ? 0 : -1;
}

/* Forgets a key. One that is not there is no failure. */
static inline int vivarium_kv_delete(const char *key) {
  uint32_t store, pending, error, none = 0;
  if (vivarium_kv(&store) != 0 || vivarium_abi_kv_delete(store, key, strlen(key), 0, &none, &pending) != 0) return -1;
  return vivarium_abi_kv_delete_wait(pending, &error) == 0 ? 0 : -1;
}

/* A value of a config store of the deployment. */
static inline long vivarium_config(const char *store, const char *key, char *buffer, size_t size) {
  uint32_t handle;
  size_t length = 0;
  if (size) *buffer = 0;
  if (size == 0 || vivarium_abi_config_open(store, strlen(store), &handle) != 0) return -1;
  if (vivarium_abi_config_get(handle, key, strlen(key), buffer, size - 1, &length) != 0) return -1;
  buffer[length] = 0;
  return (long)length;
}

/* A secret of the deployment. */
static inline long vivarium_secret(const char *name, char *buffer, size_t size) {
  uint32_t store, secret;
  size_t length = 0;
  if (size) *buffer = 0;
  if (size == 0 || vivarium_abi_secret_open("secrets", 7, &store) != 0) return -1;
  if (vivarium_abi_secret_get(store, name, strlen(name), &secret) != 0) return -1;
  if (vivarium_abi_secret_plaintext(secret, buffer, size - 1, &length) != 0) return -1;
  buffer[length] = 0;
  return (long)length;
}

/* ---- The log. ---- */

/* Writes a line to the deployment's log, under a name: vivarium_log("shop", "%d sold", count). */
__attribute__((format(printf, 2, 3))) static inline void vivarium_log(const char *name, const char *format, ...) {
  char line[1024];
  uint32_t endpoint;
  size_t written;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0 || vivarium_abi_log_open(name, strlen(name), &endpoint) != 0) return;
  vivarium_abi_log_write(endpoint, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1, &written);
}

/* ---- Backends. ---- */

/* A request to a backend, and its answer. */
typedef struct {
  uint32_t request, pending, answer, body;
  int failed;
} vivarium_fetch;

/* A request that is not sent yet; the path has the query in it. */
static inline vivarium_fetch vivarium_fetch_new(const char *method, const char *path) {
  vivarium_fetch fetch = {0, 0, 0, 0, 0};
  fetch.failed = vivarium_abi_request_new(&fetch.request) != 0 || vivarium_abi_request_method(fetch.request, method, strlen(method)) != 0
                 || vivarium_abi_request_uri(fetch.request, path, strlen(path)) != 0;
  return fetch;
}

/* Adds a header to it. */
static inline void vivarium_fetch_header(vivarium_fetch *fetch, const char *name, const char *value) {
  fetch->failed |= vivarium_abi_request_header(fetch->request, name, strlen(name), value, strlen(value)) != 0;
}

/* Sends it to a backend that the deployment names, and goes on without waiting: several may be on their way. */
static inline int vivarium_fetch_send(vivarium_fetch *fetch, const char *backend, const char *body, size_t length) {
  uint32_t handle;
  fetch->failed |= vivarium_abi_body_new(&handle) != 0 || vivarium_write_body(handle, body, length) != 0
                   || vivarium_abi_request_send(fetch->request, handle, backend, strlen(backend), &fetch->pending) != 0;
  return fetch->failed ? -1 : 0;
}

/* Waits for the answer; its status, as in 200. */
static inline int vivarium_fetch_wait(vivarium_fetch *fetch) {
  uint16_t status = 0;
  fetch->failed |= fetch->failed || vivarium_abi_request_wait(fetch->pending, &fetch->answer, &fetch->body) != 0
                   || vivarium_abi_answer_status(fetch->answer, &status) != 0;
  return fetch->failed ? -1 : status;
}

/* A header of the answer. */
static inline long vivarium_fetch_answer_header(vivarium_fetch *fetch, const char *name, char *buffer, size_t size) {
  size_t length = 0;
  if (size) *buffer = 0;
  if (size == 0 || fetch->failed || vivarium_abi_answer_header(fetch->answer, name, strlen(name), buffer, size - 1, &length) != 0) return -1;
  buffer[length] = 0;
  return (long)length;
}

/* Reads what is there of the answer's body, waiting for it; 0 at its end. */
static inline long vivarium_fetch_read(vivarium_fetch *fetch, char *buffer, size_t size) {
  size_t length = 0;
  return fetch->failed || vivarium_abi_body_read(fetch->body, buffer, size, &length) != 0 ? -1 : (long)length;
}

#ifdef __cplusplus
}
#endif

#endif
