//! A small JSON API: /?text=… counts letters, words and lines.
use vivarium::{Request, respond};

fn main() {
    let Some(text) = Request.parameter("text") else {
        return respond(400, "application/json", "{\"error\":\"give a text, as in ?text=fern+and+moss\"}\n");
    };
    let (letters, words) = (text.chars().filter(|letter| letter.is_alphabetic()).count(), text.split_whitespace().count());
    let lines = text.lines().count();
    respond(200, "application/json", format!("{{\"letters\":{letters},\"words\":{words},\"lines\":{lines}}}\n"));
}
