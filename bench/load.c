// The load: asks one server on this machine questions over many connections, checks every byte of
// every answer, and prints one JSON line about it. One thread and epoll, in C, so that it costs no
// more than what it measures. On stderr it reports when all idle connections are open ("idle") and
// when the measured time begins ("measuring").

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CYCLE = 8,
    EVENTS = 256,
    RECEIVE = 64 * 1024,
    MAX_DEPTH = 1024,
    MAX_CONNECTIONS = 100000,
    MAX_TROUBLE = 1000
};

static const char *const questions[] = {"Beautiful is better than?", "Explicit is better than?",
                                        "Simple is better than?", "Ugly is better than?"};
static const char *const answers[] = {"Ugly.", "Implicit.", "Complex.", "Error: unknown aphorism."};
static const int cycle[CYCLE] = {0, 1, 2, 0, 1, 2, 0, 3};

// Every connection goes through the cycle of questions again and again. So what it sends next is
// always a piece of one long text, and what it must receive a piece of another: asking is one send,
// and checking is one memcmp.
static char *asked_text, *expected_text;
static unsigned question_offset[CYCLE + 1], answer_offset[CYCLE + 1];

struct connection {
    int fd;
    unsigned asked, answered; // since it was opened
    unsigned position;        // in the cycle of expected answers, in bytes
    unsigned unsent_from, unsent;
    int quiet;          // asks one question and no more
    uint64_t *asked_at; // a ring of `depth` times
};

static struct {
    const char *host;
    int port, connections, depth, reconnect, idle;
    double seconds, warmup;
    uint64_t requests;
} options = {.host = "127.0.0.1", .connections = 1, .depth = 1, .seconds = 2, .warmup = 0.5};

static int poller;
static struct connection *connections;
static struct sockaddr_in target;
static uint64_t now, answered, opened, wrong, errors, quiet_answered;
static int stopping;
static char received[RECEIVE];

// A latency is counted in one of 1,024 steps of its power of two, which keeps three significant
// digits.
enum { STEPS = 1024, POWERS = 28 };
static uint64_t histogram[STEPS * POWERS], slowest;

static unsigned slot_of(uint64_t nanoseconds) {
    unsigned power = 0;
    if (nanoseconds >= 2 * STEPS) power = 63 - __builtin_clzll(nanoseconds) - 10;
    unsigned slot = power * STEPS + (unsigned)(nanoseconds >> power);
    return slot < STEPS * POWERS ? slot : STEPS * POWERS - 1;
}

static double microseconds_at(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < STEPS * POWERS; i++) total += histogram[i];
    for (unsigned i = 0; i < STEPS * POWERS; i++) {
        seen += histogram[i];
        if (seen == 0 || seen < share * total) continue;
        unsigned power = i < 2 * STEPS ? 0 : i / STEPS - 1;
        return (double)((uint64_t)(i - power * STEPS) << power) / 1000;
    }
    return 0;
}

static void die(const char *action) {
    perror(action);
    exit(1);
}

static uint64_t clock_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static char *repeated(const char *const *texts, unsigned *offset, size_t at_least) {
    for (int i = 0; i < CYCLE; i++) offset[i + 1] = offset[i] + strlen(texts[cycle[i]]);
    char *text = malloc(at_least + 2 * offset[CYCLE]);
    if (text == NULL) die("malloc");
    for (size_t size = 0, i = 0; size < at_least + offset[CYCLE];
         size += strlen(texts[cycle[i++ % CYCLE]]))
        strcpy(text + size, texts[cycle[i % CYCLE]]);
    return text;
}

static void trouble(uint64_t *counter, const char *what) {
    if (wrong + errors < 3) fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    if (++*counter >= MAX_TROUBLE) stopping = 1;
}

static void watch(int operation, struct connection *connection, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event) < 0) die("epoll_ctl");
}

static void send_unsent(struct connection *connection) {
    ssize_t sent = send(connection->fd, asked_text + connection->unsent_from, connection->unsent,
                        MSG_NOSIGNAL);
    if (sent == connection->unsent) {
        connection->unsent = 0;
        return;
    }
    if (sent > 0) connection->unsent_from += sent, connection->unsent -= sent;
    connection->unsent_from %= question_offset[CYCLE];
    watch(EPOLL_CTL_MOD, connection, EPOLLIN | EPOLLOUT); // an error shows when receiving
}

