//! A page with a form: a small guest book, kept from one visitor to the next.
use vivarium::{Request, escape, form_value, kv, respond};

const PAGE: &str = "<!doctype html><title>Guest book</title><style>body{font:1.1rem system-ui;margin:3rem auto;max-width:30rem}</style>
<h1>Guest book</h1><form method=post><input name=line autofocus required maxlength=200> <button>Sign</button></form><ul>";
const LINES_MAX: usize = 20;

fn main() {
    let mut book = String::from_utf8(kv::get("book").unwrap_or_default()).unwrap_or_default();
    if let Some(line) = form_value(&String::from_utf8_lossy(&Request.body()), "line") {
        book = format!("{}\n{book}", line.replace('\n', " ")).lines().take(LINES_MAX).collect::<Vec<_>>().join("\n");
        if let Err(error) = kv::set("book", &book) {
            return respond(503, "text/plain", error.to_string());
        }
    }
    let lines: String = book.lines().filter(|line| !line.is_empty()).map(|line| format!("<li>{}", escape(line))).collect();
    respond(200, "text/html; charset=utf-8", format!("{PAGE}{lines}</ul>"));
}
