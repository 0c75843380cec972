//! Names of functions: what traps, profiles and debuggers show.

use vivarium_artifact::{Export, ExportedItem};
use wasmparser::{Name, NameSectionReader};

/// Longest name kept, in bytes. Mangled names of generic code can be longer; what is cut off helps nobody.
const NAME_BYTES_MAX: usize = 1024;

/// Takes the names of functions from a name section, which may be damaged: names are never a reason to refuse a module.
pub fn read_name_section(reader: NameSectionReader<'_>, names: &mut [Option<String>]) {
    let maps = reader.into_iter().map_while(Result::ok).filter_map(|name| match name {
        Name::Function(map) => Some(map),
        _ => None,
    });
    for naming in maps.flat_map(|map| map.into_iter().map_while(Result::ok)) {
        if let Some(name) = names.get_mut(naming.index as usize) {
            *name = Some(readable(naming.name));
        }
    }
}

/// Names functions that have none by their first export.
pub fn name_by_exports(exports: &[Export], names: &mut [Option<String>]) {
    for export in exports {
        if let ExportedItem::Function(function) = export.item
            && let Some(name @ None) = names.get_mut(function as usize)
        {
            *name = Some(readable(&export.name));
        }
    }
}

/// The name as its author wrote it: Rust's mangling undone, clang's names for `main` given back.
fn readable(name: &str) -> String {
    let name = shorten(name);
    match name {
        "__original_main" | "__main_void" | "__main_argc_argv" => "main".into(),
        _ => match rustc_demangle::try_demangle(name) {
            // The alternate form leaves out the hash.
            Ok(demangled) => shorten(&format!("{demangled:#}")).to_owned(),
            Err(_) => name.to_owned(),
        },
    }
}

fn shorten(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_names_only_what_has_no_name() {
        let export = |name: &str, index| Export { name: name.into(), item: ExportedItem::Function(index) };
        let mut names = vec![Some("inner".to_owned()), None];
        name_by_exports(&[export("a", 0), export("b", 1), export("c", 1), export("d", 9)], &mut names);
        assert_eq!(names, [Some("inner".to_owned()), Some("b".to_owned())]);
    }

    #[test]
    fn mangled_names_become_readable() {
        let table = [
            ("_ZN4main4deep17h0123456789abcdefE", "main::deep"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("__original_main", "main"),
            ("frond", "frond"),
            ("_RNv", "_RNv"),
        ];
        for (mangled, name) in table {
            assert_eq!(readable(mangled), name);
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "ä".repeat(1000);
        assert_eq!(shorten(&long).len(), 1024);
        assert_eq!(shorten(&format!("x{long}")).len(), 1023);
    }
}
