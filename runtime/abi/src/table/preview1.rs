//! The functions of WASI preview 1, all 46 of them (the specification's `wasi_snapshot_preview1.witx`), in its order.

use vivarium_artifact::contract::ValueType::{self, I32, I64};

use super::{Handling, Row};
use crate::wasi::{Errno, Function, arguments, clock, file, folder, path, poll, process, random, stat, transfer};

const MODULE: &str = "wasi_snapshot_preview1";
const ERRNO: &[ValueType] = &[I32];

const fn row(name: &'static str, parameters: &'static [ValueType], function: Function) -> Row {
    Row { module: MODULE, name, parameters, results: ERRNO, handling: Handling::Preview1(function) }
}

const fn stub(name: &'static str, parameters: &'static [ValueType]) -> Row {
    Row { module: MODULE, name, parameters, results: ERRNO, handling: Handling::Stub(Errno::Notsup as u64) }
}

pub(super) const ROWS: &[Row] = &[
    row("args_get", &[I32, I32], arguments::args_get),
    row("args_sizes_get", &[I32, I32], arguments::args_sizes_get),
    row("environ_get", &[I32, I32], arguments::environ_get),
    row("environ_sizes_get", &[I32, I32], arguments::environ_sizes_get),
    row("clock_res_get", &[I32, I32], clock::clock_res_get),
    row("clock_time_get", &[I32, I64, I32], clock::clock_time_get),
    row("fd_advise", &[I32, I64, I64, I32], file::fd_advise),
    row("fd_allocate", &[I32, I64, I64], file::fd_allocate),
    row("fd_close", &[I32], file::fd_close),
    row("fd_datasync", &[I32], file::fd_datasync),
    row("fd_fdstat_get", &[I32, I32], stat::fd_fdstat_get),
    row("fd_fdstat_set_flags", &[I32, I32], stat::fd_fdstat_set_flags),
    row("fd_fdstat_set_rights", &[I32, I64, I64], stat::fd_fdstat_set_rights),
    row("fd_filestat_get", &[I32, I32], stat::fd_filestat_get),
    row("fd_filestat_set_size", &[I32, I64], file::fd_filestat_set_size),
    row("fd_filestat_set_times", &[I32, I64, I64, I32], stat::fd_filestat_set_times),
    row("fd_pread", &[I32, I32, I32, I64, I32], transfer::fd_pread),
    row("fd_prestat_get", &[I32, I32], path::fd_prestat_get),
    row("fd_prestat_dir_name", &[I32, I32, I32], path::fd_prestat_dir_name),
    row("fd_pwrite", &[I32, I32, I32, I64, I32], transfer::fd_pwrite),
    row("fd_read", &[I32, I32, I32, I32], transfer::fd_read),
    row("fd_readdir", &[I32, I32, I32, I64, I32], folder::fd_readdir),
    row("fd_renumber", &[I32, I32], file::fd_renumber),
    row("fd_seek", &[I32, I64, I32, I32], file::fd_seek),
    row("fd_sync", &[I32], file::fd_sync),
    row("fd_tell", &[I32, I32], file::fd_tell),
    row("fd_write", &[I32, I32, I32, I32], transfer::fd_write),
    row("path_create_directory", &[I32, I32, I32], path::path_create_directory),
    row("path_filestat_get", &[I32, I32, I32, I32, I32], path::path_filestat_get),
    row("path_filestat_set_times", &[I32, I32, I32, I32, I64, I64, I32], path::path_filestat_set_times),
    row("path_link", &[I32, I32, I32, I32, I32, I32, I32], path::path_link),
    row("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32], path::path_open),
    row("path_readlink", &[I32, I32, I32, I32, I32, I32], path::path_readlink),
    row("path_remove_directory", &[I32, I32, I32], path::path_remove_directory),
    row("path_rename", &[I32, I32, I32, I32, I32, I32], path::path_rename),
    row("path_symlink", &[I32, I32, I32, I32, I32], path::path_symlink),
    row("path_unlink_file", &[I32, I32, I32], path::path_unlink_file),
    row("poll_oneoff", &[I32, I32, I32, I32], poll::poll_oneoff),
    Row { results: &[], ..row("proc_exit", &[I32], process::proc_exit) },
    row("proc_raise", &[I32], process::proc_raise),
    row("sched_yield", &[], process::sched_yield),
    row("random_get", &[I32, I32], random::random_get),
    stub("sock_accept", &[I32, I32, I32]),
    stub("sock_recv", &[I32, I32, I32, I32, I32, I32]),
    stub("sock_send", &[I32, I32, I32, I32, I32]),
    row("sock_shutdown", &[I32, I32], file::no_socket),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The signatures as the specification writes them: types of parameters, then of results. A `list` is a pointer and a length,
    /// a result is a pointer to write to, 64-bit integers are i64, and everything else is i32.
    const SPECIFICATION: &str = "
        args_get: pointer pointer ->
        args_sizes_get: -> size size
        environ_get: pointer pointer ->
        environ_sizes_get: -> size size
        clock_res_get: clockid -> timestamp
        clock_time_get: clockid timestamp -> timestamp
        fd_advise: fd filesize filesize advice ->
        fd_allocate: fd filesize filesize ->
        fd_close: fd ->
        fd_datasync: fd ->
        fd_fdstat_get: fd -> fdstat
        fd_fdstat_set_flags: fd fdflags ->
        fd_fdstat_set_rights: fd rights rights ->
        fd_filestat_get: fd -> filestat
        fd_filestat_set_size: fd filesize ->
        fd_filestat_set_times: fd timestamp timestamp fstflags ->
        fd_pread: fd list filesize -> size
        fd_prestat_get: fd -> prestat
        fd_prestat_dir_name: fd pointer size ->
        fd_pwrite: fd list filesize -> size
        fd_read: fd list -> size
        fd_readdir: fd pointer size dircookie -> size
        fd_renumber: fd fd ->
        fd_seek: fd filedelta whence -> filesize
        fd_sync: fd ->
        fd_tell: fd -> filesize
        fd_write: fd list -> size
        path_create_directory: fd list ->
        path_filestat_get: fd lookupflags list -> filestat
        path_filestat_set_times: fd lookupflags list timestamp timestamp fstflags ->
        path_link: fd lookupflags list fd list ->
        path_open: fd lookupflags list oflags rights rights fdflags -> fd
        path_readlink: fd list pointer size -> size
        path_remove_directory: fd list ->
        path_rename: fd list fd list ->
        path_symlink: list fd list ->
        path_unlink_file: fd list ->
        poll_oneoff: pointer pointer size -> size
        proc_exit: exitcode -> never
        proc_raise: signal ->
        sched_yield: ->
        random_get: pointer size ->
        sock_accept: fd fdflags -> fd
        sock_recv: fd list riflags -> size roflags
        sock_send: fd list siflags -> size
        sock_shutdown: fd sdflags ->";

    fn core_types(parameters: &str, results: &str) -> (Vec<ValueType>, Vec<ValueType>) {
        let mut types: Vec<ValueType> = Vec::new();
        for parameter in parameters.split_whitespace() {
            match parameter {
                "filesize" | "filedelta" | "timestamp" | "rights" | "dircookie" => types.push(I64),
                "list" => types.extend([I32, I32]),
                _ => types.push(I32),
            }
        }
        if results.trim() == "never" {
            return (types, vec![]);
        }
        types.extend(results.split_whitespace().map(|_| I32));
        (types, vec![I32])
    }

    #[test]
    fn the_table_is_the_specification() {
        let lines: Vec<&str> = SPECIFICATION.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 46);
        assert_eq!(ROWS.len(), 46);
        for (line, row) in lines.iter().zip(ROWS) {
            let (name, signature) = line.split_once(':').unwrap();
            let (parameters, results) = signature.split_once("->").unwrap();
            let (parameters, results) = core_types(parameters, results);
            assert_eq!(row.name, name);
            assert_eq!((row.parameters, row.results), (&parameters[..], &results[..]), "{name}");
        }
    }

    #[test]
    fn only_sockets_are_not_there() {
        let stubs: Vec<&str> = ROWS.iter().filter(|row| row.stub_answer() == Some(58)).map(|row| row.name).collect();
        assert_eq!(stubs, ["sock_accept", "sock_recv", "sock_send"]);
        assert!(ROWS.iter().all(|row| row.implemented() || stubs.contains(&row.name)));
    }
}
