/*
 * Symbols that std and compiler-rt refer to and wasi-libc lacks. The names are the linker's; each answers "not supported" the way its
 * manual page says, so a program that spawns a thread links and gets an error at run time. Linked lazily (--start-lib): a program that
 * defines one of these names itself keeps its own.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

int chmod(const char *path, unsigned mode) {
    (void)path, (void)mode;
    errno = ENOTSUP;
    return -1;
}

int fchmod(int fd, unsigned mode) {
    (void)fd, (void)mode;
    errno = ENOTSUP;
    return -1;
}

char *realpath(const char *restrict path, char *restrict resolved) {
    (void)path, (void)resolved;
    errno = ENOTSUP;
    return NULL;
}

int pthread_attr_init(void *attributes) {
    (void)attributes;
    return 0;
}

int pthread_attr_destroy(void *attributes) {
    (void)attributes;
    return 0;
}

int pthread_attr_setstacksize(void *attributes, size_t bytes) {
    (void)attributes, (void)bytes;
    return 0;
}

int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument) {
    (void)thread, (void)attributes, (void)start, (void)argument;
    return EAGAIN;
}

int pthread_detach(void *thread) {
    (void)thread;
    return ENOTSUP;
}

int pthread_join(void *thread, void **result) {
    (void)thread, (void)result;
    return ENOTSUP;
}
