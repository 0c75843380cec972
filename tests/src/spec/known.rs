//! The list of directives that are known to fail: `tests/spec/known_failures.txt`, a line each, `folder/file.wast:line  reason`.
//!
//! The list may only shrink. A failure that is not listed is a surprise, and so is a listed directive that holds. With `SPEC_BLESS` set, lines that
//! hold now are dropped, and the failures of a folder that the list does not name yet are written down with what the driver said; a folder is named
//! by its heading, `# folder`. Failures in folders that are named are never added.

use std::collections::{BTreeMap, BTreeSet};

/// Known failures by place, and the folders that the list names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct KnownFailures {
    reasons: BTreeMap<Place, String>,
    folders: BTreeSet<String>,
}

/// A line of a file of the suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub folder: String,
    pub file: String,
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}:{}", self.folder, self.file, self.line)
    }
}

impl Place {
    fn parse(text: &str) -> Option<Place> {
        let (folder, rest) = text.split_once('/')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some(Place { folder: folder.into(), file: file.into(), line: line.parse().ok()? })
    }
}

/// What the list begins with.
const HEADING: &str = "# Directives of the official suite that are known to fail, each with its reason: `folder/file.wast:line  reason`.
# The list may only shrink: another failure fails the test, and so does a listed directive that passes.
";

impl KnownFailures {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<KnownFailures, String> {
        let mut known = KnownFailures::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix("# ") {
                Some(heading) if !heading.contains(' ') => drop(known.folders.insert(heading.into())),
                Some(_) => {}
                None => {
                    let (place, reason) = line.split_once("  ").ok_or_else(|| format!("a known failure needs a reason: {line}"))?;
                    let place = Place::parse(place).ok_or_else(|| format!("no place of a file: {line}"))?;
                    known.reasons.insert(place, reason.trim().into());
                }
            }
        }
        Ok(known)
    }

    /// What differs from the list, as sentences; `failures` are all that failed in these folders.
    pub fn surprises(&self, folders: &BTreeSet<String>, failures: &BTreeMap<Place, String>) -> Vec<String> {
        let new =
            failures.iter().filter(|(place, _)| !self.reasons.contains_key(place)).map(|(place, reason)| format!("{place}  {reason}"));
        let gone = self.reasons.keys().filter(|place| folders.contains(&place.folder) && !failures.contains_key(place));
        new.chain(gone.map(|place| format!("{place}  passes, though it is listed as a known failure"))).collect()
    }

    /// The list as `SPEC_BLESS` writes it.
    pub fn bless(&self, folders: &BTreeSet<String>, failures: &BTreeMap<Place, String>) -> KnownFailures {
        let mut blessed = self.clone();
        blessed.reasons.retain(|place, _| failures.contains_key(place));
        let new = failures.iter().filter(|(place, _)| !self.folders.contains(&place.folder));
        blessed.reasons.extend(new.map(|(place, reason)| (place.clone(), shortened(reason))));
        blessed.folders.extend(folders.iter().cloned());
        blessed
    }
}

/// A reason on one line, without the offset that makes each differ.
fn shortened(reason: &str) -> String {
    let words: Vec<_> = reason.split_whitespace().collect();
    words.join(" ").split(" (at offset").next().unwrap_or_default().to_owned()
}

impl std::fmt::Display for KnownFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(HEADING)?;
        for folder in &self.folders {
            writeln!(f, "\n# {folder}")?;
            for (place, reason) in self.reasons.iter().filter(|(place, _)| place.folder == *folder) {
                writeln!(f, "{place}  {reason}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# one\none/a.wast:3  not yet\none/a.wast:4  not yet\n";

    fn failures(places: &[&str]) -> BTreeMap<Place, String> {
        places.iter().map(|place| (Place::parse(place).unwrap(), "found".to_owned())).collect()
    }

    #[test]
    fn what_is_not_listed_and_what_passes_are_surprises() {
        let known = KnownFailures::parse(LIST).unwrap();
        let folders = BTreeSet::from(["one".to_owned()]);
        assert_eq!(known.surprises(&folders, &failures(&["one/a.wast:3", "one/a.wast:4"])), Vec::<String>::new());
        assert_eq!(
            known.surprises(&folders, &failures(&["one/a.wast:3", "one/b.wast:4"])),
            ["one/b.wast:4  found", "one/a.wast:4  passes, though it is listed as a known failure"]
        );
    }

    #[test]
    fn blessing_adds_new_folders_and_drops_what_passes() {
        let known = KnownFailures::parse(LIST).unwrap();
        let folders = ["one", "two"].map(str::to_owned).into();
        let blessed = known.bless(&folders, &failures(&["one/a.wast:3", "one/a.wast:9", "two/b.wast:1"]));
        let expected = KnownFailures::parse("# one\none/a.wast:3  not yet\n# two\ntwo/b.wast:1  found").unwrap();
        assert_eq!(blessed, expected);
        assert_eq!(KnownFailures::parse(&blessed.to_string()), Ok(expected));
    }

    #[test]
    fn a_line_without_a_reason_is_no_line() {
        assert!(KnownFailures::parse("one/a.wast:3").is_err());
        assert!(KnownFailures::parse("nowhere  not yet").is_err());
    }
}
