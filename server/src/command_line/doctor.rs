//! `vivarium doctor`: what is installed, what is missing, what mends it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use vivarium_runtime::{Runtime, RuntimeSettings};
use vivarium_toolchains::{JailKind, LanguageStatus, Toolchains};

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
        findings.extend(toolchains.status().into_iter().map(language));
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
