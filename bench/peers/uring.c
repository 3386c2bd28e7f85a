// One thread and io_uring, by plain system calls: the program writes requests, and the kernel
// reports results. One accept for all and one receive per connection stay armed. Received bytes
// arrive in buffers that the kernel takes from a shared ring. One io_uring_enter per turn submits the
// sends of that turn and waits for results.

#define _GNU_SOURCE
#include "zen.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ENTRIES = 4096, BUFFERS = 1024, BUFFER = 1024, GROUP = 0, UNSENT_LIMIT = 64 * 1024 };
// The purpose of an operation; purpose and descriptor are the user_data of its completion.
enum { ACCEPT, RECEIVE, CANCEL, SEND, ROOM, CLOSE };

// Exists while something is in flight: an unfinished question, unsent answers, or the end of the
// connection. Only a connection with no operation left is closed, so a completion can never belong
// to an older user of its descriptor.
struct conversation {
    int fd;
    char receiving, paused, full, ending, listed;
    struct unfinished rest;
    char *answers; // [sent, size) is unsent
    size_t sent, size, capacity;
    size_t sending; // handed to the kernel when the last turn ended
    struct conversation *next_spare;
};

static struct conversation **conversations; // by descriptor; NULL: receiving, and nothing in flight
static struct conversation **turn; // conversations to look at when the turn ends
static struct conversation *spare; // conversations to use again
static size_t turn_size;
static int ring, ring_index, listener, accepting;
static unsigned *sq_tail, *sq_flags, *cq_head, *cq_tail, sq_mask, cq_mask, queued;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static struct io_uring_buf_ring *buffers;
static char buffer_memory[BUFFERS][BUFFER];

static void enter(unsigned wait_for) {
    unsigned flags = IORING_ENTER_REGISTERED_RING | (wait_for > 0 ? IORING_ENTER_GETEVENTS : 0);
    int taken = syscall(SYS_io_uring_enter, ring_index, queued, wait_for, flags, NULL, 0);
    if (taken >= 0) queued -= taken;
    else if (errno != EINTR && errno != EBUSY && errno != EAGAIN) die("io_uring_enter");
}

static struct io_uring_sqe *operation(int opcode, int purpose, int fd) {
    while (queued == ENTRIES) enter(0);
    struct io_uring_sqe *sqe = &sqes[*sq_tail & sq_mask];
    *sqe = (struct io_uring_sqe){
        .opcode = opcode, .fd = fd, .user_data = (uint64_t)purpose << 32 | (unsigned)fd};
    // The kernel reads the entry in io_uring_enter only, when the caller has filled in the rest.
    __atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
    queued++;
    return sqe;
}

static void start_accepting(void) {
    struct io_uring_sqe *sqe = operation(IORING_OP_ACCEPT, ACCEPT, listener);
    sqe->ioprio = IORING_ACCEPT_MULTISHOT;
    sqe->accept_flags = SOCK_CLOEXEC;
    accepting = 1;
}

static void start_receiving(int fd) {
    struct io_uring_sqe *sqe = operation(IORING_OP_RECV, RECEIVE, fd);
    sqe->ioprio = IORING_RECV_MULTISHOT;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
}

// The receive then ends with a completion of its own. It cannot be found while the kernel is moving
// it from one list to another; then there is a completion for the failure, and the next bytes
// received lead to another attempt.
static void stop_receiving(int fd) {
    struct io_uring_sqe *sqe = operation(IORING_OP_ASYNC_CANCEL, CANCEL, fd);
    sqe->addr = (uint64_t)RECEIVE << 32 | (unsigned)fd;
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
}

// DONTWAIT and WAITALL together: all of it now, or a completion that says how much. So a send that
// succeeds, nearly every one, is over when io_uring_enter returns. Its completion would only end
// the wait for questions. So a send requests one only if it has something to do afterwards, because
// the receive has ended.
static void start_sending(struct conversation *conversation) {
    conversation->sending = conversation->size - conversation->sent;
    struct io_uring_sqe *sqe = operation(IORING_OP_SEND, SEND, conversation->fd);
    sqe->addr = (uintptr_t)(conversation->answers + conversation->sent);
    sqe->len = conversation->sending;
    sqe->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
    sqe->flags = conversation->receiving ? IOSQE_CQE_SKIP_SUCCESS : 0;
}

