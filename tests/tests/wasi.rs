//! WASI preview 1 as its specification has it, function by function: the programs of `guests/wasi`, each over the files of an instance and over a
//! real folder; and pointers that no program would pass by mistake.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use vivarium_tests::server::{binary, toolchains};

/// Where a program's `/tmp` lies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    Memory,
    Folder,
}

fn run(name: &str, files: &[(&str, &str)], over: Over, arguments: &[&str]) -> Output {
    let place = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(place.path().join(name), text).unwrap();
    }
    let given = place.path().join("given");
    fs::create_dir(&given).unwrap();
    let mut command = Command::new(binary());
    command.arg("run").args(["--env", "FERN=moss", "--env", "EMPTY="]).env("VIVARIUM_TOOLCHAINS", toolchains());
    if over == Over::Folder {
        command.arg("--dir").arg(format!("{}::/tmp", given.display()));
    }
    command.arg(place.path().join(name)).args(arguments).env("VIVARIUM_DATA", place.path().join("data"));
    let output = command.output().unwrap();
    assert_eq!(fs::read_dir(&given).unwrap().count(), 0, "{name} leaves nothing behind");
    output
}

fn check(name: &str, files: &[(&str, &str)], arguments: &[&str]) {
    for over in [Over::Memory, Over::Folder] {
        let output = run(name, files, over, arguments);
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && output.stdout.is_empty(), "{name} over {over:?}:\n{told}");
    }
}

fn guest(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/wasi").join(name)).unwrap()
}

/// A C program; its checks come from `check.h`, which lies beside it only where a whole folder is built.
fn check_c(name: &str, arguments: &[&str]) {
    let source = guest(name).replace("#include \"check.h\"\n", &guest("check.h").replace("#pragma once\n", ""));
    check(name, &[(name, &source)], arguments);
}

#[test]
fn descriptors_are_what_they_say_and_bad_ones_are_told() {
    check_c("descriptors.c", &[]);
}

#[test]
fn bytes_go_where_they_are_written() {
    check_c("transfers.c", &[]);
}

#[test]
fn paths_lead_where_posix_has_them_lead_and_never_out() {
    check_c("paths.c", &[]);
}

#[test]
fn folders_are_listed_through_buffers_of_any_size() {
    check_c("listing.c", &[]);
}

#[test]
fn the_world_besides_files_is_there() {
    check_c("world.c", &["an argument", "ä"]);
}

#[test]
fn the_library_of_rust_works() {
    check("library.rs", &[("library.rs", &guest("library.rs"))], &[]);
}

#[test]
fn assemblyscript_may_import_what_it_calls() {
    check("raw.ts", &[("raw.ts", &guest("raw.ts"))], &[]);
}

const FAULT: u32 = 21;
const INVAL: u32 = 28;
const TOO_LONG: u32 = 37;
/// Stands for the folder's descriptor, and for the one of a file that is open.
const FOLDER: i64 = -100;
const FILE: i64 = -101;
/// One page of memory.
const END: i64 = 65_536;
const FAR: i64 = 0xFFFF_FFFF;
/// Where an iovec lies whose buffer ends one byte past memory, one of 4 GiB, one that wraps, one that is good.
const PAST: i64 = 0;
const HUGE: i64 = 8;
const WRAPS: i64 = 16;
const GOOD: i64 = 24;
/// "file", and 64 bytes that may be written to.
const NAME: i64 = 100;
const ROOM: i64 = 1024;

