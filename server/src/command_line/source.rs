//! Source from files: a folder is a source tree; a file is one whose main file it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vivarium_toolchains::{BuildReport, Cancel, Diagnostic, Language, Severity, SourceTree, Toolchains};

use super::Context;
use super::failure::Failure;
use crate::limits::Limits;
use crate::project::{Assets, Files, Project};

/// A program that was read from files.
pub struct Source {
    pub tree: SourceTree,
    /// Files of the folder that are no text.
    assets: Assets,
    /// The name of the file that stands for the main file.
    given_name: Option<String>,
}

impl Source {
    /// Whether a path of this name is source.
    pub fn is_source(path: &Path) -> bool {
        path.is_dir() || language_of_file(path).is_some()
    }

    pub fn read(path: &Path, limits: &Limits) -> Result<Source, Failure> {
        let about = fs::metadata(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        let Read { language, files, given_name } = if about.is_dir() { read_folder(path, limits)? } else { read_file(path, limits)? };
        let tree = SourceTree::new(language, files.text, &limits.source()).map_err(Failure::usage)?;
        Ok(Source { tree, assets: Assets::new(files.assets), given_name })
    }

    /// What the program finds under `/`, by the names that the user gave.
    pub fn program_files(&self, limits: &Limits) -> Result<Files, Failure> {
        let mut files = Project::new(&self.tree, self.assets.clone(), limits).map_err(Failure::usage)?.program_files();
        if let Some(given) = &self.given_name {
            files.iter_mut().for_each(|(name, _)| given.clone_into(name));
        }
        Ok(files)
    }

    /// The program as the API takes it.
    pub fn body(&self) -> Value {
        json!({ "language": self.tree.language(), "files": self.tree.files(), "assets": self.assets })
    }

    /// What the compilers of a server said, which saw `main.c`, in the name that the user knows.
    pub fn as_given(&self, text: &str) -> String {
        let main_file = self.tree.language().main_file();
        self.given_name.as_ref().map_or_else(|| text.to_owned(), |given| text.replace(&format!("{main_file}:"), &format!("{given}:")))
    }

    /// Builds, prints what the compilers say to stderr, and gives the report. The wasm of a program with errors is none.
    pub fn build(&self, context: &Context, limits: &Limits) -> Result<BuildReport, Failure> {
        let folder = context.data_folder()?;
        let toolchains = Toolchains::open(&folder.toolchains());
        let mut report = toolchains.build(&self.tree, &limits.build(), &Cancel::new()).map_err(|error| match error.limit() {
            Some(_) => Failure::program(error),
            None => Failure::system(error),
        })?;
        self.name_as_given(&mut report);
        let printed = if report.output.is_empty() { report.diagnostics.iter().map(line).collect() } else { report.output.clone() };
        eprint!("{printed}");
        if !printed.is_empty() && !printed.ends_with('\n') {
            eprintln!();
        }
        Ok(report)
    }

    /// The compilers saw `main.c`; the user knows the file by another name.
    fn name_as_given(&self, report: &mut BuildReport) {
        let Some(given) = &self.given_name else { return };
        let main_file = self.tree.language().main_file();
        report.output = self.as_given(&report.output);
        for file in report.diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.file.as_mut()).filter(|file| *file == main_file) {
            *file = given.clone();
        }
    }
}

fn line(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let numbers = [diagnostic.line, diagnostic.column].into_iter().flatten().map(|number| number.to_string());
    let place: String = diagnostic.file.clone().into_iter().chain(numbers).map(|part| part + ":").collect();
    let space = if place.is_empty() { "" } else { " " };
    format!("{place}{space}{severity}: {}\n", diagnostic.message)
}

/// What lies at a path.
struct Read {
    language: Language,
    files: ReadFiles,
    given_name: Option<String>,
}

#[derive(Default)]
struct ReadFiles {
    text: BTreeMap<String, String>,
    assets: BTreeMap<String, Vec<u8>>,
}

fn read_file(path: &Path, limits: &Limits) -> Result<Read, Failure> {
    let known = Language::ALL.iter().map(|language| language.main_file()).collect::<Vec<_>>().join(", ");
    let unknown = || {
        Failure::usage(format!("{} is no source that is known: a file as one of {known}, or a folder with one of these", path.display()))
    };
    let language = language_of_file(path).ok_or_else(unknown)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let text = String::from_utf8(read_bytes(path, limits)?);
    let text = text.map_err(|_| Failure::usage(format!("{} is no source: it is no UTF-8 text", path.display())))?;
    let files = ReadFiles { text: BTreeMap::from([(language.main_file().to_owned(), text)]), ..ReadFiles::default() };
    Ok(Read { language, files, given_name: name.filter(|name| name != language.main_file()) })
}

