//! The list of languages: a new one is a line in each `match` here, a driver file in `drivers/` and a folder of starters.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A language that programs are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    C,
    Cpp,
    Rust,
    AssemblyScript,
    Wat,
}

impl Language {
    /// Every language, in the order in which the page shows them.
    pub const ALL: &'static [Language] = &[Language::C, Language::Cpp, Language::Rust, Language::AssemblyScript, Language::Wat];

    /// The name in addresses, requests and folders.
    pub fn name(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Rust => "rust",
            Language::AssemblyScript => "assemblyscript",
            Language::Wat => "wat",
        }
    }

    /// The name that people read.
    pub fn display_name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::Cpp => "C++",
            Language::Rust => "Rust",
            Language::AssemblyScript => "AssemblyScript",
            Language::Wat => "WAT",
        }
    }

    /// The file that a program starts from, which every source tree must hold.
    pub fn main_file(self) -> &'static str {
        match self {
            Language::C => "main.c",
            Language::Cpp => "main.cpp",
            Language::Rust => "main.rs",
            Language::AssemblyScript => "main.ts",
            Language::Wat => "main.wat",
        }
    }

    /// The language of that name, as [`Language::name`] gives it.
    pub fn from_name(name: &str) -> Option<Language> {
        Language::ALL.iter().copied().find(|language| language.name() == name)
    }

    /// The language of a source file with that extension (without its dot).
    pub fn from_extension(extension: &str) -> Option<Language> {
        Language::ALL.iter().copied().find(|language| language.main_file().rsplit('.').next() == Some(extension))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.display_name())
    }
}

/// What a program is: one that answers requests, or one that runs once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramKind {
    /// Answers an HTTP request, the CGI way or through a service's imports.
    Service,
    /// Arguments and stdin in; stdout, stderr and an exit code out.
    Command,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_language() {
        for &language in Language::ALL {
            assert_eq!(Language::from_name(language.name()), Some(language));
            assert_eq!(serde_json::to_string(&language).unwrap(), format!("\"{}\"", language.name()));
        }
        assert_eq!(Language::from_name("cobol"), None);
        assert_eq!(Language::from_extension("rs"), Some(Language::Rust));
    }
}
