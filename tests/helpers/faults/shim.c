/* Stands before the C library's system calls and lets a chosen one fail or fall short.
 *
 * Loaded by LD_PRELOAD; helpers.faults.shim compiles and drives it. Only calls of threads that
 * have asked for it (faults_here) are counted and harmed, so that the peers in other threads
 * stay what they are. The calls are numbered in the order of NAMES.
 *
 * What it does is what a kernel may do. A call that fails has done nothing, but for close,
 * which has closed, and an interrupted connect, which goes on. Where a read is short or finds
 * nothing although there is something, the rest comes "a moment later": an edge-triggered
 * poll is made to report it again, as epoll(7) promises.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALLS(X)                                                                               \
    X(accept4) X(recv) X(recvfrom) X(recvmsg) X(read) X(send) X(sendto) X(sendmsg) X(write)    \
    X(writev) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) X(socket) X(socketpair)   \
    X(connect) X(bind) X(listen) X(getsockopt) X(setsockopt) X(getsockname) X(getpeername)     \
    X(shutdown) X(close) X(pidfd_open) X(so_error)

enum {
#define X(name) CALL_##name,
    CALLS(X)
#undef X
    COUNT
};

static const char *const NAMES[] = {
#define X(name) #name,
    CALLS(X)
#undef X
    NULL};

/* The call to harm: the `first` one of its kind from now on, and the following ones, `times`
 * altogether; of this descriptor, or of any if it is -1. With an error, or with so much of what
 * was asked for. */
static struct {
    int call, fd, error;
    long first, times, most;
} plan = {.call = -1};

static long seen[COUNT], harmed;
static __thread int here;

const char *faults_name(int call) { return call < COUNT ? NAMES[call] : NULL; }

void faults_here(int on) { here = on; }

void faults_plan(int call, int fd, long first, long times, int error, long most)
{
    memset(seen, 0, sizeof seen);
    harmed = 0;
    plan.fd = fd;
    plan.first = first;
    plan.times = times;
    plan.error = error;
    plan.most = most;
    plan.call = call;
}

/* For a plan that waits for its descriptor to be known. */
void faults_of(int fd) { plan.fd = fd; }

long faults_seen(int call) { return __atomic_load_n(&seen[call], __ATOMIC_SEQ_CST); }

long faults_harmed(void) { return __atomic_load_n(&harmed, __ATOMIC_SEQ_CST); }