fn read_folder(path: &Path, limits: &Limits) -> Result<Read, Failure> {
    let mut files = ReadFiles::default();
    collect(path, "", limits, &mut files)?;
    let languages: Vec<_> = Language::ALL.iter().copied().filter(|language| files.text.contains_key(language.main_file())).collect();
    match languages[..] {
        [language] => Ok(Read { language, files, given_name: None }),
        [] => Err(Failure::usage(format!("the folder {} has no main file, such as main.c or main.rs", path.display()))),
        _ => Err(Failure::usage(format!("the folder {} has main files of several languages: name one of them", path.display()))),
    }
}

/// Hidden files are left out; of others no more than the limits is read. What is no text is an asset.
fn collect(folder: &Path, prefix: &str, limits: &Limits, files: &mut ReadFiles) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", folder.display()));
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(failed)?;
        let inner = format!("{prefix}{name}");
        if name.starts_with('.') || prefix.split('/').count() > limits.source().depth_max {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &format!("{inner}/"), limits, files)?;
        } else if kind.is_file() {
            files.add(inner, read_bytes(&entry.path(), limits)?);
        }
        if files.text.len() > limits.files_max {
            return Err(Failure::usage(format!("the folder has more files than the limit files_max of {}", limits.files_max)));
        }
        if files.assets.len() > limits.assets_max {
            let detail = format!("the folder has more files that are no text than the limit assets_max of {}", limits.assets_max);
            return Err(Failure::usage(detail));
        }
    }
    Ok(())
}

impl ReadFiles {
    fn add(&mut self, name: String, content: Vec<u8>) {
        match String::from_utf8(content) {
            Ok(text) if !text.contains('\0') => drop(self.text.insert(name, text)),
            Ok(text) => drop(self.assets.insert(name, text.into_bytes())),
            Err(error) => drop(self.assets.insert(name, error.into_bytes())),
        }
    }
}

fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let about = fs::metadata(path).map_err(failed)?;
    let most = limits.source_bytes_max.max(limits.assets_bytes_max);
    if about.len() > most as u64 {
        let name = if most == limits.source_bytes_max { "source_bytes_max" } else { "assets_bytes_max" };
        let detail = format!("{} has {} bytes, more than the limit {name} of {most}", path.display(), about.len());
        return Err(Failure::usage(detail));
    }
    fs::read(path).map_err(failed)
}

fn language_of_file(path: &Path) -> Option<Language> {
    Language::from_extension(path.extension()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], path: &str) -> Result<Source, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let place = folder.path().join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        Source::read(&folder.path().join(path), &Limits::default()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn a_file_is_its_languages_main_file_under_another_name() {
        let source = read(&[("hello.c", "int main;"), ("other.h", "")], "hello.c").unwrap();
        assert_eq!((source.tree.language(), source.given_name.as_deref()), (Language::C, Some("hello.c")));
        assert_eq!(source.tree.files().keys().collect::<Vec<_>>(), ["main.c"]);
    }

    #[test]
    fn a_folder_is_a_tree_without_what_is_hidden() {
        let source = read(&[("p/main.rs", "fn main() {}"), ("p/inner/mod.rs", ""), ("p/.git/config", "x")], "p").unwrap();
        assert_eq!(source.tree.language(), Language::Rust);
        assert_eq!(source.tree.files().keys().collect::<Vec<_>>(), ["inner/mod.rs", "main.rs"]);
    }

    #[test]
    fn a_program_finds_its_files_under_the_names_that_the_user_gave() {
        let names = |files: &[(&str, &str)], path: &str| -> Vec<String> {
            let files = read(files, path).unwrap().program_files(&Limits::default());
            files.unwrap_or_default().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(&[("hello.c", "int main;")], "hello.c"), ["hello.c"]);
        let folder = [("p/main.c", "int main;"), ("p/data/words.txt", "a b"), ("p/image", "a\0b")];
        assert_eq!(names(&folder, "p"), ["data/words.txt", "main.c", "image"]);
    }

    #[test]
    fn what_is_no_program_is_refused_with_a_sentence() {
        for (files, path, said) in [
            (&[("x.txt", "")][..], "x.txt", "no source that is known"),
            (&[("p/x.c", "")], "p", "no main file"),
            (&[("p/main.c", ""), ("p/main.rs", "")], "p", "several languages"),
            (&[], "nothing.c", "cannot read"),
        ] {
            let refused = read(files, path).map(drop).unwrap_err();
            assert!(refused.starts_with("Usage") && refused.contains(said), "{refused}");
        }
    }
}