static struct conversation *conversation_of(int fd) {
    struct conversation *conversation = conversations[fd];
    if (conversation == NULL) {
        if ((conversation = spare) != NULL) spare = conversation->next_spare;
        else if ((conversation = calloc(1, sizeof *conversation)) == NULL) die("calloc");
        conversation->fd = fd;
        conversation->receiving = 1;
        conversations[fd] = conversation;
    }
    if (!conversation->listed) turn[turn_size++] = conversation;
    conversation->listed = 1;
    return conversation;
}

static void forget(struct conversation *conversation) {
    conversations[conversation->fd] = NULL;
    char *answers = conversation->answers;
    size_t capacity = conversation->capacity;
    if (capacity > 4096) free(answers), answers = NULL, capacity = 0;
    *conversation =
        (struct conversation){.answers = answers, .capacity = capacity, .next_spare = spare};
    spare = conversation;
}

static void add_answer(struct conversation *conversation, struct text found) {
    if (conversation->size + found.size > conversation->capacity) {
        conversation->capacity = 2 * conversation->capacity + 64;
        conversation->answers = realloc(conversation->answers, conversation->capacity);
        if (conversation->answers == NULL) die("realloc");
    }
    memcpy(conversation->answers + conversation->size, found.bytes, found.size);
    conversation->size += found.size;
}

static void accepted(int fd, unsigned flags) {
    if (fd >= 0) start_receiving(fd);
    if (flags & IORING_CQE_F_MORE) return;
    // Out of descriptors or memory, only the end of a connection helps: it starts the accept again.
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) accepting = 0;
    else start_accepting();
}

static void received(int fd, int result, unsigned flags) {
    struct conversation *conversation = conversation_of(fd);
    if (!(flags & IORING_CQE_F_MORE)) conversation->receiving = 0;
    if (flags & IORING_CQE_F_BUFFER) {
        unsigned number = flags >> IORING_CQE_BUFFER_SHIFT;
        const char *from = buffer_memory[number], *end = from + (result > 0 ? result : 0);
        while (from < end) {
            struct text found = next_answer(&conversation->rest, &from, end);
            if (found.size > 0) add_answer(conversation, found);
        }
        struct io_uring_buf *entry = &buffers->bufs[buffers->tail & (BUFFERS - 1)];
        entry->addr = (uintptr_t)buffer_memory[number];
        entry->len = BUFFER;
        entry->bid = number;
        __atomic_store_n(&buffers->tail, buffers->tail + 1, __ATOMIC_RELEASE);
    }
    if (result == 0) conversation->ending = 1;
    if (result < 0 && result != -ECANCELED && result != -ENOBUFS && result != -EINTR)
        conversation->ending = 1;
    if (conversation->size - conversation->sent > UNSENT_LIMIT && conversation->receiving &&
        !conversation->paused) {
        stop_receiving(fd);
        conversation->paused = 1;
    }
}

static void sent(int fd, int result) {
    struct conversation *conversation = conversation_of(fd);
    if (result == (int)conversation->sending) return;
    conversation->sending = result > 0 ? result : 0;
    if (result >= 0 || result == -EAGAIN) {
        operation(IORING_OP_POLL_ADD, ROOM, fd)->poll32_events = POLLOUT;
        conversation->full = 1;
    } else if (result != -EINTR) { // the peer is gone, and needs no answers
        conversation->sent = conversation->size;
        conversation->ending = 1;
        shutdown(fd, SHUT_RDWR); // ends the receive for any error
    }
}

