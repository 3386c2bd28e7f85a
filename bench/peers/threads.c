// A thread for each connection: plain blocking calls, and the kernel's scheduler decides which thread runs.
// The simplest server there is; each connection pays with a thread and its stack, each question
// with a switch.

#define _GNU_SOURCE
#include "zen.h"
#include <errno.h>
#include <pthread.h>
#include <stdint.h>

enum { BUFFER = 4096, STACK = 64 * 1024 };

// A client that does not take its answers blocks its own thread here, and so is not read from
// either.
static int send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) return -1;
        if (sent > 0) bytes += sent, size -= sent;
    }
    return 0;
}

static int answer_questions(int fd, struct unfinished *rest, const char *from, const char *end) {
    char answers[BUFFER];
    size_t size = 0;
    while (from < end) {
        struct text found = next_answer(rest, &from, end);
        if (found.size == 0) break;
        if (size + found.size > sizeof answers) {
            if (send_all(fd, answers, size) < 0) return -1;
            size = 0;
        }
        memcpy(answers + size, found.bytes, found.size);
        size += found.size;
    }
    return send_all(fd, answers, size);
}

static void *handle_conversation(void *argument) {
    int fd = (int)(intptr_t)argument;
    struct unfinished rest = {0};
    char received[BUFFER];
    for (;;) {
        ssize_t count = recv(fd, received, sizeof received, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || answer_questions(fd, &rest, received, received + count) < 0) break;
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    descriptor_limit();
    int listener = listen_at(argc, argv, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            // Out of descriptors or memory: only the end of a conversation helps, so leave it some
            // time.
            if (errno != EINTR && errno != ECONNABORTED) usleep(10 * 1000);
            continue;
        }
        pthread_t thread;
        if (pthread_create(&thread, &attributes, handle_conversation, (void *)(intptr_t)fd) != 0)
            close(fd);
    }
}
