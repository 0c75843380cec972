//! What `vivarium run --profile FILE` tells: all call stacks in the file, the busiest functions on the terminal.
//!
//! A file that ends in `.json` is one for speedscope; any other holds folded stacks, a line each: `outer;inner 17`, which all tools for flame graphs read.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use vivarium_runtime::{Frame, LoadedModule, Profile, ProfiledStack};

use super::failure::Failure;

/// Functions that the terminal shows.
const FUNCTIONS_SHOWN_MAX: usize = 10;

/// A profile that is being taken, if one was asked for.
pub struct Recording {
    file: Option<PathBuf>,
    profile: Option<Profile>,
}

impl Recording {
    pub fn new(file: Option<PathBuf>) -> Recording {
        Recording { file, profile: None }
    }

    pub fn is_wanted(&self) -> bool {
        self.file.is_some()
    }

    /// What an instance of the program's module is to be given.
    pub fn of(&mut self, module: &Arc<LoadedModule>) -> Option<&Profile> {
        self.file.as_ref()?;
        Some(self.profile.get_or_insert_with(|| Profile::new(module)))
    }

    /// Takes over what was noted since the last time.
    pub fn collect(&mut self) {
        if let Some(profile) = &mut self.profile {
            profile.collect();
        }
    }

    /// Writes the file; what is to be said on the terminal, which is nothing where no profile was asked for.
    pub fn finish(mut self) -> Result<String, Failure> {
        self.collect();
        let (Some(path), Some(profile)) = (self.file, self.profile) else { return Ok(String::new()) };
        let stacks = profile.stacks();
        let as_json = path.extension().is_some_and(|extension| extension == "json");
        let text = if as_json { speedscope(&stacks).to_string() } else { folded(&stacks) };
        std::fs::write(&path, text).map_err(|error| Failure::system(format!("cannot write the profile {}: {error}", path.display())))?;
        Ok(busiest(&stacks, profile.lost()))
    }
}

/// A frame in one line, without what separates frames and lines.
fn label(frame: &Frame) -> String {
    let place = frame.place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
    let text = format!("{}{place}", frame.function);
    text.chars().map(|character| if character == ';' || character.is_control() { '_' } else { character }).collect()
}

fn folded(stacks: &[ProfiledStack]) -> String {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for stack in stacks {
        let frames: Vec<String> = stack.frames.iter().rev().map(label).collect();
        *lines.entry(frames.join(";")).or_default() += stack.samples;
    }
    lines.iter().map(|(stack, samples)| format!("{stack} {samples}\n")).collect()
}

/// The form that <https://www.speedscope.app> documents as "sampled".
fn speedscope(stacks: &[ProfiledStack]) -> Value {
    let mut frames: Vec<Value> = Vec::new();
    let mut indices: BTreeMap<String, usize> = BTreeMap::new();
    let mut index_of = |frame: &Frame| {
        *indices.entry(label(frame)).or_insert_with(|| {
            let place = frame.place.as_ref();
            frames.push(json!({ "name": frame.function, "file": place.map(|place| &place.file), "line": place.map(|place| place.line) }));
            frames.len() - 1
        })
    };
    let samples: Vec<Vec<usize>> = stacks.iter().map(|stack| stack.frames.iter().rev().map(&mut index_of).collect()).collect();
    let weights: Vec<u64> = stacks.iter().map(|stack| stack.samples).collect();
    json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": { "frames": frames },
        "profiles": [{
            "type": "sampled", "name": "samples", "unit": "none", "startValue": 0, "endValue": weights.iter().sum::<u64>(),
            "samples": samples, "weights": weights,
        }],
    })
}

/// What is known of one function.
#[derive(Default)]
struct Busy {
    /// Samples in which it ran itself, and in which it or what it called did.
    own: u64,
    total: u64,
    /// Of its own samples, how many were at each line.
    lines: BTreeMap<String, u64>,
}