static void ask(struct connection *connection, unsigned count) {
    unsigned first = connection->asked % CYCLE, last = first + count;
    for (unsigned i = 0; i < count; i++)
        connection->asked_at[(connection->asked + i) % options.depth] = now;
    unsigned end = last / CYCLE * question_offset[CYCLE] + question_offset[last % CYCLE];
    connection->asked += count;
    if (connection->unsent == 0) connection->unsent_from = question_offset[first];
    connection->unsent += end - question_offset[first];
    send_unsent(connection);
}

// One address has 28,000 ports, and each closed connection keeps one for a minute: so there are
// many addresses. Without TCP_NODELAY a question would wait for the answer to the one before it.
static int connect_from(uint64_t number) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    if (options.depth > 1) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000002 + number % 64)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) == 0 &&
        (connect(fd, (struct sockaddr *)&target, sizeof target) == 0 || errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

static void open_connection(struct connection *connection) {
    uint64_t *asked_at = connection->asked_at;
    *connection = (struct connection){.asked_at = asked_at, .quiet = connection->quiet};
    if ((connection->fd = connect_from(opened++)) < 0) {
        trouble(&errors, "cannot connect");
        return;
    }
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
    // Over loopback the handshake has ended at this point. Otherwise the send waits for it.
    ask(connection, 1);
}

static void reopen(struct connection *connection) {
    close(connection->fd);
    connection->fd = -1;
    if (!stopping && !connection->quiet) {
        now = clock_now();
        open_connection(connection);
    }
}

// In the text of expected answers, counted from the beginning of the cycle.
static unsigned end_of_answer(unsigned number) {
    return (number + 1) / CYCLE * answer_offset[CYCLE] + answer_offset[(number + 1) % CYCLE];
}

static void take_answers(struct connection *connection, size_t count) {
    if (connection->position + count > answer_offset[CYCLE] + (size_t)RECEIVE ||
        memcmp(received, expected_text + connection->position, count) != 0) {
        errno = EBADMSG;
        trouble(&wrong, "wrong answer");
        return reopen(connection);
    }
    unsigned complete = 0;
    unsigned end = connection->position + count;
    unsigned from = connection->answered % CYCLE;
    while (end_of_answer(from + complete) <= end) {
        unsigned slot = (connection->answered + complete) % options.depth;
        uint64_t latency = now - connection->asked_at[slot];
        histogram[slot_of(latency)]++;
        if (latency > slowest) slowest = latency;
        complete++;
    }
    connection->position = end % answer_offset[CYCLE];
    connection->answered += complete;
    if (connection->answered > connection->asked) {
        errno = EBADMSG;
        trouble(&wrong, "more answers than questions");
        return reopen(connection);
    }
    if (connection->quiet) {
        quiet_answered += complete;
        return;
    }
    answered += complete;
    if (complete == 0 || stopping) return;
    if (options.reconnect == 0) ask(connection, complete);
    else if (connection->answered < (unsigned)options.reconnect) ask(connection, 1);
    else reopen(connection);
}

static void serve_events(int timeout) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, timeout);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            watch(EPOLL_CTL_MOD, connection, EPOLLIN);
            if (connection->unsent > 0) send_unsent(connection);
        }
        if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
        ssize_t size = recv(connection->fd, received, sizeof received, 0);
        now = clock_now(); // the end of one question and the beginning of the next
        if (size > 0) {
            take_answers(connection, size);
        } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
            if (size == 0) errno = ECONNRESET;
            trouble(&errors, "connection lost");
            reopen(connection);
        }
    }
}

static void run_until(uint64_t end, uint64_t requests) {
    while (!stopping && (now = clock_now()) < end && answered < requests) {
        uint64_t left = (end - now) / 1000000;
        serve_events(left < 100 ? (int)left : 100);
    }
}

// Each asks one question, so that it is known to be served; a few at a time, so that no backlog
// overflows.
static void open_connections(struct connection *from, int count) {
    uint64_t deadline = clock_now() + 20 * 1000000000ull, before = quiet_answered + errors;
    for (int i = 0; i <= count; i++) {
        uint64_t wanted = i < count ? i < 128 ? 0 : i - 128 : count;
        while (!stopping && quiet_answered + errors - before < wanted && clock_now() < deadline)
            serve_events(10);
        if (i == count || stopping || clock_now() >= deadline) break;
        from[i].quiet = 1;
        now = clock_now();
        open_connection(&from[i]);
    }
    if (quiet_answered + errors - before == (uint64_t)count && errors == 0) return;
    fprintf(stderr, "load: %lu of %d connections were served\n",
            (unsigned long)(quiet_answered + errors - before), count);
    exit(1);
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double number(const char *name, const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*text != '\0' && *end == '\0' && value >= least && value <= most) return value;
    fprintf(stderr, "load: --%s must be between %g and %g: %s\n", name, least, most, text);
    exit(2);
}

