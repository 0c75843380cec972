//! The SDKs: one example in each language calls every function of its own, and all say the same.

use serde_json::json;
use vivarium_tests::backend::Backend;
use vivarium_tests::server::{Server, eventually};

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../guests/sdk/", $name))
    };
}

const C: &str = example!("example.c");
const RUST: &str = example!("example.rs");
const ASSEMBLYSCRIPT: &str = example!("example.ts");

#[test]
fn the_examples_say_what_the_server_answers() {
    let backend = Backend::start();
    let server = Server::start_with(&["--backend", &format!("origin={}", backend.origin())]);
    for (language, file, text) in
        [("c", "main.c", C), ("cpp", "main.cpp", C), ("rust", "main.rs", RUST), ("assemblyscript", "main.ts", ASSEMBLYSCRIPT)]
    {
        let kept = json!({ "colours": { "leaf": "green" } });
        let body = json!({ "language": language, "files": { file: text }, "config": kept, "secrets": { "KEY": "hush" } });
        let answer = server.post("/api/v1/deployments", &body);
        assert_eq!(answer.status, 201, "{language}: {}", answer.text());
        let made = answer.json();
        let headers = [("content-type", "text/x-fern"), ("user-agent", "fern/1")];
        let answer = server.ask(&made, "POST", "/a%20b?x=1+2%3C&y", &headers, "line=moss%21");
        let expected = format!(
            "method: POST\npath: /a b\nagent: fern/1\ntype: text/x-fern\nmissing: none\nparameter: 1 2<\nno parameter: none\nform: moss!\n\
             html: &lt;b&gt;&quot;&amp;&#39;\nkv: none\nkept: fern\nforgotten: none\ndone: 0 0\nconfig: green\nno config: none\n\
             secret: hush\nno secret: none\nfetch: 0 200 seen POST /x?y 127.0.0.1:{} moss\nno backend: -1\n",
            backend.port()
        );
        assert_eq!((answer.status, answer.text()), (201, expected), "{language}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{language}");
        let slug = made["slug"].as_str().unwrap();
        eventually("its log", || server.get(&format!("/api/v1/deployments/{slug}/logs")).text().contains("jay: 2 seen").then_some(()));
    }
}

/// Names between what comes before and after them, in each line.
fn names<'t>(text: &'t str, before: &[&str], after: char) -> Vec<&'t str> {
    let named = text.lines().filter_map(|line| before.iter().find_map(|before| line.split_once(before)).map(|(_, rest)| rest));
    named.filter_map(|rest| rest.split_once(after)).map(|(name, _)| name.trim_start_matches('*')).collect()
}

#[test]
fn no_function_is_without_an_example() {
    let header = include_str!("../../toolchains/sdk/c/vivarium.h");
    let functions =
        names(header, &["static inline void ", "static inline int ", "static inline long ", "static inline vivarium_fetch "], '(');
    let inner = ["vivarium_digit", "vivarium_kv", "vivarium_read_body", "vivarium_write_body"];
    for name in functions.iter().filter(|name| !inner.contains(name)) {
        assert!(C.contains(&format!("{name}(")), "example.c does not call {name}");
    }
    let module = include_str!("../../toolchains/sdk/assemblyscript/vivarium.ts");
    let exported = names(module, &["export function "], '(');
    for name in &exported {
        assert!(ASSEMBLYSCRIPT.contains(&format!("{name}(")), "example.ts does not call {name}");
    }
    let krate = include_str!("../../toolchains/sdk/rust/vivarium.rs");
    let public = names(krate, &["pub fn "], '(');
    for name in &public {
        assert!(RUST.contains(&format!("{name}(")), "example.rs does not call {name}");
    }
    assert!(functions.len() >= 20 && exported.len() >= 10 && public.len() >= 15, "{functions:?} {exported:?} {public:?}");
}
