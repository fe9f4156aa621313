/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-enter.c -- what does it cost to be inside of a region? See enter.h.
 *
 *   bench-enter [DIRECTORY]    on a filesystem with leases; /var/tmp
 */
#include "device.h"
#include "enter.h"

int main(int argc, char **argv)
{
	struct pinreg_domain *domain;
	struct ibv_context *context = bench_open_device(NULL);
	struct ibv_pd *pd = context ? ibv_alloc_pd(context) : NULL;
	if (!pd)
		die("device", "there is none");
	int status = pinreg_domain_open(pd, NULL, &domain);
	if (status)
		die("pinreg_domain_open", strerror(-status));
	bench_enter(domain, argc > 1 ? argv[1] : "/var/tmp");
	pinreg_domain_close(domain);
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
	return EXIT_SUCCESS;
}
