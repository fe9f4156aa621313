/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c -- telling the owner what becomes of the device.
 */
#include "watch/device.h"

int pinreg_watch_device(struct pinreg_watch *watch)
{
	struct pinreg_device *device = watch->device;
	int status = device->sys->device_watch_open(device->pd->context, &watch->device_watch,
						    &watch->device_fd);
	return status ? status : pinreg_watch_start(watch);
}

void pinreg_watch_device_news(struct pinreg_watch *watch)
{
	struct pinreg_device_news news;
	while (!watch->device->sys->device_watch_next(watch->device_watch, &news)) {
		struct pinreg_event event = {
			.type = PINREG_EVENT_DEVICE,
			.device = news.event,
			.port = news.port,
		};
		pinreg_events_push(watch->events, &event);
	}
}

void pinreg_watch_device_end(struct pinreg_watch *watch)
{
	if (watch->device_watch)
		watch->device->sys->device_watch_close(watch->device_watch);
	watch->device_watch = NULL;
	watch->device_fd = -1;
}
