// What the guests of this folder check with: each prints what is not as the specification says, and ends with the number of such lines.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

static int failures;

static void check(long long expected, long long found, const char *what, int line) {
    if (found == expected) return;
    failures++;
    printf("line %d: %s is %lld, not %lld\n", line, what, found, expected);
}

#define CHECK(expected, call) check(expected, call, #call, __LINE__)

#define READ __WASI_RIGHTS_FD_READ
#define WRITE __WASI_RIGHTS_FD_WRITE
#define ALL ((__wasi_rights_t)0x1fffffff)
#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW
/// A descriptor that nobody opened.
#define CLOSED 77

/// The descriptor of the folder that was given as this path; -1 when none was.
static int given(const char *path) {
    __wasi_prestat_t prestat;
    for (int fd = 3; __wasi_fd_prestat_get(fd, &prestat) == 0; fd++) {
        char name[64] = "";
        if (prestat.u.dir.pr_name_len < sizeof name && __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, prestat.u.dir.pr_name_len) == 0 &&
            strcmp(name, path) == 0)
            return fd;
    }
    return -1;
}

/// Opens a path that must open.
static int opened(int folder, const char *path, __wasi_oflags_t oflags, __wasi_rights_t rights) {
    __wasi_fd_t fd = CLOSED;
    CHECK(0, __wasi_path_open(folder, FOLLOW, path, oflags, rights, rights, 0, &fd));
    return fd;
}

/// Opens a folder, which nobody writes to itself, to do anything in it.
static int opened_folder(int folder, const char *path) {
    __wasi_fd_t fd = CLOSED;
    CHECK(0, __wasi_path_open(folder, FOLLOW, path, __WASI_OFLAGS_DIRECTORY, ALL & ~WRITE, ALL, 0, &fd));
    return fd;
}

/// Makes a file with this content.
static void make(int folder, const char *path, const char *content) {
    int fd = opened(folder, path, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_TRUNC, ALL);
    __wasi_ciovec_t part = {(const uint8_t *)content, strlen(content)};
    __wasi_size_t written = 0;
    CHECK(0, __wasi_fd_write(fd, &part, 1, &written));
    CHECK(strlen(content), written);
    CHECK(0, __wasi_fd_close(fd));
}

static __wasi_filestat_t stat_of(int folder, const char *path) {
    __wasi_filestat_t filestat = {0};
    CHECK(0, __wasi_path_filestat_get(folder, 0, path, &filestat));
    return filestat;
}
