//! Guests of the Compute ABI for these tests, in WAT.

/// Imports, memory and the handles of a request: `$visitor` (its body), `$response`, `$body` (the answer's).
const FRAME: &str = r#"
  (import "fastly_http_req" "body_downstream_get" (func $asked (param i32 i32) (result i32)))
  (import "fastly_http_resp" "new" (func $new_response (param i32) (result i32)))
  (import "fastly_http_resp" "status_set" (func $set_status (param i32 i32) (result i32)))
  (import "fastly_http_resp" "header_insert" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "fastly_http_resp" "send_downstream" (func $send (param i32 i32 i32) (result i32)))
  (import "fastly_http_body" "new" (func $new_body (param i32) (result i32)))
  (import "fastly_http_body" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "fastly_http_body" "write" (func $write (param i32 i32 i32 i32 i32) (result i32)))
  (import "fastly_http_body" "close" (func $close (param i32) (result i32)))
  (import "fastly_log" "endpoint_get" (func $endpoint (param i32 i32 i32) (result i32)))
  (import "fastly_log" "write" (func $log (param i32 i32 i32 i32) (result i32)))
  (import "fastly_async_io" "select" (func $select (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (global $visitor (mut i32) (i32.const 0))
  (global $response (mut i32) (i32.const 0))
  (global $body (mut i32) (i32.const 0))
  (func $ok (param i32) (if (local.get 0) (then unreachable)))
  (func $begin
    (call $ok (call $asked (i32.const 0) (i32.const 4)))
    (global.set $visitor (i32.load (i32.const 4)))
    (call $ok (call $new_response (i32.const 8)))
    (global.set $response (i32.load (i32.const 8)))
    (call $ok (call $new_body (i32.const 12)))
    (global.set $body (i32.load (i32.const 12))))
  (func $say (param $at i32) (param $len i32)
    (loop $more
      (call $ok (call $write (global.get $body) (local.get $at) (local.get $len) (i32.const 0) (i32.const 16)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 16))))
      (br_if $more (local.tee $len (i32.sub (local.get $len) (i32.load (i32.const 16)))))))
  (func $answer (param $streaming i32)
    (call $ok (call $send (global.get $response) (global.get $body) (local.get $streaming))))
  (func $tell (param $at i32) (param $len i32)
    (call $ok (call $endpoint (i32.const 1008) (i32.const 3) (i32.const 20)))
    (call $ok (call $log (i32.load (i32.const 20)) (local.get $at) (local.get $len) (i32.const 24))))
  (func $sleep (param $ms i32)
    (call $ok (call $select (i32.const 0) (i32.const 0) (local.get $ms) (i32.const 28))))
  (data (i32.const 1008) "jay")
"#;

/// A program with this data at 1024 and this body of `_start`, which has its handles.
fn service(data: &str, start: &str) -> String {
    format!("(module {FRAME} (data (i32.const 1024) \"{data}\") (func (export \"_start\") (local $left i32) (call $begin) {start}))")
}

/// Answers with a status, a header and a text, and tells its log.
pub fn greeter() -> String {
    service(
        "hellox-leafgreentold",
        "(call $say (i32.const 1024) (i32.const 5))
         (call $ok (call $set_status (global.get $response) (i32.const 201)))
         (call $ok (call $set_header (global.get $response) (i32.const 1029) (i32.const 6) (i32.const 1035) (i32.const 5)))
         (call $tell (i32.const 1040) (i32.const 4))
         (call $answer (i32.const 0))",
    )
}

/// Gives a header that is the server's business.
pub fn meddler() -> String {
    service(
        "connectionclose",
        "(call $ok (call $set_header (global.get $response) (i32.const 1024) (i32.const 10) (i32.const 1034) (i32.const 5)))
         (call $answer (i32.const 0))",
    )
}

/// Ends without an answer.
pub fn silent() -> String {
    service("", "")
}

/// Sends the visitor's own body back, without a look at it.
pub fn mirror() -> String {
    service("", "(global.set $body (global.get $visitor)) (call $answer (i32.const 0))")
}

/// Reads the visitor's body piece by piece, and writes each to a streamed answer at once.
pub fn echo() -> String {
    service(
        "",
        "(call $answer (i32.const 1))
         (loop $more
           (call $ok (call $read (global.get $visitor) (i32.const 65536) (i32.const 65536) (i32.const 32)))
           (if (i32.load (i32.const 32)) (then
             (call $say (i32.const 65536) (i32.load (i32.const 32)))
             (br $more))))
         (call $ok (call $close (global.get $body)))",
    )
}

/// Streams so many pieces of 64 KiB, then does this.
pub fn spring(pieces: u32, then: &str) -> String {
    let start = format!(
        "(call $answer (i32.const 1))
         (local.set $left (i32.const {pieces}))
         (loop $more
           (call $say (i32.const 65536) (i32.const 65536))
           (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
         {then}"
    );
    service("", &start)
}

/// What [`spring`] does to end properly.
pub const CLOSE: &str = "(call $ok (call $close (global.get $body)))";

/// Says `early`, sleeps, says `late`, all in one streamed answer.
pub fn sleeper(ms: u32) -> String {
    let start = format!(
        "(call $answer (i32.const 1))
         (call $say (i32.const 1024) (i32.const 5)) (call $sleep (i32.const {ms})) (call $say (i32.const 1029) (i32.const 4))
         {CLOSE}"
    );
    service("earlylate", &start)
}

/// Answers `hello`, and tells its log only after so many milliseconds.
pub fn afterthought(ms: u32) -> String {
    let start = format!(
        "(call $say (i32.const 1024) (i32.const 5)) (call $answer (i32.const 0))
         (call $sleep (i32.const {ms})) (call $tell (i32.const 1029) (i32.const 4))"
    );
    service("hellolate", &start)
}
