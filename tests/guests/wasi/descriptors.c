// Closing, renumbering, flags, rights, and what bad descriptors answer.
#include "check.h"

static void bad_descriptors(void) {
    const __wasi_fd_t bad[] = {CLOSED, 1024, 0x7fffffff, 0xffffffff};
    uint8_t bytes[64];
    __wasi_iovec_t in = {bytes, 4};
    __wasi_ciovec_t out = {bytes, 4};
    __wasi_size_t size;
    __wasi_filesize_t offset;
    __wasi_fd_t opened;
    __wasi_fdstat_t fdstat;
    __wasi_filestat_t filestat;
    __wasi_prestat_t prestat;
    for (int n = 0; n < 4; n++) {
        const __wasi_fd_t fd = bad[n];
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_NORMAL));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_allocate(fd, 0, 1));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_close(fd));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_datasync(fd));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_fdstat_get(fd, &fdstat));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_fdstat_set_flags(fd, 0));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_fdstat_set_rights(fd, 0, 0));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_filestat_get(fd, &filestat));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_filestat_set_size(fd, 0));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_filestat_set_times(fd, 0, 0, 0));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_pread(fd, &in, 1, 0, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_prestat_get(fd, &prestat));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_prestat_dir_name(fd, bytes, 4));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_pwrite(fd, &out, 1, 0, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_read(fd, &in, 1, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_readdir(fd, bytes, 4, 0, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_renumber(fd, 1));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_renumber(1, fd));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &offset));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_sync(fd));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_tell(fd, &offset));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_write(fd, &out, 1, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_create_directory(fd, "a"));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_filestat_get(fd, 0, "a", &filestat));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_filestat_set_times(fd, 0, "a", 0, 0, 0));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_link(fd, 0, "a", fd, "b"));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_open(fd, 0, "a", 0, 0, 0, 0, &opened));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_readlink(fd, "a", bytes, 4, &size));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_remove_directory(fd, "a"));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_rename(fd, "a", fd, "b"));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_symlink("a", fd, "b"));
        CHECK(__WASI_ERRNO_BADF, __wasi_path_unlink_file(fd, "a"));
        CHECK(__WASI_ERRNO_BADF, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD));
    }
}

static void what_is_no_folder(int tmp) {
    make(tmp, "file", "x");
    const int file = opened(tmp, "file", 0, ALL);
    uint8_t bytes[16];
    __wasi_size_t size;
    __wasi_fd_t fd;
    __wasi_prestat_t prestat;
    const int kinds[] = {file, 1};
    for (int n = 0; n < 2; n++) {
        CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_open(kinds[n], 0, "a", 0, 0, 0, 0, &fd));
        CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_create_directory(kinds[n], "a"));
        CHECK(__WASI_ERRNO_NOTDIR, __wasi_fd_readdir(kinds[n], bytes, 16, 0, &size));
        CHECK(__WASI_ERRNO_NOTDIR, __wasi_path_rename(tmp, "file", kinds[n], "b"));
        CHECK(__WASI_ERRNO_BADF, __wasi_fd_prestat_get(kinds[n], &prestat));
        CHECK(__WASI_ERRNO_NOTSOCK, __wasi_sock_shutdown(kinds[n], __WASI_SDFLAGS_WR));
    }
    CHECK(0, __wasi_fd_close(file));
    CHECK(0, __wasi_path_unlink_file(tmp, "file"));
}

static void closing_and_renumbering(int tmp) {
    const int one = opened(tmp, "one", __WASI_OFLAGS_CREAT, ALL), two = opened(tmp, "two", __WASI_OFLAGS_CREAT, ALL);
    __wasi_ciovec_t part = {(const uint8_t *)"abc", 3};
    __wasi_size_t written;
    __wasi_filesize_t position = 9;
    CHECK(0, __wasi_fd_write(one, &part, 1, &written));
    CHECK(0, __wasi_fd_renumber(one, two));
    CHECK(__WASI_ERRNO_BADF, __wasi_fd_tell(one, &position));
    CHECK(0, __wasi_fd_tell(two, &position));
    CHECK(3, position);
    CHECK(0, __wasi_fd_renumber(two, two));
    CHECK(one, opened(tmp, "one", 0, ALL));
    CHECK(0, __wasi_fd_close(one));
    CHECK(0, __wasi_fd_close(two));
    CHECK(__WASI_ERRNO_BADF, __wasi_fd_close(two));
    CHECK(3, stat_of(tmp, "one").size);
    CHECK(0, stat_of(tmp, "two").size);
    CHECK(0, __wasi_path_unlink_file(tmp, "one"));
    CHECK(0, __wasi_path_unlink_file(tmp, "two"));
}

static void flags_and_rights(int tmp) {
    const int fd = opened(tmp, "flagged", __WASI_OFLAGS_CREAT, ALL);
    __wasi_fdstat_t fdstat;
    CHECK(0, __wasi_fd_fdstat_get(fd, &fdstat));
    CHECK(__WASI_FILETYPE_REGULAR_FILE, fdstat.fs_filetype);
    CHECK(0, fdstat.fs_flags);
    CHECK(READ | WRITE, fdstat.fs_rights_base & (READ | WRITE));
    CHECK(0, __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND));
    CHECK(0, __wasi_fd_fdstat_get(fd, &fdstat));
    CHECK(__WASI_FDFLAGS_APPEND, fdstat.fs_flags);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_fdstat_set_flags(fd, 1 << 5));
    CHECK(0, __wasi_fd_fdstat_set_rights(fd, READ, 0));
    CHECK(__WASI_ERRNO_NOTCAPABLE, __wasi_fd_fdstat_set_rights(fd, READ | WRITE, 0));
    CHECK(__WASI_ERRNO_NOTCAPABLE, __wasi_fd_fdstat_set_rights(fd, READ, READ));
    __wasi_ciovec_t part = {(const uint8_t *)"abc", 3};
    __wasi_size_t written;
    CHECK(__WASI_ERRNO_NOTCAPABLE, __wasi_fd_write(fd, &part, 1, &written));
    CHECK(0, __wasi_fd_close(fd));
    // What is opened through a descriptor has no right that the descriptor does not hand on.
    const int folder = opened(tmp, ".", __WASI_OFLAGS_DIRECTORY, ALL & ~WRITE);
    const int less = opened(folder, "flagged", 0, READ);
    CHECK(0, __wasi_fd_fdstat_get(less, &fdstat));
    CHECK(READ, fdstat.fs_rights_base);
    CHECK(0, __wasi_fd_close(less));
    CHECK(0, __wasi_fd_close(folder));
    CHECK(0, __wasi_path_unlink_file(tmp, "flagged"));
}

static void streams(void) {
    __wasi_fdstat_t fdstat;
    __wasi_filesize_t offset;
    for (int fd = 0; fd < 3; fd++) {
        CHECK(0, __wasi_fd_fdstat_get(fd, &fdstat));
        CHECK(fd == 0 ? READ : WRITE, fdstat.fs_rights_base & (READ | WRITE));
        CHECK(__WASI_ERRNO_SPIPE, __wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &offset));
        CHECK(__WASI_ERRNO_SPIPE, __wasi_fd_tell(fd, &offset));
        CHECK(__WASI_ERRNO_NOTSOCK, __wasi_sock_shutdown(fd, __WASI_SDFLAGS_RD));
    }
}

int main(void) {
    const int tmp = given("/tmp");
    bad_descriptors();
    what_is_no_folder(tmp);
    closing_and_renumbering(tmp);
    flags_and_rights(tmp);
    streams();
    return failures;
}
