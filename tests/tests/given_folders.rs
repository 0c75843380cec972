//! `vivarium run --dir`: a program reads and writes a folder of this machine, and nothing beyond it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use vivarium_tests::server::{binary, toolchains};

/// Runs a program in a folder that has `given/` to give and `outside/` not to.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(name: &str, source: &str) -> Place {
        let folder = TempDir::new().unwrap();
        for (name, text) in [("given/words", "fern moss"), ("outside/secret", "secret"), (name, source)] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Place { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run_in(&self, current: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.arg("run").args(arguments).current_dir(current).env("VIVARIUM_TOOLCHAINS", toolchains());
        command.env("VIVARIUM_DATA", self.path("data")).output().unwrap()
    }

    fn check(&self, arguments: &[&str], stdout: &str) {
        self.check_in(self.folder.path(), arguments, stdout);
    }

    fn check_in(&self, current: &Path, arguments: &[&str], stdout: &str) {
        let output = self.run_in(current, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), output.status.code()), (stdout, Some(0)), "{stderr}");
    }
}

/// Reads one path and writes another, and says what came of it.
const COPY: &str = r#"#include <errno.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **arguments) {
    char text[64] = "";
    FILE *from = fopen(arguments[1], "r");
    if (!from) return printf("cannot read: %s\n", strerror(errno)), 0;
    size_t len = fread(text, 1, sizeof text, from);
    FILE *to = fopen(arguments[2], "w");
    if (!to) return printf("cannot write: %s\n", strerror(errno)), 0;
    fwrite(text, 1, len, to);
    return fclose(to);
}
"#;

#[test]
fn a_folder_is_read_and_written_under_the_name_that_it_is_given() {
    let place = Place::new("main.c", COPY);
    place.check(&["--dir", "given::/data", "main.c", "/data/words", "/data/copy"], "");
    assert_eq!(fs::read_to_string(place.path("given/copy")).unwrap(), "fern moss");
    place.check(&["--dir", "given", "main.c", "given/words", "given/second"], "");
    assert_eq!(fs::read_to_string(place.path("given/second")).unwrap(), "fern moss");
    fs::create_dir(place.path("other")).unwrap();
    place.check(&["--dir", "given::/in", "--dir", "other::/out", "main.c", "/in/words", "/out/copy"], "");
    assert_eq!(fs::read_to_string(place.path("other/copy")).unwrap(), "fern moss");
}

#[test]
fn the_present_folder_takes_the_place_of_the_programs_own_files() {
    let place = Place::new("main.c", COPY);
    place.check_in(&place.path("given"), &["--dir", ".", "../main.c", "words", "copy"], "");
    assert_eq!(fs::read_to_string(place.path("given/copy")).unwrap(), "fern moss");
    place.check_in(&place.path("given"), &["--dir", ".", "../main.c", "main.c", "copy"], "cannot read: No such file or directory\n");
    place.check(&["--dir", "given::/data", "main.c", "main.c", "/data/copy"], "");
    assert_eq!(fs::read_to_string(place.path("given/copy")).unwrap(), COPY[..64], "beside a folder the program's own files stay");
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let place = Place::new("main.c", COPY);
    symlink("../outside", place.path("given/up")).unwrap();
    symlink(place.path("outside/secret"), place.path("given/absolute")).unwrap();
    symlink("words", place.path("given/inside")).unwrap();
    place.check(&["--dir", "given::/data", "main.c", "/data/inside", "/data/copy"], "");
    for path in ["/data/../outside/secret", "/data/up/secret", "/data/absolute", "/data/up/../outside/secret", "/data/./../given/words"] {
        let output = place.run_in(place.folder.path(), &["--dir", "given::/data", "main.c", path, "/data/copy"]);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(stdout.starts_with("cannot read: "), "{path}: {stdout}");
        let output = place.run_in(place.folder.path(), &["--dir", "given::/data", "main.c", "/data/words", path]);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(stdout.starts_with("cannot write: "), "{path}: {stdout}");
    }
    assert_eq!(fs::read_to_string(place.path("outside/secret")).unwrap(), "secret");
}

/// Moves and links between two folders, and out of one: a name that may not lead out must be refused.
const MOVE: &str = r#"#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static void say(int result) { printf("%s\n", result == 0 ? "done" : strerror(errno)); }
static void refused(const char *what, int result) { if (result >= 0) printf("%s leads out\n", what); }
int main(void) {
    char text[64];
    say(rename("/a/words", "/b/words"));
    say(link("/b/words", "/a/linked"));
    say(rename("/b/words", "/tmp/words"));
    refused("rename", rename("/b/words", "/b/../moved"));
    refused("link from", link("/b/../outside/secret", "/b/secret"));
    refused("link through", link("/a/up/secret", "/a/secret"));
    refused("link to", link("/b/words", "/a/up/words"));
    refused("unlink", unlink("/a/up/secret"));
    refused("mkdir", mkdir("/a/up/folder", 0777));
    refused("symlink", symlink("/etc/passwd", "/a/passwd"));
    refused("readlink", readlink("/a/absolute", text, sizeof text));
    struct dirent **names;
    int count = scandir("/a", &names, NULL, alphasort);
    for (int n = 0; n < count; n++) printf("%s ", names[n]->d_name);
}
"#;

#[test]
fn names_move_between_folders_that_were_given_and_to_no_others() {
    let place = Place::new("main.c", MOVE);
    fs::create_dir(place.path("other")).unwrap();
    symlink("../outside", place.path("given/up")).unwrap();
    symlink(place.path("outside/secret"), place.path("given/absolute")).unwrap();
    let moved = "done\ndone\nCross-device link\n. .. absolute linked up ";
    place.check(&["--dir", "given::/a", "--dir", "other::/b", "main.c"], moved);
    let outside: Vec<_> = fs::read_dir(place.path("outside")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["secret"]);
    assert!(!place.path("moved").exists() && place.path("other/words").exists());
}

#[test]
fn what_cannot_be_given_is_said_before_anything_is_built() {
    let place = Place::new("main.c", "this is no program");
    for (dir, said) in [
        ("nothing", "cannot give the folder nothing to the program: No such file or directory"),
        ("main.c", "cannot give the folder main.c to the program: Not a directory"),
        ("given::", "write it as HOST::GUEST"),
    ] {
        let output = place.run_in(place.folder.path(), &["--dir", dir, "main.c"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(said), "{dir}: {stderr}");
    }
}
