//! Modules that npm's packages ship, from 48 KB to 20 MB, compiled in both settings, answer what their authors' own users would see.

mod bindgen;
mod dprint;
mod emscripten;

use bytes::Bytes;
use vivarium_abi::HostInput;
use vivarium_artifact::Setting;
use vivarium_tests::engine::pool;
use vivarium_tests::real::{Guest, NoImports, compile, file};

/// An instance of a package's module for each setting, one after the other; none of them calls anything while it starts.
fn each(path: &str, ask: impl Fn(Guest)) {
    each_with(path, HostInput::default(), ask);
}

fn each_with(path: &str, input: HostInput, ask: impl Fn(Guest)) {
    let wasm = file(path);
    let pool = pool(1);
    for setting in [Setting::Fast, Setting::Best] {
        let module = compile(&wasm, setting).unwrap_or_else(|error| panic!("{path}, {setting:?}: {error}"));
        ask(Guest::start(&pool, &module, input.clone(), &mut NoImports));
    }
}

/// A command of Go's own toolchain: goroutines, a collector, 20 MB.
#[test]
fn esbuild_minifies_typescript() {
    const MODULE: &str = "@esbuild/wasi-preview1/esbuild.wasm";
    assert!(file(MODULE).len() > 10 << 20);
    let arguments = ["esbuild", "--loader=ts", "--minify", "--target=es2015"].map(str::to_owned).to_vec();
    let stdin = Bytes::from_static(b"export const area = (width: number, height?: number): number => width * (height ?? 2 + 3);\n");
    each_with(MODULE, HostInput { arguments, stdin, ..HostInput::default() }, |mut guest| {
        assert_eq!(guest.run_command(), (0, "export const area=(n,r)=>n*(r!=null?r:5);\n".into()));
    });
}
