//! How a command fails: a sentence and an exit code.

use std::process::ExitCode;

use serde_json::json;

use crate::data_folder::DataFolderError;

/// The user's program does not build or compile.
const PROGRAM: u8 = 1;
/// As clap ends.
const USAGE: u8 = 2;
const SYSTEM: u8 = 3;

#[derive(Debug)]
pub enum Failure {
    /// The user's program is at fault. Without a sentence the diagnostics have been printed.
    Program(Option<String>),
    Usage(String),
    /// The server, the data folder or the system.
    System(String),
    /// As [`Failure::System`], but the same may be done in a while.
    Busy(String),
}

impl Failure {
    pub fn program(error: impl ToString) -> Failure {
        Failure::Program(Some(error.to_string()))
    }

    pub fn usage(error: impl ToString) -> Failure {
        Failure::Usage(error.to_string())
    }

    pub fn system(error: impl ToString) -> Failure {
        Failure::System(error.to_string())
    }

    /// The same with one more sentence.
    pub fn with(self, sentence: &str) -> Failure {
        let both = |first: String| format!("{first}; {sentence}");
        match self {
            Failure::Program(first) => Failure::Program(Some(first.map_or_else(|| sentence.to_owned(), both))),
            Failure::Usage(first) => Failure::Usage(both(first)),
            Failure::System(first) => Failure::System(both(first)),
            Failure::Busy(first) => Failure::Busy(both(first)),
        }
    }

    /// The same with another sentence about the program.
    pub fn renamed(self, rename: impl FnOnce(&str) -> String) -> Failure {
        match self {
            Failure::Program(Some(sentence)) => Failure::Program(Some(rename(&sentence))),
            other => other,
        }
    }

    /// Says what is wrong; the code to end with.
    pub fn report(self, as_json: bool) -> ExitCode {
        let (code, sentence) = match self {
            Failure::Program(sentence) => (PROGRAM, sentence),
            Failure::Usage(sentence) => (USAGE, Some(sentence)),
            Failure::System(sentence) | Failure::Busy(sentence) => (SYSTEM, Some(sentence)),
        };
        if let Some(sentence) = sentence {
            eprintln!("vivarium: {sentence}");
            if as_json {
                println!("{}", json!({ "error": sentence }));
            }
        }
        ExitCode::from(code)
    }
}

impl From<DataFolderError> for Failure {
    fn from(error: DataFolderError) -> Failure {
        Failure::system(error)
    }
}
