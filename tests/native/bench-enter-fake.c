/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-enter-fake.c -- bench-enter on the tests' device, for a machine without one:
 * entering a region asks nothing of the device, and an emulated CPU says little
 * about a few nanoseconds.
 *
 *   bench-enter-fake [DIRECTORY]
 */
#include "../../bench/enter.h"
#include "support/host.h"

int main(int argc, char **argv)
{
	struct pinreg_domain *domain = host_domain(0);
	bench_enter(domain, argc > 1 ? argv[1] : "/var/tmp");
	host_domain_close(domain);
	return EXIT_SUCCESS;
}
