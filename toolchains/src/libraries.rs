//! What programs may use beside the library of their language: what the set-up compiled or fetched, from the lists that it left. The crates of Rust have a
//! list of their own.

use std::path::Path;

use serde::Serialize;

use crate::Language;

/// In the root; each line is a language, what a program writes, a version and a link.
const LISTS: &[&str] = &["usr/lib/wasm32-wasi/libraries", "asc/libraries"];
/// A longer list is none.
const LIST_BYTES_MAX: u64 = 64 * 1024;

/// One library, there for `use`, `#include` or `import` alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Library {
    /// What a program writes to have it.
    pub name: String,
    pub version: String,
    /// Its documentation.
    pub link: String,
}

/// All libraries with their languages, in the order of the lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Libraries(Vec<(Language, Library)>);

impl Libraries {
    pub fn read(toolchains: &Path) -> Libraries {
        let texts = LISTS.iter().filter_map(|list| {
            let path = toolchains.join("root").join(list);
            let fits = path.metadata().is_ok_and(|metadata| metadata.len() <= LIST_BYTES_MAX);
            fits.then(|| std::fs::read_to_string(&path).ok()).flatten()
        });
        Libraries(texts.flat_map(|text| text.lines().filter_map(entry).collect::<Vec<_>>()).collect())
    }

    /// Those of a language. A C++ program has those of C too.
    pub fn of(&self, language: Language) -> Vec<Library> {
        let serves = |for_language: Language| for_language == language || (for_language, language) == (Language::C, Language::Cpp);
        self.0.iter().filter(|(for_language, _)| serves(*for_language)).map(|(_, library)| library.clone()).collect()
    }
}

fn entry(line: &str) -> Option<(Language, Library)> {
    let mut words = line.split(' ').map(str::to_owned);
    let language = Language::from_name(&words.next()?)?;
    Some((language, Library { name: words.next()?, version: words.next()?, link: words.next()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_library_of_its_language() {
        let lines = ["c fern.h 1.2 https://a", "cpp moss.hpp 3 https://b", "cobol x 1 https://c", "c short"];
        let libraries = Libraries(lines.into_iter().filter_map(entry).collect());
        let names = |language| libraries.of(language).into_iter().map(|library| library.name).collect::<Vec<_>>();
        assert_eq!(names(Language::C), ["fern.h"]);
        assert_eq!(names(Language::Cpp), ["fern.h", "moss.hpp"]);
        assert!(names(Language::AssemblyScript).is_empty());
    }
}
