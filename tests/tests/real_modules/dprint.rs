//! Formatters that are plug-ins of dprint: Rust, and at most four functions to import. Texts pass through one buffer of the guest's.

use vivarium_tests::real::{Guest, Imports};

/// Told to format code of another language within its own, a plug-in hears that it was not changed.
struct Unchanged;

impl Imports for Unchanged {
    fn answer(&mut self, name: &str, _: &[u64], _: &mut Guest) -> Option<u64> {
        assert_eq!(name, "host_format", "nothing else is asked for then");
        Some(0)
    }
}

const CONFIGURATION: u64 = 1;
/// What `format` answers.
const CHANGED: u64 = 1;

fn give(guest: &mut Guest, text: &str) {
    let buffer = guest.call_one(&mut Unchanged, "clear_shared_bytes", &[text.len() as u64]);
    guest.write(buffer, text.as_bytes());
}

fn take(guest: &mut Guest, what: &str) -> String {
    let bytes = guest.call_one(&mut Unchanged, what, &[]);
    let buffer = guest.call_one(&mut Unchanged, "get_shared_bytes_ptr", &[]);
    String::from_utf8_lossy(guest.read(buffer, bytes)).into_owned()
}

#[track_caller]
fn check(plugin: &str, file: &str, before: &str, after: &str) {
    super::each(&format!("@dprint/{plugin}/plugin.wasm"), |mut guest| {
        assert_eq!(guest.call(&mut Unchanged, "dprint_plugin_version_4", &[]), [4]);
        give(&mut guest, r#"{"global":{},"plugin":{}}"#);
        guest.call(&mut Unchanged, "register_config", &[CONFIGURATION]);
        give(&mut guest, file);
        guest.call(&mut Unchanged, "set_file_path", &[]);
        give(&mut guest, before);
        let answer = guest.call_one(&mut Unchanged, "format", &[CONFIGURATION]);
        assert_eq!(answer, CHANGED, "{}", take(&mut guest, "get_error_text"));
        assert_eq!(take(&mut guest, "get_formatted_text"), after);
    });
}

#[test]
fn json_is_formatted() {
    check("json", "/a.json", "{\"a\" : [1,2 ,3],\n\n\n\"b\":null}", "{ \"a\": [1, 2, 3], \"b\": null }\n");
}

#[test]
fn toml_is_formatted() {
    check("toml", "/a.toml", "[a]\nb   =  1\nc=[1,2]", "[a]\nb = 1\nc = [1, 2]\n");
}

#[test]
fn markdown_is_formatted() {
    check("markdown", "/a.md", "Title\n=====\n*  one\n*  two", "# Title\n\n- one\n- two\n");
}

#[test]
fn a_dockerfile_is_formatted() {
    check("dockerfile", "/Dockerfile", "FROM   debian\nRUN  make", "FROM debian\nRUN make\n");
}

#[test]
fn typescript_is_formatted() {
    let before = "export  const f=async<T,>(a:T,  ...b:Array<T>):Promise<T>=>{ return   b.at(0)??a }";
    let after = "export const f = async <T>(a: T, ...b: Array<T>): Promise<T> => {\n  return b.at(0) ?? a;\n};\n";
    check("typescript", "/a.ts", before, after);
}
