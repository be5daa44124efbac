"""What may happen to each system call, by its manual page."""

from __future__ import annotations

import errno

from helpers.faults.shim import Fault

# What a program need not notice: it is done again, or the rest comes later.
SOFT = [
    Fault("accept4", errno.EINTR),
    Fault("accept4", errno.EAGAIN),
    Fault("accept4", errno.ECONNABORTED),
    *(
        Fault(call, error, most)
        for call in ("recv", "recvmsg", "read", "send", "sendmsg", "write")
        for error, most in [(errno.EINTR, 0), (errno.EAGAIN, 0), (0, 1)]
    ),
    *(Fault(call, errno.EINTR) for call in ("recvfrom", "sendto", "writev")),
    *(Fault(call, errno.EAGAIN) for call in ("recvfrom", "sendto")),
    Fault("writev", most=1),
    Fault("epoll_wait", errno.EINTR),
    Fault("epoll_wait", most=0),
    Fault("epoll_wait", most=1),
]

# What is told to somebody: the connection that it concerns, or whoever has called.
HARD = [
    *(
        Fault("accept4", error)
        for error in (
            errno.EMFILE,
            errno.ENFILE,
            errno.ENOBUFS,
            errno.ENOMEM,
            errno.EPROTO,
            errno.EPERM,
            errno.EBADF,
        )
    ),
    *(
        Fault(call, error)
        for call in ("recv", "recvmsg", "read", "recvfrom")
        for error in (
            errno.ECONNRESET,
            errno.ETIMEDOUT,
            errno.ENOBUFS,
            errno.ENOMEM,
            errno.ECONNREFUSED,
            errno.EIO,
            errno.EBADF,
        )
    ),
    *(
        Fault(call, error)
        for call in ("send", "sendmsg", "write", "writev", "sendto")
        for error in (
            errno.EPIPE,
            errno.ECONNRESET,
            errno.ENOBUFS,
            errno.ENOMEM,
            errno.EHOSTUNREACH,
            errno.EIO,
            errno.EBADF,
        )
    ),
    *(Fault("epoll_ctl", error) for error in (errno.ENOMEM, errno.ENOSPC, errno.EBADF)),
    *(Fault("epoll_wait", error) for error in (errno.EBADF, errno.EINVAL, errno.ENOMEM)),
    *(
        Fault("connect", error)
        for error in (
            errno.EINTR,
            errno.ECONNREFUSED,
            errno.ETIMEDOUT,
            errno.ENETUNREACH,
            errno.EADDRNOTAVAIL,
            errno.EACCES,
            errno.EAGAIN,
        )
    ),
    *(Fault("so_error", error) for error in (errno.ECONNREFUSED, errno.ETIMEDOUT)),
    *(Fault("getsockopt", error) for error in (errno.ENOBUFS, errno.ENOPROTOOPT)),
    *(Fault("setsockopt", error) for error in (errno.EINVAL, errno.ENOMEM)),
    *(Fault("getsockname", error) for error in (errno.ENOBUFS, errno.EBADF)),
    *(Fault("getpeername", error) for error in (errno.ENOTCONN, errno.ENOBUFS)),
    *(Fault("shutdown", error) for error in (errno.ENOTCONN, errno.EBADF)),
    *(Fault("close", error) for error in (errno.EINTR, errno.EIO, errno.EBADF)),
    *(
        Fault(call, error)
        for call in ("socket", "socketpair", "eventfd", "epoll_create1", "pidfd_open")
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    ),
    *(Fault("bind", error) for error in (errno.EADDRINUSE, errno.EACCES)),
    Fault("listen", errno.EADDRINUSE),
]

ALL = SOFT + HARD
