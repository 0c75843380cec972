//! C and C++: clang for each file, then wasm-ld by hand, which is quicker than clang's own driver.

mod format;
mod precompiled;

use std::collections::BTreeMap;

use crate::jail::JailPaths;
use crate::job::JobFolder;
use crate::messages::{clang, wasm_ld};
use crate::process::Budget;
use crate::settings::{Optimise, Settings};
use crate::{BuildError, Language, SourceTree, text, verdict};

use super::{Built, LINK_OPTIONS, Purpose, Tools, read_linked, stub_options};

pub(crate) use format::format;

const WASM: &str = "main.wasm";
/// What programs include for the server's own functions: it lies beside their files, one of the same name of theirs in its place.
const HEADER: &str = "vivarium.h";
pub(crate) const SDK: &str = include_str!("../../sdk/c/vivarium.h");

/// `-fdiagnostics-print-source-range-info` adds to each message where its expression ends; it is taken out of what is shown.
const COMPILE_OPTIONS: &[&str] = &[
    "--target=wasm32-wasi",
    // Debian's library folders have the older name of the target, which clang warns of.
    "-Wno-deprecated",
    "-Wall",
    "-I.",
    "-ferror-limit=20",
    "-fmacro-backtrace-limit=4",
    "-ftemplate-backtrace-limit=4",
    "-fno-color-diagnostics",
    "-fno-crash-diagnostics",
    "-fdiagnostics-print-source-range-info",
    "-fdiagnostics-parseable-fixits",
    // Lines of the user's files, by the names that they have in the editor.
    "-gline-tables-only",
    "-gdwarf-5",
    "-fdebug-compilation-dir=.",
];

/// Objects that the set-up compiled of libraries. They are linked for symbols that a program uses and does not define.
const LIBRARIES: &[&str] = &["zlib", "stb_image", "stb_image_write"];

/// What a file is compiled as. No distribution has a libc++ for WASI that throws, so C++ has no exceptions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    C,
    Cpp,
}

impl Dialect {
    /// Of a source file by its name; none for headers and data.
    fn of(file: &str) -> Option<Dialect> {
        match file.rsplit_once('.')?.1 {
            "c" => Some(Dialect::C),
            "cpp" | "cc" | "cxx" => Some(Dialect::Cpp),
            _ => None,
        }
    }

    /// Debug information names the compiler's mode, not the name it was called by.
    fn options(self) -> &'static [&'static str] {
        match self {
            Dialect::C => &["-std=gnu17"],
            Dialect::Cpp => &["--driver-mode=g++", "-std=c++20", "-fno-exceptions"],
        }
    }
}

pub(crate) fn run(tools: &Tools, source: &SourceTree, budget: &Budget, purpose: Purpose) -> Result<Built, BuildError> {
    let job = JobFolder::create(&tools.jail.toolchains)?;
    job.write_sources(&BTreeMap::from([(HEADER.to_owned(), SDK.to_owned())]))?;
    job.write_sources(source.files())?;
    let paths = tools.jail.paths(&job);
    let mut work = Work { tools, source, budget, job, paths, built: Built::default() };
    let files: Vec<(&String, Dialect)> = compiled_files(source).collect();
    let mut objects = Vec::new();
    for &(file, dialect) in &files {
        // A file with errors does not keep the errors of the next from being told.
        match purpose {
            Purpose::Build => objects.extend(work.compile(file, dialect)?),
            Purpose::Check => drop(work.read_file(file, dialect, &["-fsyntax-only".to_owned()])?),
        }
    }
    if purpose == Purpose::Check {
        return Ok(work.built);
    }
    if objects.len() == files.len() && work.link(&objects)? {
        work.built.wasm = Some(read_linked(&work.job, WASM, &budget.limits)?);
    }
    Ok(work.built)
}

fn options_of(settings: &Settings) -> Vec<String> {
    let level = match settings.optimise {
        Some(Optimise::None) => "-O0",
        None | Some(Optimise::Speed) => "-O2",
        Some(Optimise::Size) => "-Os",
    };
    let defines = settings.defines.iter().map(|define| format!("-D{}", define.name()));
    [level.to_owned()].into_iter().chain(defines).collect()
}

/// The files of a program that become objects. A C program has no C++ in it; a C++ program may have C.
fn compiled_files(source: &SourceTree) -> impl Iterator<Item = (&String, Dialect)> {
    let all = source.files().keys().filter_map(|file| Some((file, Dialect::of(file)?)));
    all.filter(|&(_, dialect)| dialect == Dialect::C || source.language() == Language::Cpp)
}

