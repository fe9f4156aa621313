/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pushes.c -- what one client is told unasked: the keys of the files, as they change.
 */
#include "pushes.h"

static int subscribe(struct pushes *pushes, struct pinreg_region *region,
		     struct pinreg_subscription **subscription)
{
	if (*subscription)
		return 0;
	return pinreg_renewal_subscribe(pushes->renewal, region, link_push, pushes->link,
					subscription);
}

void pushes_serve(struct pushes *pushes, unsigned int file, struct pmem *pmem)
{
	int ret;

	if (!pushes->wanted[file] || pmem_look(pmem).gate != PMEM_SERVING)
		return;
	ret = subscribe(pushes, pmem->head, &pushes->index[file]);
	if (ret == 0)
		ret = subscribe(pushes, pmem->data, &pushes->data[file]);
	if (ret)
		link_break(pushes->link); /* the client connects again, or we are ending */
}

void pushes_end(struct pushes *pushes)
{
	for (unsigned int file = 0; file < SERVE_FILES; file++) {
		pushes->wanted[file] = false;
		pinreg_renewal_unsubscribe(pushes->index[file]);
		pinreg_renewal_unsubscribe(pushes->data[file]);
		pushes->index[file] = NULL;
		pushes->data[file] = NULL;
	}
}
