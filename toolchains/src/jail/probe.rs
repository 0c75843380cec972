//! Which wall holds here? Found by trying: a compiler is run behind it on a file of its own, which it must read, and on a canary outside,
//! which it must not.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Jail, JailKind, JailPaths, OpenOptions};
use crate::job::JobFolder;
use crate::output_guard::OutputGuard;
use crate::process::{self, Budget, Ending, Finished, Spawner};
use crate::stamp::Stamp;
use crate::{BuildError, BuildLimits, Cancel, text};

/// Names the wall to use instead of the best that holds: "bwrap" or "landlock".
const FORCED_BY: &str = "VIVARIUM_JAIL";

/// A word that a compiler which reads the canary would print.
const CANARY: &str = "vivarium_canary_was_read";
const READABLE: &str = "vivarium_jail_works";

/// The best wall that holds, or a sentence for each that does not.
pub(crate) fn probe(toolchains: &Path, options: &OpenOptions, stamp: &Stamp, spawner: &Spawner) -> Result<Jail, String> {
    let mut reasons = Vec::new();
    for kind in kinds(options)? {
        let jail = Jail { kind, toolchains: toolchains.to_owned(), program: options.jail_program.clone() };
        match holds(&jail, stamp, spawner) {
            Ok(()) => return Ok(jail),
            Err(reason) => reasons.push(format!("{kind}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

fn kinds(options: &OpenOptions) -> Result<Vec<JailKind>, String> {
    if let Some(kind) = options.jail {
        return Ok(vec![kind]);
    }
    match std::env::var(FORCED_BY) {
        Ok(name) => Ok(vec![JailKind::from_name(&name).ok_or_else(|| format!("{FORCED_BY} is {name:?}, not \"bwrap\" or \"landlock\""))?]),
        Err(_) => Ok(vec![JailKind::Bwrap, JailKind::Landlock]),
    }
}

fn holds(jail: &Jail, stamp: &Stamp, spawner: &Spawner) -> Result<(), String> {
    let canary = write_canary().map_err(|error| format!("cannot write a canary file: {error}"))?;
    let inside = preprocess(jail, stamp, spawner, "#include \"readable.h\"\n")?;
    if inside.ending != Ending::Code(0) || !prints(&inside, READABLE) {
        return Err(format!("a compiler does not run in it: {}", first_line(&inside)));
    }
    let outside = preprocess(jail, stamp, spawner, &format!("#include \"{}\"\n", canary.path().display()))?;
    if outside.ending == Ending::Code(0) || prints(&outside, CANARY) {
        return Err("a compiler in it can read a file outside".to_owned());
    }
    Ok(())
}

/// A file that everyone may read: only the wall keeps a compiler from it.
fn write_canary() -> std::io::Result<tempfile::NamedTempFile> {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let everyone = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix("vivarium-canary-").permissions(everyone).tempfile()?;
    writeln!(file, "int {CANARY};")?;
    Ok(file)
}

fn preprocess(jail: &Jail, stamp: &Stamp, spawner: &Spawner, source: &str) -> Result<Finished, String> {
    let sentence = |error: BuildError| error.to_string();
    let job = JobFolder::create(&jail.toolchains).map_err(sentence)?;
    let readable = format!("int {READABLE};\n");
    let files = [("main.c", source), ("readable.h", readable.as_str())].map(|(name, text)| (name.to_owned(), text.to_owned()));
    job.write_sources(&BTreeMap::from(files)).map_err(sentence)?;
    let limits = BuildLimits::default();
    let clang = clang_of(&jail.paths(&job), stamp);
    let args = ["--target=wasm32-wasi", "-E", "-P", "main.c"].map(str::to_owned);
    let command = jail.command(&job, &limits, &clang, &args);
    process::run(spawner, command, OutputGuard::new(&job), &Budget::new(&limits, &Cancel::new()), limits.build_output_bytes_max)
        .map_err(sentence)
}

fn clang_of(paths: &JailPaths, stamp: &Stamp) -> String {
    format!("{}/usr/lib/llvm-{}/bin/clang", paths.root, stamp.llvm().unwrap_or_default())
}

fn prints(finished: &Finished, word: &str) -> bool {
    String::from_utf8_lossy(&finished.output).contains(word)
}

fn first_line(finished: &Finished) -> String {
    let output = String::from_utf8_lossy(&finished.output);
    let line = text::plain(output.lines().next().unwrap_or("it printed nothing"));
    format!("{line} ({:?})", finished.ending)
}
