/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pushes.h -- what one client is told unasked: the keys of the files, as they change.
 *
 * A client is subscribed to a file while it is served, never while it is still being
 * put right: a client that has a key may use it. The sessions' lock guards it.
 */
#ifndef PMEM_STORE_PUSHES_H
#define PMEM_STORE_PUSHES_H

#include "link.h"
#include "options.h"
#include "pmem.h"

struct pushes {
	struct pinreg_renewal *renewal;
	struct link *link;
	bool wanted[SERVE_FILES]; /* the client asked for it */
	struct pinreg_subscription *index[SERVE_FILES];
	struct pinreg_subscription *data[SERVE_FILES];
};

/* The file is served, or comes to be: if the client wants it he is told from now on. */
void pushes_serve(struct pushes *pushes, unsigned int file, struct pmem *pmem);
/* After it the link may go. */
void pushes_end(struct pushes *pushes);

#endif
