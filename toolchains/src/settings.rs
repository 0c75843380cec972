//! `vivarium.json`, the one file of a project that says how it is built. It has words from fixed lists, never an option of a compiler.
//!
//! ```json
//! { "language": "c", "kind": "command", "optimise": "size", "defines": ["TRACE"] }
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{Language, ProgramKind, text};

/// The file's name, in the folder of the main file.
pub const SETTINGS_FILE: &str = "vivarium.json";
/// How much is told of a file that cannot be read: it may be a program's whole source.
const REASON_BYTES_MAX: usize = 400;

/// How a program is built; without the file, as its language's programs are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub language: Option<Language>,
    /// Overrides what the program's imports say it is.
    pub kind: Option<ProgramKind>,
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
        let settings: Settings =
            serde_json::from_str(text).map_err(|error| text::shortened(error.to_string(), REASON_BYTES_MAX).trim_end().to_owned())?;
        match settings.language {
            Some(said) if said != language => Err(format!("it says that the program is {said}, and it is built as {language}")),
            _ if language == Language::Wat && !settings.are_default() => Err("WAT is not optimised and knows no defines".to_owned()),
            _ => Ok(settings),
        }
    }

    /// Whether a program is compiled as one without the file.
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
        let kind = |text| Settings::parse(text, Language::Wat).map(|settings| settings.kind);
        assert_eq!(kind(r#"{"kind":"command"}"#), Ok(Some(ProgramKind::Command)));
        assert!(kind(r#"{"kind":"daemon"}"#).unwrap_err().contains("unknown variant `daemon`, expected `service` or `command`"));
        for define in Define::ALL {
            assert_eq!(serde_json::from_str::<Define>(&format!("\"{}\"", define.name())).unwrap(), *define);
        }
    }

    #[test]
    fn a_long_word_is_not_told_in_full() {
        let error = Settings::parse(&format!("{{\"{}\":1}}", "fern".repeat(50_000)), Language::C).unwrap_err();
        assert!(error.starts_with("unknown field `fern") && error.len() < 2 * REASON_BYTES_MAX, "{} bytes", error.len());
    }
}
