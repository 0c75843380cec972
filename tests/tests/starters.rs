//! Every starter is deployed as a new tab would deploy it, and asked; those that need a backend get one on loopback.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};
use vivarium_tests::backend::Backend;
use vivarium_tests::server::{Answer, Server};
use vivarium_toolchains::starters;
use vivarium_toolchains::{Language, ProgramKind};

struct Stage {
    server: Server,
    backend: Backend,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let backend = Backend::start();
    let [origin, dns] = ["origin", "dns"].map(|name| format!("{name}={}", backend.origin()));
    Stage { server: Server::start_with(&["--backend", &origin, "--backend", &dns]), backend }
});

/// A starter of some language, deployed.
struct Deployed(Value);

/// Deploys a starter; one that does not build without a remark is none to begin with.
fn deploy(language: &str, name: &str, more: Value) -> Deployed {
    let starter = starters::all().iter().find(|starter| starter.language.name() == language && starter.name == name);
    let starter = starter.unwrap_or_else(|| panic!("there is no starter {name} in {language}"));
    let files: BTreeMap<_, _> = starter.files.iter().copied().collect();
    let mut body = json!({ "language": language, "files": files });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = STAGE.server.post("/api/v1/deployments", &body);
    assert_eq!(answer.status, 201, "{language} {name}: {}", answer.text());
    let made = answer.json();
    assert_eq!(made["kind"], "service", "{language} {name}");
    Deployed(made)
}

impl Deployed {
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        STAGE.server.ask(&self.0, method, path, headers, body)
    }

    #[track_caller]
    fn check(&self, path: &str, status: u16, expected: &str) {
        let answer = self.ask("GET", path, &[], "");
        assert!(answer.status == status && answer.text().contains(expected), "{path}: {} {}", answer.status, answer.text());
    }
}

const WITH_LIBRARY: [&str; 4] = ["c", "cpp", "rust", "assemblyscript"];

