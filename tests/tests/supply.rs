//! What the project is built from: every package of both lock files comes from crates.io and is licensed so that it may be given on.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than a notice.
const PERMITTED: [&str; 13] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "BSL-1.0",
    "ISC",
    "Zlib",
    "Unlicense",
    "Unicode-3.0",
    // Of data: the list of whose certificates browsers believe.
    "CDLA-Permissive-2.0",
];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether an expression (SPDX; older ones have a slash for OR) can be met by licences that are permitted. Brackets hold alternatives only.
fn is_permitted(expression: &str) -> bool {
    let all = |expression: &str| expression.split(" AND ").all(|part| any(part.trim_matches(['(', ')', ' '])));
    fn any(expression: &str) -> bool {
        expression.replace('/', " OR ").split(" OR ").any(|licence| PERMITTED.contains(&licence.trim()))
    }
    all(expression)
}

#[test]
fn licences_are_read_as_they_are_meant() {
    for (expected, expression) in [
        (true, "MIT"),
        (true, "MIT/Apache-2.0"),
        (true, "GPL-3.0 OR MIT"),
        (true, "(MIT OR Apache-2.0) AND Unicode-3.0"),
        (false, "GPL-3.0"),
        (false, "MIT AND GPL-3.0"),
        (false, "(MIT OR Apache-2.0) AND GPL-3.0"),
        (false, ""),
    ] {
        assert_eq!(is_permitted(expression), expected, "{expression}");
    }
}

#[test]
fn every_package_comes_from_the_registry_and_may_be_given_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for workspace in [root.to_path_buf(), root.join("tests/peers")] {
        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--locked", "--offline", "--format-version", "1"]).current_dir(&workspace);
        let output = command.output().unwrap();
        if !output.status.success() && workspace.ends_with("peers") {
            println!("not looked at, for its packages are not here yet: {}", workspace.display());
            continue;
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        assert!(packages.len() > 50);
        for package in packages {
            let name = &package["name"];
            let licence = package["license"].as_str().unwrap_or_default();
            assert!(is_permitted(licence), "{name} is licensed under {licence:?}");
            let path = Path::new(package["manifest_path"].as_str().unwrap());
            let ours = package["source"].is_null() && path.starts_with(root);
            assert!(ours || package["source"] == REGISTRY, "{name} comes from {}", package["source"]);
        }
    }
}
