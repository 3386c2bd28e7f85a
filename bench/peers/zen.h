// The conversation that all three C peers hold: bytes in, answers out, no I/O. A question no longer
// than the longest known one is kept whole; of a longer one only its length matters, because its
// answer is known already. So an unfinished question of any length costs 32 bytes.

#ifndef ZEN_H
#define ZEN_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST_QUESTION = 25, LONGEST_ANSWER = 24 };

struct text {
    const char *bytes;
    size_t size;
};

// The received part of an unfinished question. All zero: there is none.
struct unfinished {
    unsigned char size;
    char bytes[LONGEST_QUESTION + 1];
};

static inline struct text answer(const char *question, size_t size) {
    switch (size) { // the three lengths differ, so one comparison decides
    case 25:
        if (memcmp(question, "Beautiful is better than?", 25) == 0)
            return (struct text){"Ugly.", 5};
        break;
    case 24:
        if (memcmp(question, "Explicit is better than?", 24) == 0)
            return (struct text){"Implicit.", 9};
        break;
    case 22:
        if (memcmp(question, "Simple is better than?", 22) == 0)
            return (struct text){"Complex.", 8};
        break;
    }
    return (struct text){"Error: unknown aphorism.", 24};
}

// Appends to the unfinished question; past the longest one, any size stands for "too long".
static inline void keep(struct unfinished *rest, const char *bytes, size_t size) {
    size_t room = sizeof rest->bytes - rest->size;
    if (size > room) size = room;
    memcpy(rest->bytes + rest->size, bytes, size);
    rest->size += size;
}

// Takes the first question out of [*from, end) and returns its answer. If it is unfinished, keeps it
// and returns no bytes.
static inline struct text next_answer(struct unfinished *rest, const char **from, const char *end) {
    const char *start = *from, *mark = memchr(start, '?', end - start);
    if (mark == NULL) {
        keep(rest, start, end - start);
        *from = end;
        return (struct text){NULL, 0};
    }
    *from = mark + 1;
    if (rest->size == 0) return answer(start, mark + 1 - start);
    keep(rest, start, mark + 1 - start);
    struct text found = answer(rest->bytes, rest->size);
    rest->size = 0;
    return found;
}

static inline void die(const char *action) {
    perror(action);
    exit(1);
}

// Accepted sockets inherit TCP_NODELAY from the listener, which saves a call per connection.
static inline int listen_at(int argc, char **argv, int flags) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", argv[0]);
        exit(2);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "%s: not an IPv4 address: %s\n", argv[0], argv[1]);
        exit(2);
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), on = 1;
    socklen_t size = sizeof address;
    if (listener < 0) die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) < 0) die("bind");
    if (listen(listener, 4096) < 0) die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) die("getsockname");
    printf("listening %s:%d\n", argv[1], ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

// Raises the limit on descriptors as far as the system allows, and returns it.
static inline int descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die("getrlimit");
    if (limit.rlim_max > 1 << 20) limit.rlim_max = 1 << 20;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die("setrlimit");
    return (int)limit.rlim_cur;
}

#endif
