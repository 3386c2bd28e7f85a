// One thread and epoll, level-triggered: the kernel says which sockets are ready, and each ready
// one costs one recv and one send. This is the server that the bench compares all others with. An
// idle connection costs a pointer; memory is taken only for an unfinished question or unsent
// answers.

#define _GNU_SOURCE
#include "zen.h"
#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS = 512, RECEIVE = 16 * 1024 };

struct conversation {
    struct unfinished rest;
    char *unsent; // while there is any, the socket is watched for room and not for questions
    size_t offset, size;
};

static struct conversation **conversations; // by descriptor; NULL: nothing in flight
static int poller, listener;
static int accepting = 1;
static char received[RECEIVE];
static char answers[RECEIVE * LONGEST_ANSWER]; // the worst case: nothing but question marks

static void watch(int operation, int fd, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event) < 0) die("epoll_ctl");
}

static struct conversation *conversation_of(int fd) {
    if (conversations[fd] == NULL) conversations[fd] = calloc(1, sizeof(struct conversation));
    if (conversations[fd] == NULL) die("calloc");
    return conversations[fd];
}

static void forget(int fd) {
    free(conversations[fd]);
    conversations[fd] = NULL;
}

static void hang_up(int fd) {
    if (conversations[fd] != NULL) {
        free(conversations[fd]->unsent);
        forget(fd);
    }
    close(fd);
    if (!accepting) watch(EPOLL_CTL_MOD, listener, EPOLLIN);
    accepting = 1;
}

static void accept_all(void) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            // Until a connection closes there is nothing to do, and the listener would be reported
            // ready for ever.
            watch(EPOLL_CTL_MOD, listener, 0);
            accepting = 0;
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

// Sends what the socket takes and keeps the rest. The caller's bytes are free to be reused
// afterwards.
static void send_answers(int fd, const char *bytes, size_t size) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent == (ssize_t)size) return;
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return hang_up(fd);
    if (sent < 0) sent = 0;
    struct conversation *conversation = conversation_of(fd);
    conversation->offset = 0;
    conversation->size = size - sent;
    if ((conversation->unsent = malloc(conversation->size)) == NULL) die("malloc");
    memcpy(conversation->unsent, bytes + sent, conversation->size);
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void send_rest(int fd, struct conversation *conversation) {
    size_t left = conversation->size - conversation->offset;
    ssize_t sent = send(fd, conversation->unsent + conversation->offset, left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return hang_up(fd);
    if (sent > 0) conversation->offset += sent;
    if (conversation->offset < conversation->size) return;
    free(conversation->unsent);
    conversation->unsent = NULL;
    if (conversation->rest.size == 0) forget(fd);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void receive_questions(int fd) {
    ssize_t count = recv(fd, received, sizeof received, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return hang_up(fd);

    struct conversation *conversation = conversations[fd];
    struct unfinished none = {0}, *rest = conversation != NULL ? &conversation->rest : &none;
    const char *from = received, *end = received + count;
    struct text first = next_answer(rest, &from, end);
    size_t size = 0;
    if (from < end) { // more than one question: their answers leave together
        memcpy(answers, first.bytes, first.size);
        size = first.size;
        do {
            struct text more = next_answer(rest, &from, end);
            if (more.size > 0) memcpy(answers + size, more.bytes, more.size);
            size += more.size;
        } while (from < end);
    }

    if (conversation == NULL && none.size > 0) conversation_of(fd)->rest = none;
    if (conversation != NULL && conversation->rest.size == 0) forget(fd);
    if (size > 0) send_answers(fd, answers, size);
    else if (first.size > 0) send_answers(fd, first.bytes, first.size);
}

int main(int argc, char **argv) {
    if ((conversations = calloc(descriptor_limit(), sizeof *conversations)) == NULL) die("calloc");
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
    listener = listen_at(argc, argv, SOCK_NONBLOCK);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) accept_all();
            else if (conversations[fd] != NULL && conversations[fd]->unsent != NULL)
                send_rest(fd, conversations[fd]);
            else receive_questions(fd);
        }
    }
}