fn busiest(stacks: &[ProfiledStack], lost: u64) -> String {
    let mut functions: BTreeMap<&str, Busy> = BTreeMap::new();
    for stack in stacks {
        let mut seen = HashSet::new();
        for frame in stack.frames.iter().filter(|frame| seen.insert(frame.function.as_str())) {
            functions.entry(&frame.function).or_default().total += stack.samples;
        }
        let innermost = &stack.frames[0];
        let busy = functions.entry(&innermost.function).or_default();
        busy.own += stack.samples;
        *busy.lines.entry(label(innermost)).or_default() += stack.samples;
    }
    let taken: u64 = stacks.iter().map(|stack| stack.samples).sum();
    let mut functions: Vec<Busy> = functions.into_values().filter(|busy| busy.own > 0).collect();
    functions.sort_by_key(|busy| std::cmp::Reverse(busy.own));
    let losses = if lost == 0 { String::new() } else { format!(", {lost} more found no room and are missing") };
    let head = format!("vivarium: {taken} samples of the program's own code{losses}\n   alone with callees\n");
    let percent = |samples: u64| samples as f64 * 100.0 / taken.max(1) as f64;
    let shown = functions.iter().take(FUNCTIONS_SHOWN_MAX).map(|busy| {
        let hottest = busy.lines.iter().max_by_key(|(_, samples)| **samples).map_or("", |(label, _)| label.as_str());
        format!("  {:5.1}%       {:5.1}%  {hottest}\n", percent(busy.own), percent(busy.total))
    });
    head + &shown.collect::<String>()
}

#[cfg(test)]
mod tests {
    use vivarium_runtime::SourcePlace;

    use super::*;

    fn stack(samples: u64, frames: &[(&str, u32)]) -> ProfiledStack {
        let frame = |(function, line): &(&str, u32)| Frame {
            function: (*function).to_owned(),
            wasm_offset: None,
            place: (*line > 0).then(|| SourcePlace { file: "main.c".into(), line: *line, column: 1 }),
        };
        ProfiledStack { frames: frames.iter().map(frame).collect(), samples }
    }

    fn stacks() -> [ProfiledStack; 3] {
        [
            stack(6, &[("inner", 3), ("outer", 9), ("a;b", 0)]),
            stack(3, &[("inner", 4), ("outer", 9), ("a;b", 0)]),
            stack(1, &[("outer", 9), ("outer", 8), ("a;b", 0)]),
        ]
    }

    #[test]
    fn stacks_are_folded_from_the_outside() {
        let expected =
            "a_b;outer (main.c:8);outer (main.c:9) 1\na_b;outer (main.c:9);inner (main.c:3) 6\na_b;outer (main.c:9);inner (main.c:4) 3\n";
        assert_eq!(folded(&stacks()), expected);
    }

    #[test]
    fn speedscope_finds_each_frame_once() {
        let file = speedscope(&stacks());
        assert_eq!(file["shared"]["frames"].as_array().unwrap().len(), 5);
        assert_eq!(file["shared"]["frames"][1], json!({ "name": "outer", "file": "main.c", "line": 9 }));
        assert_eq!(file["profiles"][0]["samples"], json!([[0, 1, 2], [0, 1, 3], [0, 4, 1]]));
        assert_eq!((&file["profiles"][0]["weights"], &file["profiles"][0]["endValue"]), (&json!([6, 3, 1]), &json!(10)));
    }

    #[test]
    fn the_busiest_come_first_with_their_hottest_line() {
        let told = busiest(&stacks(), 2);
        assert!(told.starts_with("vivarium: 10 samples of the program's own code, 2 more found no room"), "{told}");
        let lines: Vec<&str> = told.lines().skip(2).collect();
        assert_eq!(lines, ["   90.0%        90.0%  inner (main.c:3)", "   10.0%       100.0%  outer (main.c:9)"]);
    }
}
