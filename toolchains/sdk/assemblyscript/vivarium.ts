// What a program in AssemblyScript may ask of the server: import { … } from "vivarium".
//
//   the visitor     method, path, parameter, header, body, formValue
//   the answer      respond, respondBytes, escape
//   what is kept    kv.get, kv.set, kv.remove, config, secret
//   the log         log
//   backends        Fetch
//
// What may be absent is asked for with what is to stand for it then; without that it is "".

// @ts-ignore: decorator
@external("fastly_kv_store", "open") declare function kv_open(name: usize, length: usize, store: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "lookup") declare function kv_lookup(store: u32, key: usize, length: usize, mask: u32, options: usize, pending: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "lookup_wait_v2") declare function kv_lookup_wait(pending: u32, body: usize, about: usize, length: usize, written: usize, generation: usize, error: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "insert") declare function kv_insert(store: u32, key: usize, length: usize, body: u32, mask: u32, options: usize, pending: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "insert_wait") declare function kv_insert_wait(pending: u32, error: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "delete") declare function kv_delete(store: u32, key: usize, length: usize, mask: u32, options: usize, pending: usize): i32;
// @ts-ignore: decorator
@external("fastly_kv_store", "delete_wait") declare function kv_delete_wait(pending: u32, error: usize): i32;
// @ts-ignore: decorator
@external("fastly_config_store", "open") declare function config_open(name: usize, length: usize, store: usize): i32;
// @ts-ignore: decorator
@external("fastly_config_store", "get") declare function config_get(store: u32, key: usize, length: usize, value: usize, max: usize, written: usize): i32;
// @ts-ignore: decorator
@external("fastly_secret_store", "open") declare function secrets_open(name: usize, length: usize, store: usize): i32;
// @ts-ignore: decorator
@external("fastly_secret_store", "get") declare function secret_get(store: u32, name: usize, length: usize, secret: usize): i32;
// @ts-ignore: decorator
@external("fastly_secret_store", "plaintext") declare function secret_plaintext(secret: u32, value: usize, max: usize, written: usize): i32;
// @ts-ignore: decorator
@external("fastly_log", "endpoint_get") declare function log_open(name: usize, length: usize, endpoint: usize): i32;
// @ts-ignore: decorator
@external("fastly_log", "write") declare function log_write(endpoint: u32, text: usize, length: usize, written: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_body", "new") declare function body_new(body: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_body", "read") declare function body_read(body: u32, buffer: usize, length: usize, read: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_body", "write") declare function body_write(body: u32, bytes: usize, length: usize, end: u32, written: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_body", "close") declare function body_close(body: u32): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "new") declare function request_new(request: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "method_set") declare function request_method(request: u32, method: usize, length: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "uri_set") declare function request_uri(request: u32, uri: usize, length: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "header_append") declare function request_header(request: u32, name: usize, nameLength: usize, value: usize, valueLength: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "send_async") declare function request_send(request: u32, body: u32, backend: usize, length: usize, pending: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_req", "pending_req_wait") declare function request_wait(pending: u32, answer: usize, body: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_resp", "status_get") declare function answer_status(answer: u32, status: usize): i32;
// @ts-ignore: decorator
@external("fastly_http_resp", "header_value_get") declare function answer_header(answer: u32, name: usize, length: usize, value: usize, max: usize, written: usize): i32;

// Where calls answer: handles, lengths, a generation. And options that are all zero.
// @ts-ignore: decorator
@lazy const out = memory.data(32, 8);
// @ts-ignore: decorator
@lazy const none = memory.data(32, 8);
// @ts-ignore: decorator
@lazy const TOO_SHORT: i32 = 4;
// @ts-ignore: decorator
@lazy const KV_OK: u32 = 1;

function at(text: ArrayBuffer): usize {
  return changetype<usize>(text);
}

function decode(bytes: ArrayBuffer, length: i32): string {
  return String.UTF8.decodeUnsafe(at(bytes), length);
}

// The method of the request, as in "GET".
export function method(): string {
  return variable("REQUEST_METHOD");
}

