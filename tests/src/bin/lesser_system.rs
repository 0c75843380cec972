//! Runs a program as on a system that offers less: `lesser-system WHAT,… PROGRAM ARGUMENTS…`, where WHAT is `seccomp`, `landlock` or `namespaces`.
//! A filter answers the calls that would make them as a kernel without them does; whatever the program starts has it too.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

const NAMESPACES: [libc::c_int; 6] =
    [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWNET, libc::CLONE_NEWIPC, libc::CLONE_NEWUTS];

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(lacking), Some(program)) = (arguments.next(), arguments.next()) else {
        panic!("usage: lesser-system seccomp,landlock,namespaces PROGRAM ARGUMENTS…")
    };
    let lacking = lacking.into_string().expect("names of walls");
    for name in ["landlock", "namespaces", "seccomp"].into_iter().filter(|name| lacking.split(',').any(|wanted| wanted == *name)) {
        apply_filter(&without(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    panic!("{}", Command::new(program).args(arguments).exec());
}

fn without(name: &str) -> BpfProgram {
    let (rules, errno): (BTreeMap<i64, Vec<SeccompRule>>, i32) = match name {
        "landlock" => (BTreeMap::from([(libc::SYS_landlock_create_ruleset, vec![])]), libc::ENOSYS),
        // `clone3` keeps its flags where a filter cannot look: the C library goes back to `clone`.
        "namespaces" => {
            let flags = NAMESPACES.map(|flag| rule(0, SeccompCmpOp::MaskedEq(flag as u64), flag as u64));
            (BTreeMap::from([(libc::SYS_unshare, vec![]), (libc::SYS_clone, flags.to_vec())]), libc::EPERM)
        }
        _ => {
            let mode = vec![rule(0, SeccompCmpOp::Eq, libc::PR_SET_SECCOMP as u64)];
            (BTreeMap::from([(libc::SYS_seccomp, vec![]), (libc::SYS_prctl, mode)]), libc::EINVAL)
        }
    };
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), TargetArch::x86_64);
    filter.and_then(TryInto::try_into).expect("a filter of few rules")
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> SeccompRule {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value).expect("one of six arguments");
    SeccompRule::new(vec![condition]).expect("one condition")
}
