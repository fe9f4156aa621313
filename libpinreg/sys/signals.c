/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals.c -- the signals of broken leases, and nobody else's.
 *
 * They are sent to one thread, which has them blocked. But who reads blocked
 * signals, by a signalfd or sigwait, is given those that were sent to the process
 * too: an application's timer, another library's lease. Such a one must not be
 * taken. So a signal is chosen that nobody has a use for; and where somebody has
 * one all the same, the thread's own pending signals are looked at before each is
 * taken (of those the kernel gives a thread its own first).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fork.h"
#include "sys/real.h"
#include "sys/sysfs.h"

enum { READY_LEASE = 1, READY_OVERFLOW = 2 };

/* Has somebody in the process a use for it? The calling thread stands for the others. */
static bool in_use(int signal)
{
	struct sigaction action;
	sigset_t blocked;
	/* glibc keeps some for itself and refuses to tell */
	if (sigaction(signal, NULL, &action) || pthread_sigmask(SIG_SETMASK, NULL, &blocked))
		return true;
	return action.sa_handler != SIG_DFL || sigismember(&blocked, signal);
}

int pinreg_real_signal_choose(int wanted, struct pinreg_signals *out)
{
	*out = (struct pinreg_signals){ .epoll = -1, .lease = -1, .overflow = -1 };
	if (wanted) {
		out->signal = wanted;
		out->shared = in_use(wanted);
		return 0;
	}
	for (int signal = SIGRTMAX; signal >= SIGRTMIN; signal--) {
		if (!in_use(signal)) {
			out->signal = signal;
			return 0;
		}
	}
	return -EBUSY;
}

/* Does one wait that was sent to this thread, not to the process? */
static bool is_ours(int signal)
{
	char text[4096];
	if (pinreg_sysfs_read("/proc/thread-self/status", text, sizeof(text)))
		return true; /* without procfs nobody can tell */
	const char *line = strstr(text, "\nSigPnd:");
	return !line || strtoull(line + strlen("\nSigPnd:"), NULL, 16) >> (signal - 1) & 1;
}

/*
 * SIGIO too: the kernel sends it, without a descriptor, when the queue of
 * real-time signals is full, and its default is to end the process.
 */
static void set_of(sigset_t *set, int signal)
{
	sigemptyset(set);
	sigaddset(set, signal);
	sigaddset(set, SIGIO);
}

int pinreg_real_signals_block(int signal, sigset_t *before)
{
	sigset_t set;
	set_of(&set, signal);
	return -pthread_sigmask(SIG_BLOCK, &set, before);
}

