//! Programs that use files, in the languages that people write them in: the scratch space is theirs for one run, and nothing else is.

use vivarium_tests::programs::check;

const C: &str = r#"#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    FILE *file = fopen("/tmp/notes", "w+");
    fputs("first\nsecond\n", file);
    fseek(file, 6, SEEK_SET);
    char line[16];
    printf("%s", fgets(line, sizeof line, file));
    fclose(file);
    struct stat status;
    stat("/tmp/notes", &status);
    printf("%lld bytes, regular %d\n", (long long)status.st_size, S_ISREG(status.st_mode));
    mkdir("/tmp/folder", 0777);
    rename("/tmp/notes", "/tmp/folder/moved");
    symlink("moved", "/tmp/folder/link");
    DIR *folder = opendir("/tmp/folder");
    for (struct dirent *entry; (entry = readdir(folder));) printf("%s ", entry->d_name);
    closedir(folder);
    file = fopen("/tmp/folder/link", "a");
    fputs("third\n", file);
    printf("at %ld\n", ftell(file));
    fclose(file);
    fopen("/etc/passwd", "r");
    printf("%s\n", strerror(errno));
    fopen("/new", "w");
    printf("%s\n", strerror(errno));
    rmdir("/tmp/folder");
    printf("%s\n", strerror(errno));
    return unlink("/tmp/folder/link") | unlink("/tmp/folder/moved") | rmdir("/tmp/folder");
}
"#;

#[test]
fn a_c_program_has_files_of_its_own() {
    let expected =
        "second\n13 bytes, regular 1\n. .. link moved at 19\nNo such file or directory\nRead-only file system\nDirectory not empty\n";
    check("main.c", C, expected);
}

const RUST: &str = r#"use std::fs;
use std::io::Write;

fn main() {
    fs::create_dir_all("/tmp/a/b").unwrap();
    fs::write("/tmp/a/b/words", "one two").unwrap();
    let mut file = fs::OpenOptions::new().append(true).open("/tmp/a/b/words").unwrap();
    write!(file, " three").unwrap();
    fs::copy("/tmp/a/b/words", "/tmp/a/copy").unwrap();
    println!("{}", fs::read_to_string("/tmp/a/copy").unwrap());
    let mut names: Vec<String> = fs::read_dir("/tmp/a").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    println!("{names:?} {}", fs::metadata("/tmp/a/b").unwrap().is_dir());
    println!("{:?}", fs::write("/tmp/large", vec![0; 9 << 20]).unwrap_err().kind());
    fs::remove_file("/tmp/large").unwrap();
    fs::remove_dir_all("/tmp/a").unwrap();
    println!("{}", fs::read_dir("/tmp").unwrap().count());
}
"#;

#[test]
fn a_rust_program_has_files_of_its_own() {
    check("main.rs", RUST, "one two three\n[\"b\", \"copy\"] true\nStorageFull\n0\n");
}
