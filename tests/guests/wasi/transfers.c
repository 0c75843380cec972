// Reading, writing, positions, sizes and times of files.
#include "check.h"

static __wasi_size_t count;
static __wasi_filesize_t position;

static void parts_in_order(int tmp) {
    const int fd = opened(tmp, "parts", __WASI_OFLAGS_CREAT, ALL);
    __wasi_ciovec_t out[] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"", 0}, {(const uint8_t *)" two", 4}};
    CHECK(0, __wasi_fd_write(fd, out, 3, &count));
    CHECK(7, count);
    CHECK(0, __wasi_fd_write(fd, out, 0, &count));
    CHECK(0, count);
    CHECK(0, __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &position));
    char first[2], rest[16] = "";
    __wasi_iovec_t in[] = {{(uint8_t *)first, 2}, {(uint8_t *)rest, 16}};
    CHECK(0, __wasi_fd_read(fd, in, 2, &count));
    CHECK(7, count);
    CHECK(0, memcmp(first, "on", 2) | memcmp(rest, "e two", 6));
    CHECK(0, __wasi_fd_read(fd, in, 2, &count));
    CHECK(0, count);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_read(fd, in, 1025, &count));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_write(fd, out, 1025, &count));
    CHECK(0, __wasi_fd_close(fd));
}

static void offsets_leave_the_position(int tmp) {
    const int fd = opened(tmp, "parts", 0, ALL);
    char bytes[8] = "";
    __wasi_iovec_t in = {(uint8_t *)bytes, 3};
    __wasi_ciovec_t out = {(const uint8_t *)"TWO", 3};
    CHECK(0, __wasi_fd_pread(fd, &in, 1, 4, &count));
    CHECK(0, memcmp(bytes, "two", 3));
    CHECK(0, __wasi_fd_pwrite(fd, &out, 1, 4, &count));
    CHECK(0, __wasi_fd_pread(fd, &in, 1, 6, &count));
    CHECK(1, count);
    CHECK(0, __wasi_fd_pread(fd, &in, 1, 1000, &count));
    CHECK(0, count);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_pread(fd, &in, 1, UINT64_MAX, &count));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_pwrite(fd, &out, 1, UINT64_MAX, &count));
    CHECK(0, __wasi_fd_tell(fd, &position));
    CHECK(0, position);
    CHECK(0, __wasi_fd_close(fd));
}

static void seeking(int tmp) {
    const int fd = opened(tmp, "parts", 0, ALL);
    CHECK(0, __wasi_fd_seek(fd, -2, __WASI_WHENCE_END, &position));
    CHECK(5, position);
    CHECK(0, __wasi_fd_seek(fd, 1, __WASI_WHENCE_CUR, &position));
    CHECK(6, position);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_seek(fd, -1, __WASI_WHENCE_SET, &position));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_seek(fd, INT64_MIN, __WASI_WHENCE_CUR, &position));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_seek(fd, INT64_MAX, __WASI_WHENCE_END, &position));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_seek(fd, 0, 3, &position));
    CHECK(0, __wasi_fd_tell(fd, &position));
    CHECK(6, position);
    // What is written past the end leaves a gap of zeros.
    CHECK(0, __wasi_fd_seek(fd, 10, __WASI_WHENCE_SET, &position));
    __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
    CHECK(0, __wasi_fd_write(fd, &out, 1, &count));
    char bytes[4] = "abcd";
    __wasi_iovec_t in = {(uint8_t *)bytes, 4};
    CHECK(0, __wasi_fd_pread(fd, &in, 1, 7, &count));
    CHECK(0, memcmp(bytes, "\0\0\0x", 4));
    CHECK(0, __wasi_fd_close(fd));
}

static void sizes(int tmp) {
    const int fd = opened(tmp, "parts", 0, ALL);
    __wasi_filestat_t filestat;
    CHECK(0, __wasi_fd_filestat_set_size(fd, 3));
    CHECK(0, __wasi_fd_filestat_get(fd, &filestat));
    CHECK(3, filestat.size);
    CHECK(__WASI_FILETYPE_REGULAR_FILE, filestat.filetype);
    CHECK(1, filestat.nlink);
    CHECK(0, __wasi_fd_allocate(fd, 10, 10));
    CHECK(0, __wasi_fd_filestat_get(fd, &filestat));
    CHECK(20, filestat.size);
    CHECK(0, __wasi_fd_allocate(fd, 0, 5));
    CHECK(20, stat_of(tmp, "parts").size);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_allocate(fd, 0, 0));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_allocate(fd, UINT64_MAX, 2));
    CHECK(0, __wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_WILLNEED));
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_advise(fd, 0, 0, 6));
    CHECK(0, __wasi_fd_sync(fd));
    CHECK(0, __wasi_fd_datasync(fd));
    CHECK(0, __wasi_fd_close(fd));
    const int emptied = opened(tmp, "parts", __WASI_OFLAGS_TRUNC, WRITE);
    CHECK(0, stat_of(tmp, "parts").size);
    CHECK(0, __wasi_fd_close(emptied));
    const int reading = opened(tmp, "parts", 0, READ);
    CHECK(__WASI_ERRNO_NOTCAPABLE, __wasi_fd_filestat_set_size(reading, 1));
    CHECK(__WASI_ERRNO_NOTCAPABLE, __wasi_fd_allocate(reading, 0, 1));
    CHECK(0, __wasi_fd_close(reading));
}

static void appending(int tmp) {
    __wasi_fd_t fd;
    CHECK(0, __wasi_path_open(tmp, 0, "appended", __WASI_OFLAGS_CREAT, ALL, 0, __WASI_FDFLAGS_APPEND, &fd));
    __wasi_ciovec_t out = {(const uint8_t *)"abc", 3};
    CHECK(0, __wasi_fd_write(fd, &out, 1, &count));
    CHECK(0, __wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, &position));
    CHECK(0, __wasi_fd_write(fd, &out, 1, &count));
    CHECK(0, __wasi_fd_tell(fd, &position));
    CHECK(6, position);
    CHECK(6, stat_of(tmp, "appended").size);
    CHECK(0, __wasi_fd_close(fd));
    CHECK(0, __wasi_path_unlink_file(tmp, "appended"));
}

static void times(int tmp) {
    const int fd = opened(tmp, "parts", 0, ALL);
    __wasi_filestat_t filestat;
    CHECK(0, __wasi_fd_filestat_set_times(fd, 1000000000, 2000000000, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
    CHECK(0, __wasi_fd_filestat_get(fd, &filestat));
    CHECK(1000000000, filestat.atim);
    CHECK(2000000000, filestat.mtim);
    CHECK(0, __wasi_path_filestat_set_times(tmp, 0, "parts", 5, 3000000000, __WASI_FSTFLAGS_MTIM));
    CHECK(0, __wasi_fd_filestat_get(fd, &filestat));
    CHECK(1000000000, filestat.atim);
    CHECK(3000000000, filestat.mtim);
    CHECK(0, __wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
    CHECK(1, stat_of(tmp, "parts").mtim > 1500000000000000000);
    CHECK(__WASI_ERRNO_INVAL, __wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW));
    CHECK(__WASI_ERRNO_INVAL, __wasi_path_filestat_set_times(tmp, 0, "parts", 0, 0, 1 << 4));
    CHECK(0, __wasi_fd_close(fd));
    CHECK(0, __wasi_path_unlink_file(tmp, "parts"));
}

int main(void) {
    const int tmp = given("/tmp");
    parts_in_order(tmp);
    offsets_leave_the_position(tmp);
    seeking(tmp);
    sizes(tmp);
    appending(tmp);
    times(tmp);
    return failures;
}