// The path of the request, decoded, without the query.
export function path(): string {
  return variable("PATH_INFO");
}

// A parameter of the query, decoded.
export function parameter(name: string, otherwise: string = ""): string {
  return formValue(variable("QUERY_STRING"), name, otherwise);
}

// A header of the request, whatever the case of its name.
export function header(name: string, otherwise: string = ""): string {
  const key = name.toUpperCase().replaceAll("-", "_");
  const full = key == "CONTENT_TYPE" || key == "CONTENT_LENGTH" ? key : "HTTP_" + key;
  return process.env.has(full) ? process.env.get(full) : otherwise;
}

// The whole body of the request, as text.
export function body(): string {
  return process.stdin.readText();
}

// A value of "name=value&…", decoded: of a query, or of a form that was sent.
export function formValue(form: string, name: string, otherwise: string = ""): string {
  const pairs = form.split("&");
  for (let i = 0; i < pairs.length; i++) {
    if (pairs[i].startsWith(name + "=")) return decodeURIComponent(pairs[i].substring(name.length + 1).replaceAll("+", " "));
  }
  return otherwise;
}

// Answers the request with text.
export function respond(status: i32, contentType: string, text: string): void {
  process.stdout.write("Status: " + status.toString() + "\r\nContent-Type: " + contentType + "\r\n\r\n" + text);
}

// Answers the request with bytes.
export function respondBytes(status: i32, contentType: string, bytes: Uint8Array): void {
  respond(status, contentType, "");
  process.stdout.write(bytes);
}

// Text as a browser shows it as it is.
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

// Values that are kept from one request to the next.
export namespace kv {
  // The value under a key.
  export function get(key: string, otherwise: string = ""): string {
    const name = String.UTF8.encode(key), about = new ArrayBuffer(2048);
    const store = open();
    if (store == 0 || kv_lookup(store, at(name), name.byteLength, 0, none, out) != 0) return otherwise;
    const status = kv_lookup_wait(load<u32>(out), out, at(about), about.byteLength, out + 4, out + 8, out + 16);
    return status == 0 && load<u32>(out, 16) == KV_OK ? readAll(load<u32>(out)) : otherwise;
  }

  // Keeps a value under a key, for all requests from now on. When this returns true it is stored for good.
  export function set(key: string, value: string): bool {
    const name = String.UTF8.encode(key);
    const store = open(), handle = written(value);
    if (store == 0 || kv_insert(store, at(name), name.byteLength, handle, 0, none, out) != 0) return false;
    return kv_insert_wait(load<u32>(out), out + 4) == 0 && load<u32>(out, 4) == KV_OK;
  }

  // Forgets a key. One that is not there is no failure.
  export function remove(key: string): bool {
    const name = String.UTF8.encode(key);
    const store = open();
    if (store == 0 || kv_delete(store, at(name), name.byteLength, 0, none, out) != 0) return false;
    return kv_delete_wait(load<u32>(out), out + 4) == 0;
  }

  function open(): u32 {
    const name = String.UTF8.encode("kv");
    return kv_open(at(name), name.byteLength, out) == 0 ? load<u32>(out) : 0;
  }
}

// A value of a config store of the deployment.
export function config(store: string, key: string, otherwise: string = ""): string {
  const name = String.UTF8.encode(store), word = String.UTF8.encode(key);
  if (config_open(at(name), name.byteLength, out) != 0) return otherwise;
  const handle = load<u32>(out);
  let buffer = new ArrayBuffer(256);
  let status = config_get(handle, at(word), word.byteLength, at(buffer), buffer.byteLength, out);
  if (status == TOO_SHORT) {
    buffer = new ArrayBuffer(load<i32>(out));
    status = config_get(handle, at(word), word.byteLength, at(buffer), buffer.byteLength, out);
  }
  return status == 0 ? decode(buffer, load<i32>(out)) : otherwise;
}

