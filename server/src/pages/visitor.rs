//! What a visitor sees when the program itself has no answer. Each page carries its rules within it: it needs no second request.

use super::{filters, rendered};
use askama::Template;

/// `Content-Security-Policy` of every page of this file.
pub const VISITOR_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// One function of a trap's call stack.
#[derive(Clone, Debug)]
pub struct Frame {
    pub function: String,
    pub wasm_offset: Option<u32>,
    /// "main.c:23:5", when known.
    pub place: Option<String>,
}

/// 500: the guest trapped.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/trapped.html")]
pub struct TrappedPage {
    pub slug: String,
    pub revision: u32,
    pub request_id: u64,
    pub method: String,
    /// Path and query as they were asked for.
    pub path: String,
    /// In the words of the spec: "integer divide by zero".
    pub trap: String,
    /// Empty where the module names none.
    pub function: String,
    pub wasm_offset: Option<u32>,
    /// "main.c:23:5", when known.
    pub place: Option<String>,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// From the guest's first instruction to the trap.
    pub elapsed_us: Option<f64>,
    /// As it is to be shown: "12:06:18.419".
    pub time: String,
    /// Without a slash at its end.
    pub workshop_url: String,
    /// Asked for by a frame (`Sec-Fetch-Dest: iframe`): the links would lead nowhere in the workshop's preview, so there are none.
    pub embedded: bool,
}

/// 503: the guest reached a limit and was stopped.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/limited.html")]
pub struct LimitedPage {
    pub slug: String,
    pub revision: u32,
    pub request_id: u64,
    pub method: String,
    pub path: String,
    /// The name in `Limits`: "cpu_ms".
    pub limit: String,
    /// "500 ms of processor time used up".
    pub message: String,
    pub time: String,
    pub workshop_url: String,
    pub embedded: bool,
}

/// 502: the guest ended, but what it wrote is no answer.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/bad_answer.html")]
pub struct BadAnswerPage {
    pub slug: String,
    pub revision: u32,
    pub request_id: u64,
    pub method: String,
    pub path: String,
    /// A sentence: what is wrong with it, and what a right one begins with.
    pub message: String,
    pub time: String,
    pub workshop_url: String,
    pub embedded: bool,
}

/// Why a visitor is asked to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The revision is not loaded yet.
    Starting,
    /// The deployment, or the gateway, has as many requests in flight as it may.
    Queued,
}

/// 503 with `Retry-After`.
#[derive(Clone, Debug)]
pub struct WaitingPage {
    pub slug: String,
    pub waiting: Waiting,
    /// A sentence that ends with a full stop.
    pub message: String,
    pub retry_after_seconds: u32,
}

#[derive(Template)]
#[template(path = "visitor/waiting.html")]
struct WaitingTemplate<'a> {
    slug: &'a str,
    starting: bool,
    message: &'a str,
    retry_after_seconds: u32,
}

/// 503: the deployment exists, but its artifact cannot be had.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/unavailable.html")]
pub struct UnavailablePage {
    pub slug: String,
    pub message: String,
    pub workshop_url: String,
    pub embedded: bool,
}

/// 404: no such deployment, or no such revision of it.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/unknown.html")]
pub struct UnknownPage {
    pub slug: String,
    /// The revision, where the deployment is known and it is not.
    pub revision: Option<u32>,
    pub workshop_url: String,
    pub embedded: bool,
}

/// 410: it has expired or was stopped.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/expired.html")]
pub struct ExpiredPage {
    pub slug: String,
    pub revision: Option<u32>,
    /// As they are to be shown: "25 November 2026, 12:03 UTC".
    pub deployed_at: Option<String>,
    pub expired_at: String,
    pub workshop_url: String,
    pub embedded: bool,
}

/// 421: the `Host` names nothing that is served on this port.
#[derive(Clone, Debug, Template)]
#[template(path = "visitor/wrong_host.html")]
pub struct WrongHostPage {
    pub host: String,
    /// What would be right: "<slug>.localhost:7879".
    pub expected: String,
}

/// Gives a page its status and its `render`; the template's own method of that name is behind it.
macro_rules! pages {
    ($($page:ident $status:literal),* $(,)?) => {$(
        impl $page {
            pub const STATUS: u16 = $status;
            pub fn render(&self) -> String {
                rendered(Template::render(self))
            }
        }
    )*};
}

pages! {
    TrappedPage 500,
    LimitedPage 503,
    BadAnswerPage 502,
    UnavailablePage 503,
    UnknownPage 404,
    ExpiredPage 410,
    WrongHostPage 421,
}

impl WaitingPage {
    pub const STATUS: u16 = 503;
    pub fn render(&self) -> String {
        rendered(Template::render(&WaitingTemplate {
            slug: &self.slug,
            starting: self.waiting == Waiting::Starting,
            message: &self.message,
            retry_after_seconds: self.retry_after_seconds,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trapped() -> TrappedPage {
        TrappedPage {
            slug: "fern-k3v9".into(),
            revision: 7,
            request_id: 23,
            method: "GET".into(),
            path: "/?leaves=0&x=<script>".into(),
            trap: "integer divide by zero".into(),
            function: "frond".into(),
            wasm_offset: Some(0x36c),
            place: Some("main.c:23:5".into()),
            frames: vec![
                Frame { function: "frond".into(), wasm_offset: Some(0x36c), place: Some("main.c:23:5".into()) },
                Frame { function: "main".into(), wasm_offset: None, place: Some("main.c:40".into()) },
            ],
            elapsed_us: Some(5.8),
            time: "12:06:18.419".into(),
            workshop_url: "http://127.0.0.1:7878".into(),
            embedded: false,
        }
    }

    #[test]
    fn a_trap_names_its_kind_function_and_offset() {
        let html = trapped().render();
        for part in [
            "integer divide by zero",
            "<code>frond</code>",
            "<code>main.c:23:5</code>",
            "main.c:40",
            "0x36c",
            "5.8 µs",
            "http://127.0.0.1:7878/#fern-k3v9",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("x=<script>"), "the path is escaped");
    }

    #[test]
    fn within_a_frame_there_are_no_links() {
        let html = TrappedPage { embedded: true, ..trapped() }.render();
        assert!(!html.contains("<a "));
    }

    #[test]
    fn the_rules_are_within_the_page_and_nothing_is_loaded() {
        let html = trapped().render();
        assert!(html.contains("--accent"));
        assert!(!html.contains("src="));
    }

    #[test]
    fn waiting_says_when_to_come_again() {
        let page = WaitingPage {
            slug: "fern-k3v9".into(),
            waiting: Waiting::Starting,
            message: "Its artifact is made again.".into(),
            retry_after_seconds: 1,
        };
        assert!(page.render().contains("1 second</b>"));
    }

    #[test]
    fn an_expired_page_leads_back_to_the_code() {
        let page = ExpiredPage {
            slug: "fern-k3v9".into(),
            revision: Some(7),
            deployed_at: None,
            expired_at: "25 November 2026, 14:03 UTC".into(),
            workshop_url: "http://127.0.0.1:7878".into(),
            embedded: false,
        };
        assert!(page.render().contains("href=\"http://127.0.0.1:7878/#fern-k3v9\">Deploy it again"));
    }
}
