//! `vivarium doctor`: what is installed, what is missing, what mends it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use vivarium_runtime::{Runtime, RuntimeSettings};
use vivarium_toolchains::{JailKind, Language, LanguageStatus, Toolchains};

use super::Context;
use super::failure::Failure;
use crate::assets;
use crate::reset;

#[derive(Debug, Args)]
pub struct Doctor {}

/// One thing that was looked at.
struct Finding {
    name: &'static str,
    sound: bool,
    said: String,
    mend: Option<String>,
}

impl Doctor {
    /// Ends with 0 if all is well, else with 3.
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let folder = context.data_folder()?;
        let toolchains = Toolchains::open(&folder.toolchains());
        let mut findings = vec![data(&folder), jail(toolchains.jail()), reset_of_slots(), front_end()];
        let languages = toolchains.status();
        findings
            .extend(languages.iter().find(|status| status.language == Language::Rust).and_then(|rust| crates(rust, &folder.toolchains())));
        findings.extend(languages.into_iter().map(language));
        let sound = findings.iter().all(|finding| finding.sound);
        let json = || {
            let findings: Vec<_> = findings
                .iter()
                .map(|finding| json!({ "name": finding.name, "ok": finding.sound, "detail": finding.said, "mend": finding.mend }))
                .collect();
            json!({
                "ok": sound,
                "data_folder": folder.root().display().to_string(),
                "toolchains_folder": folder.toolchains().display().to_string(),
                "findings": findings,
            })
        };
        context.print(json, || text(&findings));
        if sound { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(3)) }
    }
}

fn data(folder: &crate::data_folder::DataFolder) -> Finding {
    let checked = folder.signing_key().map(drop);
    let mend = checked.as_ref().err().map(|error| error.to_string());
    let place = folder.root().display();
    Finding { name: "data folder", sound: checked.is_ok(), said: place.to_string(), mend }
}

fn jail(kind: JailKind) -> Finding {
    let (said, mend) = match kind {
        JailKind::Bwrap => ("compilers run in namespaces of their own (bwrap)", None),
        JailKind::Landlock => {
            ("compilers are confined by landlock: user namespaces are denied here, which is the weaker wall of the two", None)
        }
        JailKind::None => (
            "compilers cannot be confined here, so nothing is compiled",
            Some("install the toolchains (below); then allow user namespaces or use a kernel with landlock"),
        ),
    };
    Finding { name: "jail", sound: kind != JailKind::None, said: said.into(), mend: mend.map(str::to_owned) }
}

fn reset_of_slots() -> Finding {
    let started = reset::forced()
        .and_then(|reset| Runtime::start(RuntimeSettings { reset, ..RuntimeSettings::default() }).map_err(|error| error.to_string()));
    let (sound, said) = match started {
        Ok(runtime) => (true, reset::described(runtime.reset_method())),
        Err(sentence) => (false, sentence),
    };
    let mend = (!sound).then(|| format!("unset {}: the best method that works here is used then", reset::FORCED));
    Finding { name: "reset", sound, said, mend }
}

fn front_end() -> Finding {
    let sound = assets::embedded();
    let said = if sound { "built in" } else { "not built in: the page is a plain form" };
    Finding { name: "front end", sound, said: said.into(), mend: (!sound).then(|| "make build".into()) }
}

fn language(status: LanguageStatus) -> Finding {
    let said = status.version.or(status.reason).unwrap_or_default();
    Finding { name: status.language.display_name(), sound: status.available, said, mend: status.mend }
}

/// The crates of Rust programs, which are installed apart. Without Rust there is nothing to say of them.
fn crates(rust: &LanguageStatus, toolchains: &Path) -> Option<Finding> {
    let count = rust.libraries.len();
    let said = match count {
        0 => "none is installed: Rust programs have std alone".to_owned(),
        count => format!("{count} of them, built for {}", rust.version.as_deref().unwrap_or("rustc")),
    };
    let mend = (count == 0).then(|| format!("run toolchains/crates/install {}", toolchains.display()));
    rust.available.then_some(Finding { name: "crates", sound: count > 0, said, mend })
}

fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let mark = if finding.sound { "ok     " } else { "missing" };
        // Writing into a string does not fail.
        let _ = writeln!(out, "{mark} {:<15} {}", finding.name, finding.said);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(out, "        {:<15} mend it: {mend}", "");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use vivarium_toolchains::Library;

    use super::*;

    #[test]
    fn crates_that_are_missing_have_one_command_that_mends_it() {
        let library = Library { name: "fern".into(), version: "1".into(), link: String::new() };
        let status = |available, libraries| LanguageStatus {
            language: Language::Rust,
            available,
            version: Some("rustc 1.96.0".into()),
            reason: None,
            mend: None,
            libraries,
        };
        let missing = crates(&status(true, Vec::new()), Path::new("/t")).unwrap();
        assert_eq!((missing.sound, missing.mend.as_deref()), (false, Some("run toolchains/crates/install /t")));
        let found = crates(&status(true, vec![library]), Path::new("/t")).unwrap();
        assert_eq!((found.sound, found.said.as_str(), found.mend), (true, "1 of them, built for rustc 1.96.0", None));
        assert!(crates(&status(false, Vec::new()), Path::new("/t")).is_none());
    }
}