static void read_options(int argc, char **argv) {
    static const struct option names[] = {
        {"host", 1, NULL, 'H'},     {"port", 1, NULL, 'p'},      {"connections", 1, NULL, 'c'},
        {"depth", 1, NULL, 'd'},    {"seconds", 1, NULL, 's'},   {"warmup", 1, NULL, 'w'},
        {"requests", 1, NULL, 'n'}, {"reconnect", 1, NULL, 'r'}, {"idle", 1, NULL, 'i'},
        {NULL, 0, NULL, 0},
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (option == '?') exit(2);
        const char *name = names[index].name;
        if (option == 'H') options.host = optarg;
        if (option == 'p') options.port = number(name, optarg, 1, 65535);
        if (option == 'c') options.connections = number(name, optarg, 1, MAX_CONNECTIONS);
        if (option == 'd') options.depth = number(name, optarg, 1, MAX_DEPTH);
        if (option == 's') options.seconds = number(name, optarg, 0.01, 60);
        if (option == 'w') options.warmup = number(name, optarg, 0, 60);
        if (option == 'n') options.requests = number(name, optarg, 1, 1e12);
        if (option == 'r') options.reconnect = number(name, optarg, 1, 1e6);
        if (option == 'i') options.idle = number(name, optarg, 1, MAX_CONNECTIONS);
    }
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(options.port)};
    if (options.port == 0 || optind != argc) {
        fprintf(stderr, "usage: load --port PORT [--connections N] [--depth D] [--seconds S] "
                        "[--warmup S] [--requests N]\n"
                        "            [--reconnect QUESTIONS] [--idle N] [--host 127.0.0.1]\n");
        exit(2);
    }
    if (inet_pton(AF_INET, options.host, &target.sin_addr) != 1 ||
        ntohl(target.sin_addr.s_addr) >> 24 != 127) {
        fprintf(stderr, "load: only this machine may be loaded: --host %s is not in 127.0.0.0/8\n",
                options.host);
        exit(2);
    }
    if (options.reconnect > 0) options.depth = 1;
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    int total = options.connections + options.idle;
    asked_text = repeated(questions, question_offset, MAX_DEPTH * 32);
    expected_text = repeated(answers, answer_offset, RECEIVE);
    connections = calloc(total, sizeof *connections);
    uint64_t *times = calloc((size_t)total * options.depth, sizeof *times);
    if (connections == NULL || times == NULL) die("calloc");
    for (int i = 0; i < total; i++) connections[i].asked_at = times + (size_t)i * options.depth;
    if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");

    if (options.idle > 0) {
        open_connections(connections + options.connections, options.idle);
        fprintf(stderr, "idle\n");
        usleep(600 * 1000); // time to look at the server's memory
    }
    if (options.reconnect == 0) open_connections(connections, options.connections);
    for (int i = 0; i < options.connections; i++) {
        connections[i].quiet = 0;
        now = clock_now();
        if (options.reconnect > 0) open_connection(&connections[i]);
        else ask(&connections[i], options.depth);
    }
    run_until(clock_now() + (uint64_t)(options.warmup * 1e9), UINT64_MAX);

    memset(histogram, 0, sizeof histogram);
    slowest = answered = opened = 0;
    fprintf(stderr, "measuring\n");
    uint64_t begin = clock_now(), most = options.requests > 0 ? options.requests : UINT64_MAX;
    double cpu = cpu_seconds();
    run_until(begin + (uint64_t)(options.seconds * 1e9), most);
    double seconds = (clock_now() - begin) / 1e9;
    cpu = cpu_seconds() - cpu;

    printf("{\"answers\":%lu,\"wrong\":%lu,\"errors\":%lu,\"opened\":%lu,"
           "\"seconds\":%.4f,\"rate\":%.1f,"
           "\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f,\"busy\":%.3f}\n",
           (unsigned long)answered, (unsigned long)wrong, (unsigned long)errors,
           (unsigned long)opened, seconds, answered / seconds, microseconds_at(0.5),
           microseconds_at(0.99), microseconds_at(0.999), slowest / 1000.0, cpu / seconds);
    fflush(stdout);
    // Time to look at what the server has used, before it has to close everything.
    usleep(300 * 1000);
    return wrong > 0 || errors > 0 || answered == 0;
}