/// One program on its way.
struct Work<'a> {
    tools: &'a Tools,
    source: &'a SourceTree,
    budget: &'a Budget,
    job: JobFolder,
    paths: JailPaths,
    built: Built,
}

impl Work<'_> {
    /// Compiles one file to an object, whose path it returns; none when the file has errors.
    fn compile(&mut self, file: &str, dialect: Dialect) -> Result<Option<String>, BuildError> {
        let name = object_name(file);
        let object = format!("{}/{name}", self.paths.output);
        match self.read_file(file, dialect, &["-c".to_owned(), "-o".to_owned(), object.clone()])? {
            0 if !self.job.has_output(&name) => Err(BuildError::OutputMissing),
            0 => Ok(Some(object)),
            _ => Ok(None),
        }
    }

    /// Has clang read one file and make of it what these options say; its exit code.
    fn read_file(&mut self, file: &str, dialect: Dialect, made: &[String]) -> Result<i32, BuildError> {
        let mut args: Vec<String> = COMPILE_OPTIONS.iter().chain(dialect.options()).map(|option| option.to_string()).collect();
        args.extend(options_of(self.source.settings()));
        args.push(format!("--sysroot={}/usr", self.paths.root));
        if !self.paths.root.is_empty() {
            args.push(format!("-ffile-prefix-map={}=", self.paths.root));
        }
        if dialect == Dialect::Cpp && self.source.settings().are_default() && precompiled::serves(&self.source.files()[file]) {
            args.extend(precompiled::options(&self.tools.jail));
        }
        args.extend_from_slice(made);
        args.push(file.to_owned());
        let (code, output) = self.run("clang", &args)?;
        let messages = clang::read(&output, self.source.files());
        self.built.diagnostics.extend(messages.diagnostics);
        self.built.output.push_str(&messages.output);
        Ok(code)
    }

    /// Links the objects; false when symbols are missing or defined twice.
    fn link(&mut self, objects: &[String]) -> Result<bool, BuildError> {
        let root = &self.paths.root;
        let (llvm, version) = (self.tools.llvm_folder(root), self.tools.stamp.llvm().unwrap_or_default());
        let libraries = format!("{root}/usr/lib/wasm32-wasi");
        let mut args: Vec<String> = LINK_OPTIONS.iter().map(|option| option.to_string()).collect();
        args.extend([format!("-L{libraries}"), format!("{libraries}/crt1-command.o")]);
        args.extend(objects.iter().cloned());
        if self.source.language() == Language::Cpp {
            args.extend(["-lc++".to_owned(), "-lc++abi".to_owned()]);
        }
        args.push("--start-lib".to_owned());
        args.extend(LIBRARIES.iter().map(|name| format!("{libraries}/{name}.o")));
        args.extend(["--end-lib", "-lm", "-lc"].map(str::to_owned));
        args.push(format!("{llvm}/lib/clang/{version}/lib/wasi/libclang_rt.builtins-wasm32.a"));
        args.extend(stub_options(root));
        args.extend(["-o".to_owned(), format!("{}/{WASM}", self.paths.output)]);
        let (code, output) = self.run("wasm-ld", &args)?;
        self.built.diagnostics.extend(wasm_ld::read(&output, source_name));
        self.built.output.push_str(&output);
        Ok(code == 0)
    }

    /// Runs a program of LLVM; its exit code, and what it printed as the user may read it.
    fn run(&self, program: &str, args: &[String]) -> Result<(i32, String), BuildError> {
        let path = format!("{}/bin/{program}", self.tools.llvm_folder(&self.paths.root));
        let finished = self.tools.run(&self.job, self.budget, &path, args)?;
        let code = verdict::exit_code(&finished, &self.budget.limits)?;
        let output = text::plain(&String::from_utf8_lossy(&finished.output));
        Ok((code, text::with_user_paths(&output, &self.paths)))
    }
}

/// Objects of all folders lie in one: `+` is in no file name of a user's.
fn object_name(file: &str) -> String {
    format!("{}.o", file.replace('/', "+"))
}

fn source_name(object: &str) -> Option<String> {
    object.strip_suffix(".o").filter(|name| Dialect::of(name).is_some()).map(|name| name.replace('+', "/"))
}
