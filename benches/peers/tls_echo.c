/* The least a TLS server can do: epoll, one read, OpenSSL over memory BIOs, one write.
 *
 *     cc -O2 -o tls_echo tls_echo.c -lssl -lcrypto && ./tls_echo echo|http FOLDER
 *
 * The folder has server.pem: a key, and its certificate. What Python's servers have under
 * them is the same OpenSSL, if Python is linked to the system's, and the same kind of BIOs.
 * Any problem ends it: it is only there to be measured. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define BACKLOG 4096
#define EVENTS 512

static char buffer[BUFFER], plain[BUFFER];
static int epoll, http;
static SSL_CTX *context;
static const char page[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

/* `outgoing` keeps what the socket couldn't take yet; nothing is read before it is gone. */
struct connection {
    int fd, blocked, closing;
    SSL *ssl;
    BIO *incoming, *outgoing;
};

static void die(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
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
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = added(fd);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connection->ssl = SSL_new(context);
        connection->incoming = BIO_new(BIO_s_mem());
        connection->outgoing = BIO_new(BIO_s_mem());
        if (connection->ssl == NULL || connection->incoming == NULL
            || connection->outgoing == NULL)
            die("SSL_new");
        SSL_set_bio(connection->ssl, connection->incoming, connection->outgoing);
        SSL_set_accept_state(connection->ssl);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept");
}

static void end(struct connection *connection)
{
    close(connection->fd);
    SSL_free(connection->ssl);
    free(connection);
}

/* Sends straight from the BIO's memory. Whether the connection is still there. */
static int flush(struct connection *connection)
{
    char *start;
    long length = BIO_get_mem_data(connection->outgoing, &start);
    if (length > 0) {
        ssize_t sent = write(connection->fd, start, length);
        if (sent < 0 && errno != EAGAIN) {
            end(connection);
            return 0;
        }
        if (sent == length)
            BIO_reset(connection->outgoing);
        else
            while (sent > 0)
                sent -= BIO_read(connection->outgoing, buffer, sent);
    }
    int blocked = BIO_pending(connection->outgoing) > 0;
    if (blocked != connection->blocked)
        watch(EPOLL_CTL_MOD, connection, blocked ? EPOLLOUT : EPOLLIN);
    connection->blocked = blocked;
    if (connection->closing && !blocked) {
        end(connection);
        return 0;
    }
    return 1;
}

static void answer(struct connection *connection, size_t length)
{
    const char *what = plain;
    if (http) {
        /* One request at a time; its last piece is what ends like this. */
        if (length < 4 || memcmp(plain + length - 4, "\r\n\r\n", 4) != 0)
            return;
        what = page;
        length = sizeof page - 1;
    }
    if (SSL_write(connection->ssl, what, length) <= 0)
        die("SSL_write");
}

static void serve(struct connection *connection)
{
    ssize_t got = read(connection->fd, buffer, sizeof buffer);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        end(connection);
        return;
    }
    if (BIO_write(connection->incoming, buffer, got) != got)
        die("BIO_write");
    int count, state;
    ERR_clear_error();
    do {
        size_t length = 0;
        while ((count = SSL_read(connection->ssl, plain + length, sizeof plain - length)) > 0)
            if ((length += count) == sizeof plain)
                break;
        state = SSL_get_error(connection->ssl, count);
        if (length > 0)
            answer(connection, length);
    } while (count > 0);
    switch (state) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_ZERO_RETURN:
        SSL_shutdown(connection->ssl);
        connection->closing = 1;
        break;
    default:
        end(connection);
        return;
    }
    flush(connection);
}

static void prepare(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/server.pem", folder);
    context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_use_certificate_chain_file(context, path) != 1
        || SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1)
        die(path);
    /* As Python's contexts have it. */
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
}

int main(int count, char **words)
{
    if (count != 3 || (strcmp(words[1], "echo") != 0 && strcmp(words[1], "http") != 0)) {
        fprintf(stderr, "usage: tls_echo echo|http FOLDER\n");
        return 2;
    }
    http = strcmp(words[1], "http") == 0;
    prepare(words[2]);

    /* The load generator's last messages are answered in vain. */
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0)
        die("bind");
    if (listen(listener, BACKLOG) < 0)
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
            if (connection == listening)
                accept_all(listener);
            else if (connection->blocked)
                flush(connection);
            else
                serve(connection);
        }
    }
}
