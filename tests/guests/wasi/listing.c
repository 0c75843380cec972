// fd_readdir: buffers of every size, cookies, and folders that change meanwhile.
#include "check.h"

#define FILES 40

/// Lists a folder through a buffer of this many bytes; how many entries there were, dots included.
static int list(int folder, unsigned len, char names[][16]) {
    uint8_t buffer[1024];
    __wasi_dircookie_t cookie = 0;
    __wasi_size_t used;
    int entries = 0;
    for (int turns = 0; turns < 1000; turns++) {
        CHECK(0, __wasi_fd_readdir(folder, buffer, len, cookie, &used));
        unsigned at = 0;
        __wasi_dirent_t entry;
        while (at + sizeof entry <= used) {
            memcpy(&entry, buffer + at, sizeof entry);
            if (at + sizeof entry + entry.d_namlen > used) break;
            memcpy(names[entries], buffer + at + sizeof entry, entry.d_namlen);
            names[entries][entry.d_namlen] = 0;
            CHECK(1, cookie != entry.d_next);
            cookie = entry.d_next;
            CHECK(names[entries][0] == 'f' ? __WASI_FILETYPE_REGULAR_FILE : __WASI_FILETYPE_DIRECTORY, entry.d_type);
            at += sizeof entry + entry.d_namlen;
            entries++;
        }
        if (used < len) return entries;
    }
    return -1;
}

int main(void) {
    const int tmp = given("/tmp");
    CHECK(0, __wasi_path_create_directory(tmp, "list"));
    const int folder = opened_folder(tmp, "list");
    char name[32], names[FILES + 8][16];
    CHECK(2, list(folder, 1024, names));
    for (int n = 0; n < FILES; n++) snprintf(name, sizeof name, "f%d", n), make(folder, name, "");
    CHECK(0, __wasi_path_create_directory(folder, "d"));
    for (unsigned len = 48; len <= 1024; len += 61) {
        CHECK(FILES + 3, list(folder, len, names));
        int dots = 0, found = 0;
        for (int n = 0; n < FILES + 3; n++) {
            dots += strcmp(names[n], ".") == 0 || strcmp(names[n], "..") == 0;
            for (int file = 0; file < FILES; file++) {
                snprintf(name, sizeof name, "f%d", file);
                found += strcmp(names[n], name) == 0;
            }
        }
        CHECK(2, dots);
        CHECK(FILES, found);
    }
    uint8_t buffer[64];
    __wasi_size_t used = 9;
    CHECK(0, __wasi_fd_readdir(folder, buffer, 0, 0, &used));
    CHECK(0, used);
    CHECK(0, __wasi_fd_readdir(folder, buffer, sizeof buffer, UINT64_MAX, &used));
    CHECK(0, used);
    for (int n = 0; n < FILES; n++) snprintf(name, sizeof name, "f%d", n), CHECK(0, __wasi_path_unlink_file(folder, name));
    CHECK(3, list(folder, 1024, names));
    CHECK(0, __wasi_path_remove_directory(folder, "d"));
    CHECK(0, __wasi_fd_close(folder));
    CHECK(0, __wasi_path_remove_directory(tmp, "list"));
    return failures;
}
