//! The role `jail` for this crate's tests, which have no `vivarium` to call. What it does is what `vivarium jail` does.

fn main() {
    let mut args = std::env::args_os().skip(1);
    assert!(args.next().is_some_and(|word| word == "jail"), "usage: vivarium-jail-role jail OPTIONS -- PROGRAM ARGS");
    vivarium_toolchains::run_jail_role(args)
}
