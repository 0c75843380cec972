//! Landlock without a single rule: no file can be opened, made, run or removed, no port bound or reached, no process outside signalled.

use landlock::{ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope};

/// The newest interface whose rights are given up; an older kernel takes those that it knows.
const LANDLOCK_ABI: ABI = ABI::V6;

/// For this thread and those that it makes; ports too, where `ports` says so. The sentence says why it does not hold.
pub fn deny_all(ports: bool) -> Result<(), String> {
    let status = restrict(ports).map_err(|error| error.to_string())?;
    if status.ruleset == RulesetStatus::NotEnforced { Err("this kernel does not enforce it".into()) } else { Ok(()) }
}

fn restrict(ports: bool) -> Result<RestrictionStatus, RulesetError> {
    let mut all = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK_ABI))?;
    if ports {
        all = all.handle_access(AccessNet::from_all(LANDLOCK_ABI))?;
    }
    all.scope(Scope::from_all(LANDLOCK_ABI))?.create()?.restrict_self()
}