static void take_ours(int signal)
{
	static const struct timespec at_once = { 0 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	while (is_ours(signal) && (sigtimedwait(&set, NULL, &at_once) > 0 || errno == EINTR))
		;
}

int pinreg_real_signals_restore(int signal, const sigset_t *before)
{
	/* those of our leases; unblocked they would end the process */
	take_ours(signal);
	take_ours(SIGIO);
	return -pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int open_signalfd(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	pinreg_fork_begin();
	return pinreg_fork_opened(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

/* At each change only: what is not ours stays there, and must not keep us awake. */
static int add_source(int epoll, int fd, uint32_t ready)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = ready };
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int pinreg_real_signals_open(struct pinreg_signals *signals)
{
	sigset_t before;
	int status = pinreg_real_signals_block(signals->signal, &before);
	if (status)
		return status;
	pinreg_fork_begin();
	signals->epoll = pinreg_fork_opened(epoll_create1(EPOLL_CLOEXEC));
	signals->lease = open_signalfd(signals->signal);
	signals->overflow = open_signalfd(SIGIO);
	if (signals->epoll < 0)
		return signals->epoll;
	if (signals->lease < 0)
		return signals->lease;
	if (signals->overflow < 0)
		return signals->overflow;
	status = add_source(signals->epoll, signals->lease, READY_LEASE);
	return status ? status : add_source(signals->epoll, signals->overflow, READY_OVERFLOW);
}

void pinreg_real_signals_close(struct pinreg_signals *signals)
{
	int *fds[] = { &signals->epoll, &signals->lease, &signals->overflow };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			pinreg_real_file_close(*fds[i]);
		*fds[i] = -1;
	}
}

/*
 * What was taken by mistake is sent to the process again, as it was but for its
 * code where that says that the kernel or kill() sent it: such nobody can send.
 */
static void give_back(struct pinreg_signals *signals, const struct signalfd_siginfo *from)
{
	siginfo_t info = { .si_signo = (int)from->ssi_signo, .si_code = from->ssi_code };
	signals->shared = true;
	if (info.si_code == SI_TKILL)
		return; /* it was sent to this very thread, by whomever */
	if (info.si_code == SI_TIMER) {
		info.si_timerid = (int)from->ssi_tid;
		info.si_overrun = (int)from->ssi_overrun;
	} else {
		if (info.si_code >= 0)
			info.si_code = SI_QUEUE;
		info.si_pid = (pid_t)from->ssi_pid;
		info.si_uid = from->ssi_uid;
	}
	info.si_ptr = (void *)(uintptr_t)from->ssi_ptr;
	syscall(SYS_rt_sigqueueinfo, getpid(), info.si_signo, &info);
}

void pinreg_real_signals_unknown(struct pinreg_signals *signals, int fd)
{
	struct f_owner_ex owner;
	/*
	 * Ours are a thread's. A number that is closed by now was ours, or is nobody's; and
	 * one that is something else by now sends another signal, as every one does that was
	 * not told which: for that nobody may have a handler, and it would end the process.
	 */
	if (fcntl(fd, F_GETOWN_EX, &owner) || owner.type == F_OWNER_TID || !owner.pid ||
	    fcntl(fd, F_GETSIG) != signals->signal)
		return;
	siginfo_t info = { .si_signo = signals->signal, .si_code = SI_SIGIO };
	info.si_fd = fd;
	info.si_band = POLLIN | POLLRDNORM | POLLMSG;
	signals->shared = true;
	syscall(SYS_rt_sigqueueinfo, getpid(), info.si_signo, &info);
}

/* Take some, as many as is safe, behind *count. Can there be more? */
static bool take_leases(struct pinreg_signals *signals, int *fds, unsigned int room,
			unsigned int *count)
{
	struct signalfd_siginfo infos[16];
	size_t most = signals->shared ? 1 : sizeof(infos) / sizeof(infos[0]);
	if (most > room - *count)
		most = room - *count;
	if (signals->shared && !is_ours(signals->signal))
		return false;
	ssize_t got = read(signals->lease, infos, sizeof(infos[0]) * most);
	size_t taken = got < 0 ? 0 : (size_t)got / sizeof(infos[0]);
	for (size_t i = 0; i < taken; i++)
		if (infos[i].ssi_code >= POLL_IN && infos[i].ssi_code <= POLL_HUP)
			fds[(*count)++] = infos[i].ssi_fd;
		else
			give_back(signals, &infos[i]); /* of no lease */
	return taken == most;
}

static bool take_overflow(const struct pinreg_signals *signals)
{
	struct signalfd_siginfo info;
	return is_ours(SIGIO) && read(signals->overflow, &info, sizeof(info)) > 0;
}

static void note_ready(struct pinreg_signals *signals)
{
	struct epoll_event events[2];
	int count = epoll_wait(signals->epoll, events, 2, 0);
	for (int i = 0; i < count; i++)
		signals->ready |= events[i].data.u32;
}

int pinreg_real_signals_next(struct pinreg_signals *signals, int *fds, unsigned int room)
{
	unsigned int count = 0;
	note_ready(signals);
	while (signals->ready & READY_LEASE && count < room)
		if (!take_leases(signals, fds, room, &count))
			signals->ready &= ~(unsigned int)READY_LEASE;
	if (signals->ready & READY_OVERFLOW && count < room) {
		signals->ready &= ~(unsigned int)READY_OVERFLOW;
		if (take_overflow(signals))
			fds[count++] = -1;
	}
	return (int)count;
}