/// A call and the error that it must come to.
const CALLS: &[(&str, &[i64], u32)] = &[
    ("args_get", &[FAR, ROOM], FAULT),
    ("args_get", &[ROOM, FAR], FAULT),
    ("args_sizes_get", &[END - 3, ROOM], FAULT),
    ("args_sizes_get", &[ROOM, END], FAULT),
    ("environ_get", &[END - 7, ROOM], FAULT),
    ("environ_get", &[ROOM, END - 1], FAULT),
    ("environ_sizes_get", &[FAR, ROOM], FAULT),
    ("clock_res_get", &[0, END - 7], FAULT),
    ("clock_time_get", &[0, 1, FAR], FAULT),
    ("fd_fdstat_get", &[FILE, END - 23], FAULT),
    ("fd_filestat_get", &[FILE, END - 63], FAULT),
    ("fd_filestat_get", &[FOLDER, FAR - 10], FAULT),
    ("fd_pread", &[FILE, FAR, 1, 0, ROOM], FAULT),
    ("fd_pread", &[FILE, GOOD, FAR, 0, ROOM], INVAL),
    ("fd_pread", &[FILE, GOOD, 1, 0, END - 3], FAULT),
    ("fd_prestat_get", &[FOLDER, END - 7], FAULT),
    ("fd_prestat_dir_name", &[FOLDER, END - 3, 4], FAULT),
    ("fd_prestat_dir_name", &[FOLDER, ROOM, 3], TOO_LONG),
    ("fd_pwrite", &[FILE, PAST, 1, 0, ROOM], FAULT),
    ("fd_pwrite", &[FILE, GOOD, 1, 0, FAR], FAULT),
    ("fd_read", &[FILE, PAST, 1, ROOM], FAULT),
    ("fd_read", &[FILE, HUGE, 1, ROOM], FAULT),
    ("fd_read", &[FILE, WRAPS, 1, ROOM], FAULT),
    ("fd_read", &[FILE, END - 4, 1, ROOM], FAULT),
    ("fd_read", &[0, PAST, 1, ROOM], FAULT),
    ("fd_read", &[0, GOOD, 1, FAR], FAULT),
    ("fd_write", &[FILE, PAST, 1, ROOM], FAULT),
    ("fd_write", &[FILE, HUGE, 1, ROOM], FAULT),
    ("fd_write", &[FILE, GOOD, 1, END - 1], FAULT),
    ("fd_write", &[1, WRAPS, 1, ROOM], FAULT),
    ("fd_write", &[1, FAR, 1, ROOM], FAULT),
    ("fd_readdir", &[FOLDER, ROOM, FAR, 0, ROOM], FAULT),
    ("fd_readdir", &[FOLDER, END - 10, 11, 0, ROOM], FAULT),
    ("fd_readdir", &[FOLDER, ROOM, 64, 0, END], FAULT),
    ("fd_seek", &[FILE, 0, 0, END - 7], FAULT),
    ("fd_tell", &[FILE, FAR], FAULT),
    ("path_create_directory", &[FOLDER, END - 3, 4], FAULT),
    ("path_create_directory", &[FOLDER, NAME, FAR], TOO_LONG),
    ("path_filestat_get", &[FOLDER, 0, NAME, 4, END - 63], FAULT),
    ("path_filestat_get", &[FOLDER, 0, FAR, 4, ROOM], FAULT),
    ("path_filestat_set_times", &[FOLDER, 0, FAR, 4, 0, 0, 0], FAULT),
    ("path_link", &[FOLDER, 0, FAR, 4, FOLDER, NAME, 4], FAULT),
    ("path_link", &[FOLDER, 0, NAME, 4, FOLDER, END, 1], FAULT),
    ("path_open", &[FOLDER, 0, END - 1, 4, 0, 2, 0, 0, ROOM], FAULT),
    ("path_open", &[FOLDER, 0, NAME, 4, 0, 2, 0, 0, END - 3], FAULT),
    ("path_open", &[FOLDER, 0, NAME, FAR, 0, 2, 0, 0, ROOM], TOO_LONG),
    ("path_readlink", &[FOLDER, FAR, 4, ROOM, 64, ROOM], FAULT),
    ("path_readlink", &[FOLDER, NAME, 4, ROOM, FAR, ROOM], FAULT),
    ("path_remove_directory", &[FOLDER, FAR, 1], FAULT),
    ("path_rename", &[FOLDER, NAME, 4, FOLDER, FAR, 4], FAULT),
    ("path_rename", &[FOLDER, FAR, 4, FOLDER, NAME, 4], FAULT),
    ("path_symlink", &[FAR, 4, FOLDER, NAME, 4], FAULT),
    ("path_symlink", &[NAME, 4, FOLDER, END - 3, 4], FAULT),
    ("path_unlink_file", &[FOLDER, FAR, 4], FAULT),
    ("poll_oneoff", &[FAR, ROOM, 1, ROOM], FAULT),
    ("poll_oneoff", &[ROOM, END - 31, 1, ROOM], FAULT),
    ("poll_oneoff", &[ROOM, ROOM, FAR, ROOM], INVAL),
    ("poll_oneoff", &[ROOM, ROOM, 1, FAR], FAULT),
    ("random_get", &[ROOM, FAR], FAULT),
    ("random_get", &[END - 3, 4], FAULT),
];

