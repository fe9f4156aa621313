/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma.h -- the guest's device, and a remote peer that is the device itself.
 */
#ifndef PINREG_TESTS_SUPPORT_RDMA_H
#define PINREG_TESTS_SUPPORT_RDMA_H

#include <stdbool.h>

#include <pinreg/pinreg.h>

/* The domain of this test process on the first device. */
struct pinreg_domain *rdma_domain(const struct pinreg_domain_opts *opts);
struct ibv_pd *rdma_pd(void);

/* Does the device do ODP at all, and right for any offset? From the data test. */
bool rdma_has_odp(void);
enum pinreg_trust rdma_trust(void);

/* A region of the domain; fails the case with the reason. And its keys of now. */
struct pinreg_region *rdma_register(void *addr, size_t length,
				    const struct pinreg_region_opts *opts);
struct pinreg_keys rdma_keys(struct pinreg_region *region);

/*
 * A peer with a buffer of its own; one that met an error is dead. Offsets and
 * lengths in bytes; offset 0 of the buffer goes to or comes from addr.
 */
#define RDMA_ROOM (128u << 10)
struct rdma_peer;
struct rdma_peer *rdma_peer_open(void);
void rdma_peer_close(struct rdma_peer *peer);
unsigned char *rdma_peer_buffer(struct rdma_peer *peer);
int rdma_peer_write(struct rdma_peer *peer, const struct pinreg_keys *keys, uint64_t offset,
		    uint32_t length);
int rdma_peer_read(struct rdma_peer *peer, const struct pinreg_keys *keys, uint64_t offset,
		   uint32_t length);

/* Fill with bytes that depend on seed and place, never two alike in a row. */
void rdma_pattern(unsigned char *to, uint64_t length, unsigned int seed);

/* Fails the test at the first byte that is not the pattern's. */
void rdma_expect(const unsigned char *what, uint64_t length, unsigned int seed);

/* The sentence of a reason, in a static buffer. */
const char *rdma_sentence(const struct pinreg_why *why);

#endif
