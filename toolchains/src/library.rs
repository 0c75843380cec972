//! Programs that between them pull in what the languages' libraries consist of, for whoever compiles that ahead: the starters, and for each language
//! some that do nothing else. Only languages whose programs are linked with code that was compiled before have a library in this sense.

use std::collections::BTreeMap;

use crate::{Language, SourceLimits, SourceTree, starters};

const LIBRARIES: &[(Language, &str)] = &[
    (Language::C, include_str!("../sdk/c/library.c")),
    (Language::Cpp, include_str!("../sdk/cpp/streams.cpp")),
    (Language::Cpp, include_str!("../sdk/cpp/containers.cpp")),
    (Language::Rust, include_str!("../sdk/rust/library.rs")),
];

/// All of them; what programs use most comes first.
pub fn programs() -> Vec<SourceTree> {
    let libraries = LIBRARIES.iter().map(|(language, text)| (*language, vec![(language.main_file(), *text)]));
    let has_library = |language| LIBRARIES.iter().any(|(with, _)| *with == language);
    let starters = starters::largest().filter(|starter| has_library(starter.language));
    let starters = starters.map(|starter| (starter.language, starter.files.to_vec()));
    let tree = |(language, files): (Language, Vec<(&str, &str)>)| {
        let files: BTreeMap<String, String> = files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        SourceTree::new(language, files, &SourceLimits::default()).ok()
    };
    libraries.chain(starters).filter_map(tree).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_a_source_tree() {
        let linked = |language| matches!(language, Language::C | Language::Cpp | Language::Rust);
        let starters = starters::largest().filter(|starter| linked(starter.language)).count();
        assert_eq!(programs().len(), LIBRARIES.len() + starters);
    }
}
