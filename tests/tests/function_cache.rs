//! Programs of the real toolchains, compiled with what other programs left: the artifact is the same, and most of it is found.

use std::sync::Arc;

use serde_json::json;
use vivarium_artifact::Setting;
use vivarium_compiler::{Compiled, FunctionCache, Pack, PackBounds, Policy, compile_cached};
use vivarium_tests::engine::policy;
use vivarium_tests::server::Server;
use vivarium_toolchains::library;

const BOUNDS: PackBounds = PackBounds { entries_max: 100_000, bytes_max: 64 << 20 };

const C: &str = r#"#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int longest(const char *one, const char *other) { return strlen(one) > strlen(other) ? 1 : -1; }
int main(int count, char **arguments) {
    char *line = malloc(100);
    snprintf(line, 100, "%d arguments, %s first", count, longest(arguments[0], "vivarium") > 0 ? "the longest" : "a short one");
    printf("%s %.3f\n", line, atof("2.5") / count);
    free(line);
}
"#;

const RUST: &str = r#"fn main() {
    let words: Vec<String> = std::env::args().map(|word| word.to_uppercase()).collect();
    println!("Content-Type: text/plain\n\nhello, {} {:?}", words.len(), words.first());
}
"#;

/// The wasm of a program, from the server's own toolchains.
fn wasm(server: &Server, language: &str, files: &serde_json::Value) -> Vec<u8> {
    let build = server.call("POST", "/api/v1/builds?wait=60", Some(&json!({"language": language, "files": files})), None).json();
    assert_eq!(build["state"], "ready", "{build}");
    server.get(&format!("/api/v1/builds/{}/artifacts/wasm", build["id"].as_str().unwrap())).body
}

fn compile(wasm: &[u8], policy: &Policy, cache: Option<&FunctionCache>) -> Compiled {
    compile_cached(wasm, policy, Setting::Fast, cache, &|_, _, _| {}).unwrap()
}

/// What compiling the libraries' programs leaves.
fn library(server: &Server, policy: &Policy) -> FunctionCache {
    let mut cache = FunctionCache::default();
    for source in library::programs() {
        let wasm = wasm(server, source.language().name(), &json!(source.files()));
        let compiled = compile(&wasm, policy, Some(&cache));
        assert!(compiled.artifact == compile(&wasm, policy, None).artifact, "{}", source.language());
        if let Some(pack) = cache.updated(&compiled.cache, BOUNDS) {
            cache.own = Arc::new(Pack::read(pack.bytes().to_vec()).unwrap());
        }
    }
    FunctionCache { shared: cache.own, own: Arc::default() }
}

#[test]
fn programs_never_seen_before_find_their_libraries_compiled() {
    let server = Server::start();
    let policy = policy(vivarium_abi::imports());
    let cache = library(&server, &policy);
    for (language, file, text, least) in [("c", "main.c", C, 0.95), ("rust", "main.rs", RUST, 0.9)] {
        let wasm = wasm(&server, language, &json!({ file: text }));
        let (with, without) = (compile(&wasm, &policy, Some(&cache)), compile(&wasm, &policy, None));
        assert!(with.artifact == without.artifact, "{language}: the cache changed the code");
        let share = f64::from(with.cache.found) / f64::from(with.cache.functions);
        println!(
            "{language}: {} of {} functions found, library of {} bytes",
            with.cache.found,
            with.cache.functions,
            cache.shared.bytes().len()
        );
        assert!(share >= least, "{language}: {} of {} functions found", with.cache.found, with.cache.functions);
        let own = FunctionCache { shared: cache.shared.clone(), own: Arc::new(cache.updated(&with.cache, BOUNDS).unwrap()) };
        let again = compile(&wasm, &policy, Some(&own));
        assert_eq!(again.cache.found, again.cache.functions, "{language}: what the program left is found too");
        assert!(again.artifact == without.artifact, "{language}");
    }
}
