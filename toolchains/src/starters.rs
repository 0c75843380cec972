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

/// Of each language the service that it opens with, and its command: those that show most, and take most of its library.
pub fn largest() -> impl Iterator<Item = &'static Starter> {
    let first = |starter: &Starter| ALL.iter().find(|other| other.language == starter.language).map(|other| other.name);
    ALL.iter().filter(move |starter| starter.kind == ProgramKind::Command || first(starter) == Some(starter.name))
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
        name: "hello",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "The smallest service: what it prints is the answer.",
        files: &[file!("c/hello", "main.c")],
        stdin: "",
    },
    Starter {
        name: "echo",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "Sends the request back: method, path, who asked, and body.",
        files: &[file!("c/echo", "main.c")],
        stdin: "",
    },
    Starter {
        name: "json",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "A small JSON API that adds or multiplies: ?a=2&b=3&op=times.",
        files: &[file!("c/json", "main.c")],
        stdin: "",
    },
    Starter {
        name: "form",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "A page with a form that greets whoever fills it in.",
        files: &[file!("c/form", "main.c")],
        stdin: "",
    },
    Starter {
        name: "counter",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "Counts its visitors with a number that is kept from one to the next.",
        files: &[file!("c/counter", "main.c")],
        stdin: "",
    },
    Starter {
        name: "proxy",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "Passes a request on to a backend and its answer back; the deployment names the backend \"origin\".",
        files: &[file!("c/proxy", "main.c")],
        stdin: "",
    },
    Starter {
        name: "parallel",
        language: Language::C,
        kind: ProgramKind::Service,
        description: "Asks a backend for several parts at once and puts them into one page.",
        files: &[file!("c/parallel", "main.c")],
        stdin: "",
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
        name: "hello",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "The smallest service: what it prints is the answer.",
        files: &[file!("cpp/hello", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "echo",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "Sends the request back: method, path, who asked, and body.",
        files: &[file!("cpp/echo", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "json",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "A small JSON API that says whether a word reads the same backwards: ?word=level.",
        files: &[file!("cpp/json", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "form",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "A page with a form that sorts the words that are sent.",
        files: &[file!("cpp/form", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "counter",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "Counts its visitors with a number that is kept from one to the next.",
        files: &[file!("cpp/counter", "main.cpp")],
        stdin: "",
    },
    Starter {
        name: "proxy",
        language: Language::Cpp,
        kind: ProgramKind::Service,
        description: "Passes a request on to a backend and its answer back; the deployment names the backend \"origin\".",
        files: &[file!("cpp/proxy", "main.cpp")],
        stdin: "",
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
        name: "hello",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "The smallest service: what it prints is the answer.",
        files: &[file!("rust/hello", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "echo",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Sends the request back: method, path, who asked, and body.",
        files: &[file!("rust/echo", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "json",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "A small JSON API that counts letters, words and lines: ?text=fern+and+moss.",
        files: &[file!("rust/json", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "form",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "A guest book: a page with a form, and what was written before.",
        files: &[file!("rust/form", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "counter",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Counts its visitors with a number that is kept from one to the next.",
        files: &[file!("rust/counter", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "proxy",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Passes a request on to a backend and its answer back; the deployment names the backend \"origin\".",
        files: &[file!("rust/proxy", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "throttle",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Lets each visitor ask five times in ten seconds, then says when to come again.",
        files: &[file!("rust/throttle", "main.rs")],
        stdin: "",
    },
    Starter {
        name: "dns",
        language: Language::Rust,
        kind: ProgramKind::Service,
        description: "Looks up a name by DNS over HTTPS; the deployment names the backend \"dns\".",
        files: &[file!("rust/dns", "main.rs")],
        stdin: "",
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
        name: "hello",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "The smallest service: what it prints is the answer.",
        files: &[file!("assemblyscript/hello", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "echo",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "Sends the request back: method, path, who asked, and body.",
        files: &[file!("assemblyscript/echo", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "json",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "A small JSON API that answers Fibonacci numbers: ?n=30.",
        files: &[file!("assemblyscript/json", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "form",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "A page with a form that turns a text into Morse code.",
        files: &[file!("assemblyscript/form", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "counter",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "Counts its visitors with a number that is kept from one to the next.",
        files: &[file!("assemblyscript/counter", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "proxy",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "Passes a request on to a backend and its answer back; the deployment names the backend \"origin\".",
        files: &[file!("assemblyscript/proxy", "main.ts")],
        stdin: "",
    },
    Starter {
        name: "access",
        language: Language::AssemblyScript,
        kind: ProgramKind::Service,
        description: "Lets in who sends the right key; the deployment may keep its own as a secret.",
        files: &[file!("assemblyscript/access", "main.ts")],
        stdin: "",
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
    Starter {
        name: "hello",
        language: Language::Wat,
        kind: ProgramKind::Service,
        description: "The smallest service: what it prints is the answer.",
        files: &[file!("wat/hello", "main.wat")],
        stdin: "",
    },
];
