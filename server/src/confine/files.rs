//! Landlock without a single rule: no file can be opened, made, run or removed, no port bound or reached, no process outside signalled.

use landlock::{ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope};

/// The newest interface whose rights are given up; an older kernel takes those that it knows.
const LANDLOCK_ABI: ABI = ABI::V6;

/// How much of what was given up is given up.
pub enum Enforced {
    Whole,
    /// What this kernel knows of it. The sentence says what may be missing.
    Part(&'static str),
}

/// For this thread and those that it makes; ports too, where `ports` says so. The sentence of an error says why nothing holds.
pub fn deny_all(ports: bool) -> Result<Enforced, String> {
    judge(restrict(ports).map_err(|error| error.to_string())?.ruleset)
}

fn judge(status: RulesetStatus) -> Result<Enforced, String> {
    match status {
        RulesetStatus::FullyEnforced => Ok(Enforced::Whole),
        RulesetStatus::PartiallyEnforced => {
            Ok(Enforced::Part("a part of Landlock: signals to other processes need Linux 6.12 or newer, ports Linux 6.7 or newer"))
        }
        RulesetStatus::NotEnforced => Err("this kernel does not enforce it".into()),
    }
}

fn restrict(ports: bool) -> Result<RestrictionStatus, RulesetError> {
    let mut all = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK_ABI))?;
    if ports {
        all = all.handle_access(AccessNet::from_all(LANDLOCK_ABI))?;
    }
    all.scope(Scope::from_all(LANDLOCK_ABI))?.create()?.restrict_self()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_enforces_a_part_is_not_taken_for_one_that_enforces_all() {
        assert!(matches!(judge(RulesetStatus::FullyEnforced), Ok(Enforced::Whole)));
        assert!(matches!(judge(RulesetStatus::PartiallyEnforced), Ok(Enforced::Part(sentence)) if sentence.contains("signals")));
        assert!(judge(RulesetStatus::NotEnforced).is_err());
    }
}
