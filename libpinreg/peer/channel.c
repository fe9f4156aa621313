/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.c -- messages over a queue pair that the program has.
 */
#include <errno.h>

#include <pinreg/renew.h>

#include "base/opts.h"
#include "sys/sys.h"

int pinreg_qp_send(void *context, const void *message, size_t length)
{
	struct pinreg_qp_channel channel;
	if (!context || !message || length != PINREG_DESCRIPTOR_LENGTH ||
	    pinreg_opts_read(context, &channel, sizeof(channel)) || !channel.qp)
		return -EINVAL;
	return pinreg_sys_real.send_inline(channel.qp, channel.wr_id, message, (uint32_t)length);
}
