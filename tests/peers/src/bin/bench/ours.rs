//! What the benches need of our side.

use std::sync::Arc;

use serde_json::{Value, json};
use vivarium_artifact::{ExportedItem, FunctionType, Setting};
use vivarium_compiler::{ImportPolicy, Policy, compile};
use vivarium_peers::engine::Engine;
use vivarium_runtime::LoadedModule;
use vivarium_tests::server::Server;

/// Compiles with the best setting and loads.
pub fn load<'i>(engine: &Engine, wasm: &[u8], imports: impl IntoIterator<Item = (&'i str, &'i str, FunctionType)>) -> Arc<LoadedModule> {
    let policy = Policy { imports: ImportPolicy::new(imports), ..Policy::default() };
    let compiled = compile(wasm, &policy, Setting::Best, &|_, _, _| {}).expect("our compiler takes the guest");
    engine.load(&compiled.artifact)
}

/// The function of an export, by index.
pub fn export(module: &LoadedModule, name: &str) -> u32 {
    match module.contract().export(name) {
        Some(ExportedItem::Function(function)) => function,
        _ => panic!("the guest exports no function {name}"),
    }
}

/// What became of a build of nobody's, and its wasm.
pub fn build(server: &Server, language: &str, files: Value) -> (Value, Vec<u8>) {
    let build = server.call("POST", "/api/v1/builds?wait=60", Some(&json!({"language": language, "files": files})), None).json();
    assert_eq!(build["state"], "ready", "{build}");
    let wasm = server.get(&format!("/api/v1/builds/{}/artifacts/wasm", build["id"].as_str().expect("a build has an id"))).body;
    (build, wasm)
}
