//! Prints how long each starter takes to build, warm: `cargo run -p vivarium-toolchains --example build_times -- FOLDER [REPEATS]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use vivarium_toolchains::{BuildLimits, Cancel, Language, SourceLimits, SourceTree, Toolchains, starters};

/// A used-up worker of AssemblyScript is replaced in this time; a build that comes sooner finds the other one.
const BETWEEN_BUILDS: Duration = Duration::from_millis(2500);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|word| word == "jail").is_some() {
        vivarium_toolchains::run_jail_role(args);
    }
    let folder = PathBuf::from(args.next().ok_or("usage: build_times FOLDER [REPEATS]")?);
    let repeats = args.next().and_then(|count| count.to_str()?.parse().ok()).unwrap_or(7);
    let toolchains = Toolchains::open(&folder);
    toolchains.warm()?;
    println!("jail {}", toolchains.jail());
    for starter in starters::all() {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..repeats {
            if starter.language == Language::AssemblyScript {
                std::thread::sleep(BETWEEN_BUILDS);
            }
            let files: BTreeMap<String, String> = starter.files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
            let tree = SourceTree::new(starter.language, files, &SourceLimits::default())?;
            let report = toolchains.build(&tree, &BuildLimits::default(), &Cancel::new())?;
            bytes = report.wasm.map_or(0, |wasm| wasm.bytes.len());
            times.push(report.build_us as f64 / 1000.0);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{:>15} {:<12} p50 {:7.1} ms  least {:7.1} ms  {bytes} bytes",
            starter.language.name(),
            starter.name,
            times[times.len() / 2],
            times[0]
        );
    }
    Ok(())
}
