/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device_watch.c -- what becomes of a device: its ports by asynchronous events, its
 * removal by the kernel's object events.
 *
 * A context of our own: who reads the events of the application's takes them from it.
 * That context is what a removal waits for, where the driver cannot take the hardware
 * from under its users (Soft-RoCE): so it is closed as soon as the removal is heard
 * of. RDMA netlink tells of a removal only when it is over, see docs/kernel-facts.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/fork.h"
#include "sys/real.h"

/* The group of what the kernel says itself; udev's has another. */
#define KERNEL_GROUP 1

struct pinreg_device_watch {
	struct ibv_context *context; /* our own; NULL when the device is removed */
	char removal[IBV_SYSFS_NAME_MAX + 32];
	int objects; /* netlink: objects of the kernel that come and go */
	int both;    /* readable when one of them is */
};

static int socket_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	pinreg_fork_begin();
	int fd = pinreg_fork_opened(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
					   NETLINK_KOBJECT_UEVENT));
	if (fd < 0 || !bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	int status = -errno;
	pinreg_real_file_close(fd);
	return status;
}

static int both_open(void)
{
	pinreg_fork_begin();
	return pinreg_fork_opened(epoll_create1(EPOLL_CLOEXEC));
}

static void context_close(struct pinreg_device_watch *watch)
{
	if (!watch->context)
		return;
	pinreg_fork_begin();
	pinreg_fork_unlist(watch->context->cmd_fd);
	pinreg_fork_unlist(watch->context->async_fd);
	ibv_close_device(watch->context);
	pinreg_fork_end();
	watch->context = NULL;
}

static int context_open(struct pinreg_device_watch *watch, struct ibv_device *device)
{
	pinreg_fork_begin();
	errno = 0;
	watch->context = ibv_open_device(device);
	int status = watch->context ? 0 : errno ? -errno : -EIO;
	if (!status)
		status = pinreg_fork_list(watch->context->cmd_fd);
	if (!status)
		status = pinreg_fork_list(watch->context->async_fd);
	pinreg_fork_end();
	if (status)
		return status;
	int flags = fcntl(watch->context->async_fd, F_GETFL);
	return fcntl(watch->context->async_fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

static int listen_to(struct pinreg_device_watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	return epoll_ctl(watch->both, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int pinreg_real_device_watch_open(struct ibv_context *context, struct pinreg_device_watch **out,
				  int *fd)
{
	struct pinreg_device_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	snprintf(watch->removal, sizeof(watch->removal), "/infiniband_verbs/%s",
		 context->device->dev_name);
	watch->both = both_open();
	/* before the context, which cannot be opened when it was removed before */
	watch->objects = socket_open();
	int status = watch->both < 0 ? watch->both : watch->objects < 0 ? watch->objects : 0;
	if (!status)
		status = context_open(watch, context->device);
	if (!status)
		status = listen_to(watch, watch->objects);
	if (!status)
		status = listen_to(watch, watch->context->async_fd);
	if (status) {
		pinreg_real_device_watch_close(watch);
		return status;
	}
	*fd = watch->both;
	*out = watch;
	return 0;
}

static void sources_close(struct pinreg_device_watch *watch)
{
	context_close(watch);
	if (watch->objects >= 0)
		pinreg_real_file_close(watch->objects);
	watch->objects = -1;
}

void pinreg_real_device_watch_close(struct pinreg_device_watch *watch)
{
	sources_close(watch);
	if (watch->both >= 0)
		pinreg_real_file_close(watch->both);
	free(watch);
}

/* "remove@/devices/.../infiniband_verbs/uverbs0", a zero, and more. */
static bool is_removal(const struct pinreg_device_watch *watch, const char *message)
{
	size_t length = strlen(message), ending = strlen(watch->removal);
	return !strncmp(message, "remove@", 7) && length >= ending &&
	       !strcmp(message + length - ending, watch->removal);
}

/* Messages were lost: is it still there? */
static bool is_gone(const struct pinreg_device_watch *watch)
{
	return access(watch->context->device->dev_path, F_OK) && errno == ENOENT;
}

static bool removal_heard(const struct pinreg_device_watch *watch)
{
	char message[4096];
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t room = sizeof(from);
		ssize_t got = recvfrom(watch->objects, message, sizeof(message) - 1, 0,
				       (struct sockaddr *)&from, &room);
		if (got < 0 && errno == ENOBUFS && is_gone(watch))
			return true;
		if (got < 0 && (errno == ENOBUFS || errno == EINTR))
			continue;
		if (got < 0)
			return false;
		message[got] = 0;
		/* 0: the kernel */
		if (!from.nl_pid && is_removal(watch, message))
			return true;
	}
}

/* NONE: nothing that an owner has to know. */
static enum pinreg_device_event meaning(enum ibv_event_type type)
{
	switch (type) {
	case IBV_EVENT_PORT_ERR:
		return PINREG_DEVICE_PORT_DOWN;
	case IBV_EVENT_PORT_ACTIVE:
		return PINREG_DEVICE_PORT_UP;
	case IBV_EVENT_DEVICE_FATAL:
		return PINREG_DEVICE_FATAL;
	default:
		return PINREG_DEVICE_NONE;
	}
}

static int next_of_context(struct pinreg_device_watch *watch, struct pinreg_device_news *out)
{
	struct ibv_async_event event;
	do {
		if (ibv_get_async_event(watch->context, &event))
			return -errno;
		out->event = meaning(event.event_type);
		out->port = 0;
		if (out->event != PINREG_DEVICE_FATAL)
			out->port = (unsigned int)event.element.port_num;
		ibv_ack_async_event(&event);
	} while (out->event == PINREG_DEVICE_NONE);
	return 0;
}

int pinreg_real_device_watch_next(struct pinreg_device_watch *watch, struct pinreg_device_news *out)
{
	if (!watch->context)
		return -EAGAIN;
	if (!removal_heard(watch)) {
		int status = next_of_context(watch, out);
		if (!status || status == -EAGAIN)
			return status;
		/* the kernel has taken the device from the context */
	}
	sources_close(watch);
	*out = (struct pinreg_device_news){ .event = PINREG_DEVICE_REMOVED };
	return 0;
}
