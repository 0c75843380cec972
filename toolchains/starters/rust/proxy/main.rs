//! Passes a request on to the backend "origin" and its answer back.
use vivarium::{Answer, Error, Fetch, Request, respond};

const HINT: &str = "The backend did not answer. Give the deployment \"backends\": {\"origin\": {\"origin\": \"https://example.org\"}}.\n";

fn ask() -> Result<Answer, Error> {
    let query = std::env::var("QUERY_STRING").unwrap_or_default();
    let path = Request.path() + if query.is_empty() { "" } else { "?" } + &query;
    Fetch::get(&path).send("origin")?.wait()
}

fn main() {
    match ask() {
        Ok(answer) => {
            let (status, content_type) = (answer.status, answer.header("content-type").unwrap_or("application/octet-stream".into()));
            respond(status, &content_type, answer.bytes().unwrap_or_default());
        }
        Err(_) => respond(502, "text/plain; charset=utf-8", HINT),
    }
}
