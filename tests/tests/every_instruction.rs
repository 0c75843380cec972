//! A guest can be preempted before any of its instructions, inside bulk operations too, and goes on as if nothing had been.

use std::process::Command;

#[test]
fn computations_that_are_preempted_at_every_instruction_give_the_same_results() {
    let output = Command::new(env!("CARGO_BIN_EXE_step")).output().unwrap();
    let (told, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{told}");
    assert!(output.status.success(), "{}: {failed}", output.status);
    assert!(told.contains("with the results of undisturbed runs"), "{told}");
}
