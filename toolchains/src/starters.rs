//! The programs that a new tab can open with; each lives in `starters/<language>/<name>/`. The first of a language is its default.

use crate::{Language, ProgramKind};

/// A complete program to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Starter {
    pub name: &'static str,
    pub language: Language,
    pub kind: ProgramKind,
    /// One sentence that says what it shows.
    pub description: &'static str,
    /// File name and text.
    pub files: &'static [(&'static str, &'static str)],
    /// What a command may be given to read; empty for a service.
    pub stdin: &'static str,
}

/// Every starter, grouped by language.
pub fn all() -> &'static [Starter] {
    ALL
}

macro_rules! file {
    ($folder:literal, $name:literal) => {
        ($name, include_str!(concat!("../starters/", $folder, "/", $name)))
    };
}

const ALL: &[Starter] = &[
    Starter {
        name: "fern",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "Grows a fern as SVG; ?seed= and ?leaves= choose which one.",
        files: &[file!("c/fern", "main.c")],
        stdin: "",
    },
    Starter {
        name: "word-count",
        language: Language::C,
        kind: ProgramKind::Command,
        description: "Counts lines, words and letters of its input and lists the words that come most often.",
        files: &[file!("c/word-count", "main.c")],
        stdin: include_str!("../starters/c/word-count/stdin.txt"),
    },
    Starter {
        name: "calendar",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "A page with a month on it and links to those around it; ?year= and ?month= choose which one.",
        files: &[file!("cpp/calendar", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "sudoku",
        language: Language::Cpp,
        kind: ProgramKind::Command,
        description: "Reads a sudoku and solves it.",
        files: &[file!("cpp/sudoku", "main.cpp")],
        stdin: include_str!("../starters/cpp/sudoku/stdin.txt"),
    },
    Starter {
        name: "maze",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Carves a maze and draws the way through it as SVG; ?seed= and ?size= choose which one.",
        files: &[file!("rust/maze", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "caesar",
        language: Language::Rust,
        kind: ProgramKind::Command,
        description: "Reads a text that was shifted along the alphabet and finds out by how much.",
        files: &[file!("rust/caesar", "main.rs")],
        stdin: include_str!("../starters/rust/caesar/stdin.txt"),
    },
    Starter {
        name: "mandelbrot",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "Draws the Mandelbrot set as an image; ?x=, ?y= and ?zoom= choose the window.",
        files: &[file!("assemblyscript/mandelbrot", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "histogram",
        language: Language::AssemblyScript,
        kind: ProgramKind::Command,
        description: "Reads numbers and draws how they are spread; an argument says how many bars.",
        files: &[file!("assemblyscript/histogram", "main.ts")],
        stdin: include_str!("../starters/assemblyscript/histogram/stdin.txt"),
    },
    Starter {
        name: "plasma",
        language: Language::Wat,
        kind: ProgramKind::Service,
        description: "Paints a plasma as an image, with nothing but WebAssembly; ?7 chooses the moment of it.",
        files: &[file!("wat/plasma", "main.wat")],
        stdin: "",
    },
    Starter {
        name: "upper",
        language: Language::Wat,
        kind: ProgramKind::Command,
        description: "Prints its input in capital letters.",
        files: &[file!("wat/upper", "main.wat")],
        stdin: include_str!("../starters/wat/upper/stdin.txt"),
    },
];