/* Only what doesn't block may be told to come again. */
static int blocks(int call, int fd)
{
    return (call == CALL_read || call == CALL_write) && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Whether this call is to be harmed. */
static int meant(int call, int fd)
{
    if (!here || (plan.call == call && plan.fd != -1 && plan.fd != fd))
        return 0;
    if (plan.call == call && plan.error == EAGAIN && blocks(call, fd))
        return 0;
    long number = __atomic_add_fetch(&seen[call], 1, __ATOMIC_SEQ_CST);
    if (plan.call != call || number < plan.first || number >= plan.first + plan.times)
        return 0;
    __atomic_add_fetch(&harmed, 1, __ATOMIC_SEQ_CST);
    return 1;
}

/* The function that this one stands before. */
static void *real(int call)
{
    static void *found[COUNT];
    if (!found[call])
        found[call] = dlsym(RTLD_NEXT, NAMES[call]);
    return found[call];
}

#define REAL(name) ((__typeof__(&name))real(CALL_##name))
#define FAIL(name, fd)                                                                         \
    if (meant(CALL_##name, fd)) {                                                              \
        errno = plan.error;                                                                    \
        return -1;                                                                             \
    }

/* What was asked of the poll, by descriptor. */
#define WATCHED 4096
static struct {
    int epoll;
    struct epoll_event event;
} watched[WATCHED];

/* What is left "comes" only now. */
static void comes_again(int fd)
{
    int before = errno;
    if (fd >= 0 && fd < WATCHED && watched[fd].epoll)
        REAL(epoll_ctl)(watched[fd].epoll, EPOLL_CTL_MOD, fd, &watched[fd].event);
    errno = before;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    FAIL(epoll_ctl, fd)
    int outcome = REAL(epoll_ctl)(epoll, operation, fd, event);
    if (!outcome && fd >= 0 && fd < WATCHED) {
        watched[fd].epoll = operation == EPOLL_CTL_DEL ? 0 : epoll;
        if (operation != EPOLL_CTL_DEL)
            watched[fd].event = *event;
    }
    return outcome;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    if (meant(CALL_epoll_wait, epoll)) {
        if (plan.error) {
            errno = plan.error;
            return -1;
        }
        if (!plan.most)
            return 0; /* as if it had waited */
        most = plan.most < most ? (int)plan.most : most;
    }
    return REAL(epoll_wait)(epoll, events, most, timeout);
}

/* A read: it fails, or brings less. */
#define READ(name, fd, size, call)                                                             \
    if (meant(CALL_##name, fd)) {                                                              \
        if (plan.error) {                                                                      \
            if (plan.error == EAGAIN)                                                          \
                comes_again(fd);                                                               \
            errno = plan.error;                                                                \
            return -1;                                                                         \
        }                                                                                      \
        if ((size_t)plan.most < size)                                                          \
            size = (size_t)plan.most;                                                          \
        ssize_t count = call;                                                                  \
        comes_again(fd);                                                                       \
        return count;                                                                          \
    }                                                                                          \
    return call;

ssize_t recv(int fd, void *into, size_t size, int flags)
{
    READ(recv, fd, size, REAL(recv)(fd, into, size, flags))
}

ssize_t recvfrom(int fd, void *into, size_t size, int flags, struct sockaddr *address,
                 socklen_t *len)
{
    READ(recvfrom, fd, size, REAL(recvfrom)(fd, into, size, flags, address, len))
}

ssize_t read(int fd, void *into, size_t size)
{
    READ(read, fd, size, REAL(read)(fd, into, size))
}

/* The first piece alone, and of that so much: what is in `message` is put back. */
#define SHORTER(message, call)                                                                 \
    struct iovec *pieces = (message)->msg_iov;                                                 \
    struct iovec first = pieces && (message)->msg_iovlen ? pieces[0] : (struct iovec){0};      \
    struct msghdr less = *(message);                                                           \
    if ((size_t)plan.most < first.iov_len)                                                     \
        first.iov_len = (size_t)plan.most;                                                     \
    less.msg_iov = &first;                                                                     \
    less.msg_iovlen = 1;                                                                       \
    ssize_t count = call;

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!meant(CALL_recvmsg, fd))
        return REAL(recvmsg)(fd, message, flags);
    if (plan.error) {
        if (plan.error == EAGAIN)
            comes_again(fd);
        errno = plan.error;
        return -1;
    }
    SHORTER(message, REAL(recvmsg)(fd, &less, flags))
    message->msg_controllen = less.msg_controllen;
    message->msg_namelen = less.msg_namelen;
    message->msg_flags = less.msg_flags;
    comes_again(fd);
    return count;
}

#define WRITE(name, fd, size, call)                                                            \
    if (meant(CALL_##name, fd)) {                                                              \
        if (plan.error) {                                                                      \
            errno = plan.error;                                                                \
            return -1;                                                                         \
        }                                                                                      \
        if ((size_t)plan.most < size)                                                          \
            size = (size_t)plan.most;                                                          \
    }                                                                                          \
    return call;

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    WRITE(send, fd, size, REAL(send)(fd, data, size, flags))
}

ssize_t sendto(int fd, const void *data, size_t size, int flags,
               const struct sockaddr *address, socklen_t len)
{
    WRITE(sendto, fd, size, REAL(sendto)(fd, data, size, flags, address, len))
}

ssize_t write(int fd, const void *data, size_t size)
{
    /* A byte is a signal's wake-up. It is refused only where so many wait that it isn't missed. */
    if (size == 1 && plan.error == EAGAIN)
        return REAL(write)(fd, data, size);
    WRITE(write, fd, size, REAL(write)(fd, data, size))
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (!meant(CALL_writev, fd))
        return REAL(writev)(fd, pieces, count);
    if (plan.error) {
        errno = plan.error;
        return -1;
    }
    struct iovec first = pieces[0];
    if ((size_t)plan.most < first.iov_len)
        first.iov_len = (size_t)plan.most;
    return REAL(writev)(fd, &first, 1);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!meant(CALL_sendmsg, fd))
        return REAL(sendmsg)(fd, message, flags);
    if (plan.error) {
        errno = plan.error;
        return -1;
    }
    SHORTER(message, REAL(sendmsg)(fd, &less, flags))
    return count;
}

int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    FAIL(accept4, fd)
    return REAL(accept4)(fd, address, len, flags);
}

int epoll_create1(int flags)
{
    FAIL(epoll_create1, -1)
    return REAL(epoll_create1)(flags);
}

int eventfd(unsigned int count, int flags)
{
    FAIL(eventfd, -1)
    return REAL(eventfd)(count, flags);
}

int socket(int domain, int type, int protocol)
{
    FAIL(socket, -1)
    return REAL(socket)(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    FAIL(socketpair, -1)
    return REAL(socketpair)(domain, type, protocol, ends);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (meant(CALL_connect, fd)) {
        if (plan.error == EINTR || plan.error == EINPROGRESS)
            REAL(connect)(fd, address, len);
        errno = plan.error;
        return -1;
    }
    return REAL(connect)(fd, address, len);
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    FAIL(bind, fd)
    return REAL(bind)(fd, address, len);
}

int listen(int fd, int backlog)
{
    FAIL(listen, fd)
    return REAL(listen)(fd, backlog);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    if (level == SOL_SOCKET && name == SO_ERROR && meant(CALL_so_error, fd)) {
        *(int *)value = plan.error;
        *len = sizeof(int);
        return 0;
    }
    FAIL(getsockopt, fd)
    return REAL(getsockopt)(fd, level, name, value, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    FAIL(setsockopt, fd)
    return REAL(setsockopt)(fd, level, name, value, len);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    FAIL(getsockname, fd)
    return REAL(getsockname)(fd, address, len);
}

int getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    FAIL(getpeername, fd)
    return REAL(getpeername)(fd, address, len);
}

int shutdown(int fd, int how)
{
    FAIL(shutdown, fd)
    return REAL(shutdown)(fd, how);
}

int close(int fd)
{
    int harm = meant(CALL_close, fd);
    if (plan.fd == fd)
        plan.fd = -2; /* the number will be another's */
    if (fd >= 0 && fd < WATCHED)
        watched[fd].epoll = 0;
    int outcome = REAL(close)(fd);
    if (harm) {
        errno = plan.error;
        return -1;
    }
    return outcome;
}

/* Every system call that has no function of its own; pidfd_open is the one that matters. */
long syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_pidfd_open && meant(CALL_pidfd_open, -1)) {
        errno = plan.error;
        return -1;
    }
    static long (*next)(long, ...);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