#[test]
fn a_starter_is_one_line_about_one_program() {
    let mut names: Vec<_> = starters::all().iter().map(|starter| (starter.language, starter.name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is there twice");
    for starter in starters::all() {
        assert!(starter.description.ends_with('.') && starter.description.len() <= 120 && !starter.description.contains('\n'));
        assert!(starter.files.iter().any(|(name, _)| *name == starter.language.main_file()), "{}", starter.name);
    }
    for language in Language::ALL {
        let services = starters::all().iter().filter(|starter| starter.language == *language && starter.kind == ProgramKind::Service);
        assert!(services.count() >= 2, "{language}");
    }
}

#[test]
fn hello() {
    for (language, said) in [("c", "C"), ("cpp", "C++"), ("rust", "Rust"), ("assemblyscript", "AssemblyScript"), ("wat", "WebAssembly")] {
        deploy(language, "hello", json!({})).check("/", 200, &format!("Hello from {said}."));
    }
}

#[test]
fn echo() {
    for language in WITH_LIBRARY {
        let answer = deploy(language, "echo", json!({})).ask("POST", "/a/b", &[("user-agent", "fern/1")], "the body");
        assert_eq!((answer.status, answer.text().as_str()), (200, "POST /a/b\nUser-Agent: fern/1\n\nthe body"), "{language}");
    }
}

#[test]
fn json_apis() {
    for (language, query, said, wrong) in [
        ("c", "a=2&b=3&op=times", json!({ "a": 2, "b": 3, "result": 6 }), "op=minus"),
        ("cpp", "word=Never+odd+or+even", json!({ "word": "neveroddoreven", "palindrome": true }), ""),
        ("rust", "text=fern+and%0Amoss", json!({ "letters": 11, "words": 3, "lines": 2 }), ""),
        ("assemblyscript", "n=5", json!({ "numbers": [1, 1, 2, 3, 5] }), "n=91"),
    ] {
        let api = deploy(language, "json", json!({}));
        let answer = api.ask("GET", &format!("/?{query}"), &[], "");
        assert_eq!((answer.status, answer.header("content-type"), answer.json()), (200, Some("application/json"), said), "{language}");
        let refused = api.ask("GET", &format!("/?{wrong}"), &[], "");
        assert!(refused.status == 400 && refused.json()["error"].is_string(), "{language}: {}", refused.text());
    }
}

#[test]
fn pages_with_a_form() {
    for (language, sent, shown) in [
        ("c", "name=%3Cb%3EFern", "Hello, &lt;b&gt;Fern."),
        ("cpp", "text=moss+%3Ci%3E+fern", "<li>&lt;i&gt;<li>fern<li>moss"),
        ("rust", "line=%3Cu%3Ehere", "<li>&lt;u&gt;here"),
        ("assemblyscript", "text=Fern+1", "<code>..-. . .-. -. / .---- </code>"),
    ] {
        let page = deploy(language, "form", json!({}));
        page.check("/", 200, "<form method=post>");
        let answer = page.ask("POST", "/", &[("content-type", "application/x-www-form-urlencoded")], sent);
        assert!(answer.status == 200 && answer.text().contains(shown), "{language}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    }
}

#[test]
fn counters_keep_their_number() {
    for language in WITH_LIBRARY {
        let counter = deploy(language, "counter", json!({}));
        for visitor in 1..=3 {
            counter.check("/", 200, &format!("You are visitor {visitor}."));
        }
    }
}

#[test]
fn proxies() {
    for language in WITH_LIBRARY {
        let proxy = deploy(language, "proxy", json!({}));
        proxy.check("/a?b=c", 200, &format!("GET /a?b=c 127.0.0.1:{} ", STAGE.backend.port()));
        let nowhere = json!({ "backends": { "origin": { "origin": "http://127.0.0.1:1" } } });
        deploy(language, "proxy", nowhere).check("/", 502, "Give the deployment \"backends\"");
    }
}

#[test]
fn one_page_of_several_fetches() {
    let page = deploy("c", "parallel", json!({})).ask("GET", "/", &[], "").text();
    let port = STAGE.backend.port();
    let parts = ["news", "weather", "sports"].map(|part| format!("<h2>{part}</h2><pre>GET /{part} 127.0.0.1:{port} </pre>"));
    let places = parts.map(|part| page.find(&part).unwrap_or_else(|| panic!("{part} is not in {page}")));
    assert!(places.is_sorted(), "{page}");
}

#[test]
fn a_throttle_counts_each_visitor() {
    let throttle = deploy("rust", "throttle", json!({}));
    for request in 1..=5 {
        throttle.check("/?who=fern", 200, &format!("Request {request} of 5"));
    }
    let refused = throttle.ask("GET", "/?who=fern", &[], "");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some_and(|seconds| (1..=10).contains(&seconds.parse::<u32>().unwrap())));
    throttle.check("/?who=moss", 200, "Request 1 of 5");
}

#[test]
fn access_needs_the_key() {
    let door = deploy("assemblyscript", "access", json!({ "secrets": { "KEY": "mellon" } }));
    for sent in [&[][..], &[("x-key", "open-sesame")], &[("x-key", "mellon!")]] {
        assert_eq!(door.ask("GET", "/", sent, "").status, 403);
    }
    assert_eq!(door.ask("GET", "/", &[("x-key", "mellon")], "").status, 200);
    let usual = deploy("assemblyscript", "access", json!({}));
    assert_eq!(usual.ask("GET", "/", &[("x-key", "open-sesame")], "").status, 200);
}

#[test]
fn names_are_looked_up_over_https() {
    let dns = deploy("rust", "dns", json!({}));
    dns.check("/?name=fern.test", 200, "192.0.2.7\n192.0.2.8\n");
    dns.check("/?name=nobody.test", 404, "nobody.test has no address");
}
