//! A fault of the host is no trap: the process dies, with the signal that tells what it was.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

const SIGSEGV: i32 = 11;

fn dies(how: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_host-fault")).arg(how).output().unwrap();
    assert_eq!(output.status.signal(), Some(SIGSEGV), "{how}: {} {}", output.status, String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_wild_read_of_host_code_ends_the_process() {
    dies("null");
}

#[test]
fn host_code_that_reads_a_guests_guard_is_not_taken_for_the_guest() {
    dies("guard");
}

/// Somebody sent it: no instruction of the guest is to blame, and none of ours.
#[test]
fn a_fault_signal_that_was_sent_ends_the_process() {
    dies("sent");
}
