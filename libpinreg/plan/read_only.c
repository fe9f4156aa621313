/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read_only.c -- whether the kernel pins shared memory that may only be read.
 */
#include <errno.h>

#include "plan/device.h"

#define LENGTH 4096u

enum pinreg_proof pinreg_device_test_read_only(struct pinreg_device *device)
{
	const struct pinreg_sys *sys = device->sys;
	int known = atomic_load(&device->read_only);
	void *memory;
	struct ibv_mr *mr;
	if (known != PINREG_PROOF_NONE || sys->map_shared_read_only(LENGTH, &memory))
		return (enum pinreg_proof)known;
	int status = sys->mr_register(device->pd, memory, LENGTH, (uintptr_t)memory,
				      IBV_ACCESS_REMOTE_READ, &mr);
	if (!status)
		sys->mr_deregister(mr);
	sys->unmap(memory, LENGTH);
	/* only these say something about the memory; others of limits and the device */
	if (!status)
		known = PINREG_PROOF_WORKS;
	else if (status == -EFAULT || status == -EPERM || status == -EACCES)
		known = PINREG_PROOF_FAILS;
	atomic_store(&device->read_only, known);
	return (enum pinreg_proof)known;
}