/// A program that makes every call and ends with the number of the first that came to something else.
fn hostile(folder: u32, file: u32) -> String {
    let rows: Vec<_> = vivarium_abi::imports().into_iter().filter(|(module, ..)| *module == "wasi_snapshot_preview1").collect();
    let mut imports = String::new();
    for (module, name, ty) in &rows {
        let types = |types: &[vivarium_artifact::ValueType]| types.iter().map(|ty| format!("{ty:?} ").to_lowercase()).collect::<String>();
        let (parameters, results) = (types(&ty.parameters), types(&ty.results));
        imports += &format!("(import \"{module}\" \"{name}\" (func ${name} (param {parameters}) (result {results})))\n");
    }
    let imports = imports.replace("(result ))", ")");
    let call = |name: &str, arguments: &[i64]| {
        let (.., ty) = rows.iter().find(|(_, row, _)| *row == name).unwrap();
        let arguments = ty.parameters.iter().zip(arguments).map(|(ty, argument)| {
            let argument = match *argument {
                FOLDER => i64::from(folder),
                FILE => i64::from(file),
                other => other,
            };
            format!("({}.const {argument})", format!("{ty:?}").to_lowercase())
        });
        format!("(call ${name} {})", arguments.collect::<Vec<_>>().join(" "))
    };
    let end = |number: usize, found: &str, expected: u32| {
        format!("(if (i32.ne {found} (i32.const {expected})) (then (call $proc_exit (i32.const {number}))))\n")
    };
    let mut body = end(1, &call("path_open", &[FOLDER, 0, NAME, 4, 1, 0x0FFF_FFFF, 0, 0, ROOM]), 0);
    for (number, (name, arguments, errno)) in CALLS.iter().enumerate() {
        body += &end(number + 2, &call(name, arguments), *errno);
    }
    body += &end(200, &call("path_unlink_file", &[FOLDER, NAME, 4]), 0);
    let memory = "(memory (export \"memory\") 1)
        (data (i32.const 0) \"\\ff\\ff\\00\\00\\02\\00\\00\\00\\00\\00\\00\\00\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\02\\00\\00\\00\\00\\04\\00\\00\\04\\00\\00\\00\")
        (data (i32.const 100) \"file\")";
    format!("(module {imports} {memory} (func (export \"_start\") {body}))")
}

#[test]
fn pointers_that_lie_outside_are_told_by_every_function_that_takes_one() {
    for (over, folder) in [(Over::Memory, 4), (Over::Folder, 3)] {
        let text = hostile(folder, 5);
        let output = run("hostile.wat", &[("hostile.wat", &text)], over, &[]);
        let number = output.status.code().unwrap_or(-1);
        let call = usize::try_from(number - 2).ok().and_then(|at| CALLS.get(at));
        assert_eq!(number, 0, "{over:?}: {call:?} {}", String::from_utf8_lossy(&output.stderr));
    }
    let named = |name: &str| CALLS.iter().any(|(called, ..)| *called == name);
    let without_pointers = ["fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_set_flags", "fd_fdstat_set_rights"];
    let more = ["fd_filestat_set_size", "fd_filestat_set_times", "fd_renumber", "fd_sync", "proc_exit", "proc_raise", "sched_yield"];
    for row in vivarium_abi::table().iter().filter(|row| row.module == "wasi_snapshot_preview1" && !row.name.starts_with("sock_")) {
        assert!(
            named(row.name) || without_pointers.contains(&row.name) || more.contains(&row.name),
            "{} has no bad pointer here",
            row.name
        );
    }
}
