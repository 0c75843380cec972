// Opening, making, removing, renaming and linking by path, and paths that lead out.
#include "check.h"

static __wasi_fd_t fd;
static uint8_t bytes[4200];
static __wasi_size_t count;

static void opening(int tmp) {
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_open(tmp, 0, "file", 0, ALL, ALL, 0, &fd));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_open(tmp, 0, "", 0, ALL, ALL, 0, &fd));
    make(tmp, "file", "text");
    CHECK(__WASI_ERRNO_EXIST, __wasi_path_open(tmp, 0, "file", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, ALL, ALL, 0, &fd));
    CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_open(tmp, 0, "file", __WASI_OFLAGS_DIRECTORY, 0, 0, 0, &fd));
    CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_open(tmp, 0, "file/", 0, READ, 0, 0, &fd));
    CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_open(tmp, 0, "file/below", 0, READ, 0, 0, &fd));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_open(tmp, 0, "new", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_DIRECTORY, READ, 0, 0, &fd));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_open(tmp, 0, "file", 1 << 4, READ, 0, 0, &fd));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_open(tmp, 0, "file", 0, READ, 0, 1 << 5, &fd));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_open(tmp, 2, "file", 0, READ, 0, 0, &fd));
    CHECK(0, __wasi_path_create_directory(tmp, "folder"));
    CHECK(__WASI_ERRNO_ISDIR, __wasi_path_open(tmp, 0, "folder", 0, READ | WRITE, 0, 0, &fd));
    CHECK(__WASI_ERRNO_ISDIR, __wasi_path_open(tmp, 0, "folder", __WASI_OFLAGS_DIRECTORY, READ | WRITE, 0, 0, &fd));
    CHECK(0, __wasi_fd_close(opened(tmp, "folder/", 0, READ)));
    CHECK(0, __wasi_fd_close(opened(tmp, "./folder//../file", 0, READ)));
    CHECK(0, __wasi_path_remove_directory(tmp, "folder"));
    CHECK(0, __wasi_path_unlink_file(tmp, "file"));
}

static void names(int tmp) {
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    make(tmp, name, "");
    CHECK(0, __wasi_path_unlink_file(tmp, name));
    name[255] = 'n', name[256] = 0;
    CHECK(__WASI_ERRNO_NAMETOOLONG, __wasi_path_create_directory(tmp, name));
    char path[4200];
    memset(path, '/', sizeof path);
    path[0] = '.', path[4199] = 0;
    CHECK(__WASI_ERRNO_NAMETOOLONG, __wasi_path_create_directory(tmp, path));
    CHECK(__WASI_ERRNO_ILSEQ, __wasi_path_create_directory(tmp, "\xff"));
    CHECK(0, __wasi_path_create_directory(tmp, "\xc3\xa4"));
    CHECK(0, __wasi_path_remove_directory(tmp, "\xc3\xa4"));
}

static void making_and_removing(int tmp) {
    CHECK(0, __wasi_path_create_directory(tmp, "a"));
    CHECK(__WASI_ERRNO_EXIST, __wasi_path_create_directory(tmp, "a"));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_create_directory(tmp, "b/c"));
    CHECK(__WASI_ERRNO_ISDIR, __wasi_path_unlink_file(tmp, "a"));
    make(tmp, "a/file", "");
    CHECK(__WASI_ERRNO_NOTEMPTY, __wasi_path_remove_directory(tmp, "a"));
    CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_remove_directory(tmp, "a/file"));
    // A file that is open lives on without its name.
    const int open = opened(tmp, "a/file", 0, ALL);
    CHECK(0, __wasi_path_unlink_file(tmp, "a/file"));
    __wasi_ciovec_t part = {(const uint8_t *)"x", 1};
    CHECK(0, __wasi_fd_write(open, &part, 1, &count));
    __wasi_filestat_t filestat;
    CHECK(0, __wasi_fd_filestat_get(open, &filestat));
    CHECK(0, filestat.nlink);
    CHECK(1, filestat.size);
    CHECK(0, __wasi_fd_close(open));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_unlink_file(tmp, "a/file"));
    CHECK(0, __wasi_path_remove_directory(tmp, "a"));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_remove_directory(tmp, "a"));
}

static void renaming(int tmp) {
    make(tmp, "one", "one");
    make(tmp, "two", "second");
    CHECK(0, __wasi_path_create_directory(tmp, "a"));
    CHECK(0, __wasi_path_create_directory(tmp, "a/b"));
    CHECK(0, __wasi_path_rename(tmp, "one", tmp, "two"));
    CHECK(3, stat_of(tmp, "two").size);
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_rename(tmp, "one", tmp, "three"));
    CHECK(0, __wasi_path_rename(tmp, "two", tmp, "two"));
    CHECK(__WASI_ERRNO_ISDIR, __wasi_path_rename(tmp, "two", tmp, "a"));
    CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_rename(tmp, "a", tmp, "two"));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_rename(tmp, "a", tmp, "a/b/c"));
    const int folder = opened_folder(tmp, "a");
    CHECK(0, __wasi_path_rename(tmp, "two", folder, "moved"));
    CHECK(3, stat_of(tmp, "a/moved").size);
    CHECK(__WASI_ERRNO_NOTEMPTY, __wasi_path_rename(tmp, "a/b", tmp, "a"));
    CHECK(0, __wasi_path_unlink_file(folder, "moved"));
    CHECK(0, __wasi_fd_close(folder));
    CHECK(0, __wasi_path_remove_directory(tmp, "a/b"));
    CHECK(0, __wasi_path_remove_directory(tmp, "a"));
}

