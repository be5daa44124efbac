/* The least a server can do: epoll, level-triggered, one read and one write.
 *
 *     cc -O2 -o epoll_echo epoll_echo.c && ./epoll_echo echo|four|http|close|udp
 *
 * Nothing in Python can be faster, and the load generator can't load it beyond its
 * own ceiling. Any problem ends it: it is only there to be measured. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define BACKLOG 4096
#define EVENTS 512

static char buffer[BUFFER];
static const char page[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
static int epoll;
static enum { ECHO, FOUR, HTTP, CLOSE, UDP } work;

/* What a connection couldn't take yet. */
struct connection {
    int fd;
    char *rest;
    size_t length;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int how, struct connection *connection, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, how, connection->fd, &event) < 0)
        die("epoll_ctl");
}

static struct connection *added(int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->fd = fd;
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
    return connection;
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (work == CLOSE)
            close(fd);
        else
            added(fd);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept");
}

/* Keeps what wasn't written, and doesn't read before it is. */
static void keep(struct connection *connection, const char *rest, size_t length)
{
    connection->rest = malloc(length);
    if (connection->rest == NULL)
        die("malloc");
    memcpy(connection->rest, rest, length);
    connection->length = length;
    watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
}

static void send_rest(struct connection *connection)
{
    ssize_t sent = write(connection->fd, connection->rest, connection->length);
    if (sent < 0)
        return;
    connection->length -= sent;
    memmove(connection->rest, connection->rest + sent, connection->length);
    if (connection->length == 0) {
        free(connection->rest);
        connection->rest = NULL;
        watch(EPOLL_CTL_MOD, connection, EPOLLIN);
    }
}

static void serve(struct connection *connection)
{
    ssize_t got = read(connection->fd, buffer, sizeof buffer);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        close(connection->fd);
        free(connection);
        return;
    }
    ssize_t sent = 0, length = got;
    const char *answer = buffer;
    if (work == FOUR) {
        struct iovec part = {.iov_base = buffer, .iov_len = got};
        struct iovec parts[] = {part, part, part, part};
        if (writev(connection->fd, parts, 4) != 4 * got)
            die("writev");
        return;
    }
    if (work == HTTP) {
        /* One request at a time; its last piece is what ends like this. */
        if (got < 4 || memcmp(buffer + got - 4, "\r\n\r\n", 4) != 0)
            return;
        answer = page;
        length = sizeof page - 1;
    }
    sent = write(connection->fd, answer, length);
    if (sent < 0 && errno != EAGAIN)
        return;
    if (sent < length)
        keep(connection, answer + (sent < 0 ? 0 : sent), length - (sent < 0 ? 0 : sent));
}

static void serve_datagram(int fd)
{
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
    if (got >= 0)
        sendto(fd, buffer, got, 0, (struct sockaddr *)&from, size);
}

int main(int count, char **words)
{
    static const char *const names[] = {"echo", "four", "http", "close", "udp"};
    int known = 0;
    for (int i = 0; count == 2 && i < 5; i++)
        if (strcmp(words[1], names[i]) == 0)
            work = i, known = 1;
    if (!known) {
        fprintf(stderr, "usage: epoll_echo echo|four|http|close|udp\n");
        return 2;
    }

    /* The load generator's last messages are answered in vain. */
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int type = work == UDP ? SOCK_DGRAM : SOCK_STREAM;
    int listener = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0)
        die("bind");
    if (work != UDP && listen(listener, BACKLOG) < 0)
        die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        die("getsockname");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");
    struct connection *listening = added(listener);
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == listening && work == UDP)
                serve_datagram(listener);
            else if (connection == listening)
                accept_all(listener);
            else if (connection->rest != NULL)
                send_rest(connection);
            else
                serve(connection);
        }
    }
}