// True if the conversation must be looked at again when the next turn ends.
static int settle(struct conversation *conversation) {
    conversation->sent += conversation->sending;
    conversation->sending = 0;
    if (conversation->sent < conversation->size) {
        if (!conversation->full) start_sending(conversation);
        return !conversation->full;
    }
    conversation->sent = conversation->size = 0;
    if (conversation->receiving) {
        int waits = conversation->paused || conversation->ending || conversation->rest.size > 0;
        if (!waits) forget(conversation);
    } else if (!conversation->ending) {
        start_receiving(conversation->fd);
        conversation->receiving = 1;
        conversation->paused = 0;
        if (conversation->rest.size == 0) forget(conversation);
    } else {
        operation(IORING_OP_CLOSE, CLOSE, conversation->fd)->flags = IOSQE_CQE_SKIP_SUCCESS;
        if (!accepting) start_accepting();
        forget(conversation);
    }
    return 0;
}

// Every completion has been seen, so every send that fell short is known, and each connection sends
// once a turn: that keeps answers in order. If the completion queue overflowed, not all have been
// seen: then the next turn sends.
static void end_turn(void) {
    if (__atomic_load_n(sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW) return;
    size_t kept = 0;
    for (size_t i = 0; i < turn_size; i++) {
        turn[i]->listed = 0;
        if (settle(turn[i])) {
            turn[i]->listed = 1;
            turn[kept++] = turn[i];
        }
    }
    turn_size = kept;
}

static void *map(size_t size, off_t offset) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
    if (memory == MAP_FAILED) die("mmap");
    return memory;
}

static void set_up(void) {
    unsigned flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
    struct io_uring_params p = {.flags = flags};
    if ((ring = syscall(SYS_io_uring_setup, ENTRIES, &p)) < 0) die("io_uring_setup");
    char *sq = map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *cq = map(p.cq_off.cqes + p.cq_entries * sizeof *cqes, IORING_OFF_CQ_RING);
    sqes = map(p.sq_entries * sizeof *sqes, IORING_OFF_SQES);
    sq_tail = (unsigned *)(sq + p.sq_off.tail);
    sq_flags = (unsigned *)(sq + p.sq_off.flags);
    sq_mask = p.sq_entries - 1;
    for (unsigned i = 0; i < p.sq_entries; i++) ((unsigned *)(sq + p.sq_off.array))[i] = i;
    cq_head = (unsigned *)(cq + p.cq_off.head);
    cq_tail = (unsigned *)(cq + p.cq_off.tail);
    cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
    cq_mask = p.cq_entries - 1;

    // By its index in this thread the kernel finds the ring without looking up a descriptor in
    // every turn.
    struct io_uring_rsrc_update place = {.offset = -1U, .data = ring};
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_RING_FDS, &place, 1) < 0)
        die("io_uring_register");
    ring_index = place.offset;

    if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0)
        die("posix_memalign");
    struct io_uring_buf_reg group = {
        .ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = GROUP};
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING, &group, 1) < 0)
        die("io_uring_register");
    for (unsigned i = 0; i < BUFFERS; i++) {
        buffers->bufs[i].addr = (uintptr_t)buffer_memory[i];
        buffers->bufs[i].len = BUFFER;
        buffers->bufs[i].bid = i;
    }
    __atomic_store_n(&buffers->tail, BUFFERS, __ATOMIC_RELEASE);
}

int main(int argc, char **argv) {
    int limit = descriptor_limit();
    conversations = calloc(limit, sizeof *conversations);
    turn = calloc(limit, sizeof *turn);
    if (conversations == NULL || turn == NULL) die("calloc");
    set_up();
    listener = listen_at(argc, argv, 0);
    start_accepting();
    for (;;) {
        enter(1);
        unsigned head = *cq_head, tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++) {
            struct io_uring_cqe *cqe = &cqes[head & cq_mask];
            int fd = (int)cqe->user_data;
            switch (cqe->user_data >> 32) {
            case ACCEPT: accepted(cqe->res, cqe->flags); break;
            case RECEIVE: received(fd, cqe->res, cqe->flags); break;
            case CANCEL:
                if (conversations[fd] != NULL) conversations[fd]->paused = 0;
                break;
            case SEND: sent(fd, cqe->res); break;
            case ROOM: conversation_of(fd)->full = 0; break;
            }
        }
        __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
        end_turn();
    }
}
