// What does not concern files: arguments, environment, clocks, random bytes, waiting, sockets that are none.
#include "check.h"

static void strings(void) {
    __wasi_size_t count = 0, size = 0;
    uint8_t *pointers[8], bytes[256];
    CHECK(0, __wasi_args_sizes_get(&count, &size));
    CHECK(3, count);
    CHECK(0, __wasi_args_get(pointers, bytes));
    CHECK(0, strcmp((char *)pointers[1], "an argument") | strcmp((char *)pointers[2], "\xc3\xa4"));
    CHECK(size, strlen((char *)pointers[0]) + strlen("an argument") + 2 + 3);
    CHECK(0, __wasi_environ_sizes_get(&count, &size));
    CHECK(2, count);
    CHECK(sizeof "FERN=moss" + sizeof "EMPTY=", size);
    CHECK(0, __wasi_environ_get(pointers, bytes));
    CHECK(0, strcmp((char *)pointers[0], "FERN=moss") | strcmp((char *)pointers[1], "EMPTY="));
}

static void clocks(void) {
    __wasi_timestamp_t step = 0, first = 0, second = 0;
    for (unsigned id = 0; id < 4; id++) {
        CHECK(0, __wasi_clock_res_get(id, &step));
        CHECK(100000, step);
        CHECK(0, __wasi_clock_time_get(id, 1, &first));
        CHECK(0, __wasi_clock_time_get(id, 1, &second));
        CHECK(1, second >= first && first % step == 0);
    }
    CHECK(__WASI_ERRNO_INVAL, __wasi_clock_res_get(4, &step));
    CHECK(__WASI_ERRNO_INVAL, __wasi_clock_time_get(0xffffffff, 1, &step));
}

static void randomness(void) {
    static uint8_t bytes[70000], others[70000];
    CHECK(0, __wasi_random_get(bytes, sizeof bytes));
    CHECK(0, __wasi_random_get(others, sizeof others));
    CHECK(1, memcmp(bytes, others, sizeof bytes) != 0);
    int zeros = 0;
    for (unsigned n = 0; n < sizeof bytes; n++) zeros += bytes[n] == 0;
    CHECK(1, zeros < 1000);
    others[0] = 7;
    CHECK(0, __wasi_random_get(others, 0));
    CHECK(7, others[0]);
}

static void waiting(void) {
    __wasi_subscription_t subscriptions[3] = {0};
    __wasi_event_t events[3];
    __wasi_size_t count = 0;
    CHECK(__WASI_ERRNO_INVAL, __wasi_poll_oneoff(subscriptions, events, 0, &count));
    subscriptions[0].userdata = 1;
    subscriptions[0].u.tag = __WASI_EVENTTYPE_CLOCK;
    subscriptions[0].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    subscriptions[0].u.u.clock.timeout = 2000000;
    subscriptions[1] = subscriptions[0];
    subscriptions[1].userdata = 2;
    subscriptions[1].u.u.clock.timeout = 3600000000000;
    __wasi_timestamp_t before, after;
    CHECK(0, __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &before));
    CHECK(0, __wasi_poll_oneoff(subscriptions, events, 2, &count));
    CHECK(0, __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &after));
    CHECK(1, count);
    CHECK(1, events[0].userdata);
    CHECK(1, after - before >= 2000000);
    subscriptions[2].userdata = 3;
    subscriptions[2].u.tag = __WASI_EVENTTYPE_FD_WRITE;
    subscriptions[2].u.u.fd_write.file_descriptor = 1;
    subscriptions[0].u.tag = __WASI_EVENTTYPE_FD_READ;
    subscriptions[0].u.u.fd_read.file_descriptor = CLOSED;
    CHECK(0, __wasi_poll_oneoff(subscriptions, events, 3, &count));
    CHECK(2, count);
    CHECK(__WASI_ERRNO_BADF, events[0].error);
    CHECK(3, events[1].userdata);
    CHECK(0, events[1].error);
    subscriptions[0].u.tag = 9;
    CHECK(__WASI_ERRNO_INVAL, __wasi_poll_oneoff(subscriptions, events, 1, &count));
    CHECK(0, __wasi_sched_yield());
}

static void sockets(void) {
    uint8_t bytes[4];
    __wasi_iovec_t in = {bytes, 4};
    __wasi_ciovec_t out = {bytes, 4};
    __wasi_size_t size;
    __wasi_roflags_t flags;
    __wasi_fd_t fd;
    CHECK(1, __wasi_sock_accept(1, 0, &fd) != 0);
    CHECK(1, __wasi_sock_recv(1, &in, 1, 0, &size, &flags) != 0);
    CHECK(1, __wasi_sock_send(1, &out, 1, 0, &size) != 0);
    CHECK(1, __wasi_sock_accept(CLOSED, 0, &fd) != 0);
}

int main(void) {
    strings();
    clocks();
    randomness();
    waiting();
    sockets();
    return failures;
}