// A secret of the deployment.
export function secret(name: string, otherwise: string = ""): string {
  const store = String.UTF8.encode("secrets"), word = String.UTF8.encode(name);
  if (secrets_open(at(store), store.byteLength, out) != 0) return otherwise;
  if (secret_get(load<u32>(out), at(word), word.byteLength, out) != 0) return otherwise;
  const handle = load<u32>(out);
  let buffer = new ArrayBuffer(256);
  let status = secret_plaintext(handle, at(buffer), buffer.byteLength, out);
  if (status == TOO_SHORT) {
    buffer = new ArrayBuffer(load<i32>(out));
    status = secret_plaintext(handle, at(buffer), buffer.byteLength, out);
  }
  return status == 0 ? decode(buffer, load<i32>(out)) : otherwise;
}

// Writes a line to the deployment's log, under a name.
export function log(name: string, line: string): void {
  const word = String.UTF8.encode(name), text = String.UTF8.encode(line);
  if (log_open(at(word), word.byteLength, out) == 0) log_write(load<u32>(out), at(text), text.byteLength, out);
}

// A request to a backend, and its answer: new Fetch("GET", "/path?query"), header, send, wait, text.
export class Fetch {
  private request: u32 = 0;
  private pending: u32 = 0;
  private answer: u32 = 0;
  private body: u32 = 0;
  private failed: bool;

  constructor(method: string, path: string) {
    const word = String.UTF8.encode(method), uri = String.UTF8.encode(path);
    this.failed = request_new(out) != 0;
    this.request = load<u32>(out);
    this.failed = this.failed || request_method(this.request, at(word), word.byteLength) != 0 || request_uri(this.request, at(uri), uri.byteLength) != 0;
  }

  // Adds a header.
  header(name: string, value: string): Fetch {
    const word = String.UTF8.encode(name), text = String.UTF8.encode(value);
    if (request_header(this.request, at(word), word.byteLength, at(text), text.byteLength) != 0) this.failed = true;
    return this;
  }

  // Sends it to a backend that the deployment names, and goes on: several may be on their way.
  send(backend: string, text: string = ""): Fetch {
    const word = String.UTF8.encode(backend), handle = written(text);
    if (!this.failed && request_send(this.request, handle, at(word), word.byteLength, out) == 0) this.pending = load<u32>(out);
    else this.failed = true;
    return this;
  }

  // Waits for the answer; its status, as in 200, or -1 when there is none.
  wait(): i32 {
    if (this.failed || request_wait(this.pending, out, out + 4) != 0) return -1;
    this.answer = load<u32>(out);
    this.body = load<u32>(out, 4);
    return answer_status(this.answer, out) == 0 ? <i32>load<u16>(out) : -1;
  }

  // A header of the answer.
  answerHeader(name: string, otherwise: string = ""): string {
    const word = String.UTF8.encode(name), buffer = new ArrayBuffer(8192);
    if (answer_header(this.answer, at(word), word.byteLength, at(buffer), buffer.byteLength, out) != 0) return otherwise;
    return decode(buffer, load<i32>(out));
  }

  // All of the answer's body, as text; waits for its end.
  text(): string {
    return readAll(this.body);
  }
}

function variable(name: string): string {
  return process.env.has(name) ? process.env.get(name) : "";
}

function written(text: string): u32 {
  const bytes = String.UTF8.encode(text);
  if (body_new(out) != 0) return 0;
  const handle = load<u32>(out);
  let done = 0;
  while (done < bytes.byteLength) {
    if (body_write(handle, at(bytes) + done, bytes.byteLength - done, 0, out) != 0) break;
    done += load<i32>(out);
  }
  return handle;
}

function readAll(handle: u32): string {
  let buffer = new ArrayBuffer(4096);
  let length = 0;
  while (body_read(handle, at(buffer) + length, buffer.byteLength - length, out) == 0 && load<i32>(out) > 0) {
    length += load<i32>(out);
    if (length == buffer.byteLength) {
      const larger = new ArrayBuffer(length * 2);
      memory.copy(at(larger), at(buffer), length);
      buffer = larger;
    }
  }
  body_close(handle);
  return decode(buffer, length);
}
