//! `vivarium.json`, the one file of a project that says how it is built. It has words from fixed lists, never an option of a compiler.
//!
//! ```json
//! { "language": "c", "optimise": "size", "defines": ["TRACE"] }
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::Language;

/// The file's name, in the folder of the main file.
pub const SETTINGS_FILE: &str = "vivarium.json";

/// How a program is built; without the file, as its language's programs are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub language: Option<Language>,
    pub optimise: Option<Optimise>,
    pub defines: BTreeSet<Define>,
}

/// What a compiler works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Optimise {
    /// Quick builds.
    None,
    Speed,
    Size,
}

/// What a program may ask for: `#ifdef TRACE` in C and C++, `cfg!(trace)` in Rust, `isDefined(TRACE)` in AssemblyScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Define {
    Debug,
    Demo,
    Ndebug,
    Trace,
    Verbose,
}

impl Define {
    pub const ALL: &'static [Define] = &[Define::Debug, Define::Demo, Define::Ndebug, Define::Trace, Define::Verbose];

    pub fn name(self) -> &'static str {
        match self {
            Define::Debug => "DEBUG",
            Define::Demo => "DEMO",
            Define::Ndebug => "NDEBUG",
            Define::Trace => "TRACE",
            Define::Verbose => "VERBOSE",
        }
    }
}

impl Settings {
    /// Reads the file's text; the error is a sentence.
    pub fn parse(text: &str, language: Language) -> Result<Settings, String> {
        let settings: Settings = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match settings.language {
            Some(said) if said != language => Err(format!("it says that the program is {said}, and it is built as {language}")),
            _ if language == Language::Wat && settings != (Settings { language: settings.language, ..Settings::default() }) => {
                Err("WAT is not optimised and knows no defines".to_owned())
            }
            _ => Ok(settings),
        }
    }

    /// Whether a program is built as one without the file.
    pub fn are_default(&self) -> bool {
        self.optimise.is_none() && self.defines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_from_fixed_lists() {
        let settings = Settings::parse(r#"{"language":"c","optimise":"size","defines":["TRACE","NDEBUG"]}"#, Language::C).unwrap();
        assert_eq!((settings.optimise, settings.defines.len(), settings.are_default()), (Some(Optimise::Size), 2, false));
        assert!(Settings::parse("{}", Language::Rust).unwrap().are_default());
        for (text, language, said) in [
            (r#"{"optimise":"-O3"}"#, Language::C, "unknown variant `-O3`, expected one of `none`, `speed`, `size`"),
            (r#"{"defines":["X=1"]}"#, Language::C, "unknown variant `X=1`"),
            (r#"{"flags":["-fplugin=x"]}"#, Language::C, "unknown field `flags`"),
            (r#"{"language":"rust"}"#, Language::C, "it says that the program is Rust, and it is built as C"),
            (r#"{"optimise":"speed"}"#, Language::Wat, "WAT is not optimised"),
            ("[", Language::C, "EOF"),
        ] {
            let error = Settings::parse(text, language).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        for define in Define::ALL {
            assert_eq!(serde_json::from_str::<Define>(&format!("\"{}\"", define.name())).unwrap(), *define);
        }
    }
}
