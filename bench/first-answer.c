// What a start costs without a runtime in it: microseconds for a thread, and for a process that is a
// copy of this one, each started and waited for, one after the other.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STARTS = 2000 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void *nothing(void *argument) { return argument; }

static void start_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0) exit(1);
    pthread_join(thread, NULL);
}

static void start_process(void) {
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
}

static double cost_of(void (*start)(void)) {
    double began = now();
    for (int i = 0; i < STARTS; i++) start();
    return (now() - began) / STARTS;
}

int main(void) {
    double thread = cost_of(start_thread), process = cost_of(start_process);
    printf("{\"thread\":%.1f,\"process\":%.1f}\n", thread, process);
}