static void linking(int tmp) {
    make(tmp, "file", "text");
    CHECK(0, __wasi_path_link(tmp, 0, "file", tmp, "hard"));
    CHECK(2, stat_of(tmp, "file").nlink);
    CHECK(stat_of(tmp, "file").ino, stat_of(tmp, "hard").ino);
    CHECK(__WASI_ERRNO_EXIST, __wasi_path_link(tmp, 0, "file", tmp, "hard"));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_link(tmp, 0, "nothing", tmp, "other"));
    CHECK(0, __wasi_path_unlink_file(tmp, "hard"));
    CHECK(0, __wasi_path_symlink("file", tmp, "soft"));
    CHECK(__WASI_ERRNO_EXIST, __wasi_path_symlink("file", tmp, "soft"));
    CHECK(__WASI_FILETYPE_SYMBOLIC_LINK, stat_of(tmp, "soft").filetype);
    CHECK(0, __wasi_path_readlink(tmp, "soft", bytes, sizeof bytes, &count));
    CHECK(4, count);
    CHECK(0, __wasi_path_readlink(tmp, "soft", bytes, 2, &count));
    CHECK(2, count);
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_readlink(tmp, "file", bytes, sizeof bytes, &count));
    CHECK(__WASI_ERRNO_LOOP, __wasi_path_open(tmp, 0, "soft", 0, READ, 0, 0, &fd));
    CHECK(0, __wasi_fd_close(opened(tmp, "soft", 0, READ)));
    CHECK(0, __wasi_path_link(tmp, FOLLOW, "soft", tmp, "hard"));
    CHECK(2, stat_of(tmp, "file").nlink);
    CHECK(0, __wasi_path_symlink("loop", tmp, "loop"));
    CHECK(__WASI_ERRNO_LOOP, __wasi_path_open(tmp, FOLLOW, "loop", 0, READ, 0, 0, &fd));
    CHECK(__WASI_ERRNO_NOENT, __wasi_path_symlink("", tmp, "empty"));
    const char *names[] = {"loop", "hard", "soft", "file"};
    for (int n = 0; n < 4; n++) CHECK(0, __wasi_path_unlink_file(tmp, names[n]));
}

/// Refused, whichever of two ways a host has to say so.
static void refused(int errno_found, const char *path, int line) {
    if (errno_found == __WASI_ERRNO_PERM || errno_found == __WASI_ERRNO_NOTCAPABLE) return;
    failures++;
    printf("line %d: %s is answered with %d\n", line, path, errno_found);
}
#define REFUSED(path, call) refused(call, path, __LINE__)

static void leading_out(int tmp) {
    CHECK(0, __wasi_path_create_directory(tmp, "a"));
    CHECK(0, __wasi_path_symlink("../..", tmp, "a/out"));
    CHECK(0, __wasi_path_symlink("../a/out", tmp, "a/further"));
    make(tmp, "file", "");
    const char *out[] = {"..", "../x", "/", "/tmp/file", "a/../../x", "a/out/x", "a/further/x", "./..", "a/out/../tmp/file"};
    __wasi_filestat_t filestat;
    for (unsigned n = 0; n < sizeof out / sizeof *out; n++) {
        const char *path = out[n];
        REFUSED(path, __wasi_path_open(tmp, FOLLOW, path, 0, READ, 0, 0, &fd));
        REFUSED(path, __wasi_path_filestat_get(tmp, FOLLOW, path, &filestat));
        REFUSED(path, __wasi_path_rename(tmp, "file", tmp, path));
        REFUSED(path, __wasi_path_link(tmp, 0, "file", tmp, path));
        REFUSED(path, __wasi_path_symlink("file", tmp, path));
        REFUSED(path, __wasi_path_create_directory(tmp, path));
        REFUSED(path, __wasi_path_remove_directory(tmp, path));
        REFUSED(path, __wasi_path_unlink_file(tmp, path));
        REFUSED(path, __wasi_path_readlink(tmp, path, bytes, sizeof bytes, &count));
        REFUSED(path, __wasi_path_filestat_set_times(tmp, FOLLOW, path, 0, 0, 0));
    }
    REFUSED("absolute", __wasi_path_symlink("/etc/passwd", tmp, "absolute"));
    // A folder that was opened is as far as its own paths lead.
    const int a = opened_folder(tmp, "a");
    REFUSED("../file", __wasi_path_open(a, 0, "../file", 0, READ, 0, 0, &fd));
    CHECK(0, __wasi_fd_close(a));
    CHECK(0, __wasi_path_unlink_file(tmp, "a/out"));
    CHECK(0, __wasi_path_unlink_file(tmp, "a/further"));
    CHECK(0, __wasi_path_unlink_file(tmp, "file"));
    CHECK(0, __wasi_path_remove_directory(tmp, "a"));
}

int main(void) {
    const int tmp = given("/tmp");
    opening(tmp);
    names(tmp);
    making_and_removing(tmp);
    renaming(tmp);
    linking(tmp);
    leading_out(tmp);
    return failures;
}
