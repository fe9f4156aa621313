/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_device.c -- registrations are pointers, transfers are copies.
 */
#include "support/fake_device.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/fake_window.h"
#include "support/test.h"

#define REGIONS_MAX 1024

struct fake_device fake_device;

static struct ibv_mr region_table[REGIONS_MAX];
static bool region_odp[REGIONS_MAX];

struct pinreg_loop {
	bool dead;
};

static struct ibv_device verbs_device = { .name = "fake0" };
static struct ibv_context verbs_context = { .device = &verbs_device };
static struct ibv_pd verbs_pd = { .context = &verbs_context };

/* 0, or the error that this one has to give. */
static int make(void)
{
	return ++fake_device.makes == fake_device.make_fail_at ? fake_device.make_error : 0;
}

static int device_query(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	(void)context;
	*out = fake_device.attr;
	return 0;
}

static int port_query(struct ibv_context *context, unsigned int port, struct ibv_port_attr *out)
{
	(void)context;
	(void)port;
	/* threads ask at the same time, before one of them tests */
	unsigned int asked = __atomic_add_fetch(&fake_device.port_queries, 1, __ATOMIC_RELAXED);

	*out = (struct ibv_port_attr){ .state = fake_device.state, .active_mtu = fake_device.mtu };
	if (fake_device.mtu_changes_at && asked >= fake_device.mtu_changes_at)
		out->active_mtu = IBV_MTU_512;
	return 0;
}

static uint32_t keys_made;

static int register_locked(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			   unsigned int access, struct ibv_mr **out)
{
	assert_true(iova == (uintptr_t)addr);
	bool odp = access & IBV_ACCESS_ON_DEMAND;
	unsigned int i = 0;
	int status = make();

	if (!status && odp)
		status = fake_device.odp_error;
	if (!status && odp && access & IBV_ACCESS_REMOTE_ATOMIC)
		status = fake_device.atomic_error;
	if (status)
		return status;
	while (i < REGIONS_MAX && region_table[i].addr)
		i++;
	assert_true(i < REGIONS_MAX);
	/* as rxe does: each registration has a key of its own */
	uint32_t key = ++keys_made * REGIONS_MAX + i;
	region_table[i] = (struct ibv_mr){
		.pd = pd,
		.addr = addr,
		.length = length,
		.lkey = key,
		.rkey = key,
	};
	region_odp[i] = odp;
	fake_device.odp_registered += odp;
	fake_device.regions++;
	*out = &region_table[i];
	return 0;
}

/* The library registers from several threads. */
static pthread_mutex_t region_lock = PTHREAD_MUTEX_INITIALIZER;

static int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
		       unsigned int access, struct ibv_mr **out)
{
	pthread_mutex_lock(&region_lock);
	int status = register_locked(pd, addr, length, iova, access, out);
	pthread_mutex_unlock(&region_lock);
	return status;
}

static int mr_deregister(struct ibv_mr *mr)
{
	pthread_mutex_lock(&region_lock);
	assert_non_null(mr->addr);
	mr->addr = NULL;
	fake_device.regions--;
	pthread_mutex_unlock(&region_lock);
	return 0;
}

unsigned int fake_device_regions(void)
{
	pthread_mutex_lock(&region_lock);
	unsigned int count = fake_device.regions;
	pthread_mutex_unlock(&region_lock);
	return count;
}

static int loop_open(struct ibv_pd *pd, unsigned int port, struct pinreg_loop **out)
{
	struct pinreg_loop *loop;
	int status = make();

	(void)pd;
	(void)port;
	if (status)
		return status;
	usleep(fake_device.open_us);
	loop = calloc(1, sizeof(*loop));
	assert_non_null(loop);
	fake_device.loops_opened++;
	fake_device.loops++;
	*out = loop;
	return 0;
}

static void loop_close(struct pinreg_loop *loop)
{
	free(loop);
	fake_device.loops--;
}

static bool is_odp(uint32_t key, uint64_t addr, uint32_t length)
{
	const struct ibv_mr *mr = &region_table[key % REGIONS_MAX];

	assert_int_equal(key, mr->rkey); /* an old key finds nothing */
	assert_non_null(mr->addr);
	assert_true(addr >= (uintptr_t)mr->addr);
	assert_true(addr + length <= (uintptr_t)mr->addr + mr->length);
	return region_odp[key % REGIONS_MAX];
}

/*
 * One packet between its buffer and memory, as the kernel's rxe does it: each
 * piece at the start of its page and of the packet. See "rxe ODP corrupts
 * data" in docs/kernel-facts.md.
 */
static void packet_rxe(uint8_t *packet, uint64_t addr, uint64_t length, bool store)
{
	uint64_t size = pinreg_sys_real.page_size();
	uint64_t offset = addr % size;
	uint8_t *page = (uint8_t *)(uintptr_t)(addr - offset);

	for (; length; page += size, offset = 0) {
		uint64_t bytes = size - offset < length ? size - offset : length;

		memcpy(store ? page : packet, store ? packet : page, bytes);
		length -= bytes;
	}
}

static void packet_move(uint8_t *packet, uint64_t addr, uint64_t length, bool odp, bool store)
{
	uint8_t *memory = (uint8_t *)(uintptr_t)addr;

	if (odp && fake_device.odp == FAKE_ODP_RXE)
		packet_rxe(packet, addr, length, store);
	else
		memcpy(store ? memory : packet, store ? packet : memory, length);
}

static void move(uint64_t from, bool from_odp, uint64_t to, bool to_odp, uint32_t length)
{
	uint64_t mtu = pinreg_mtu_bytes(fake_device.mtu);
	uint64_t page = pinreg_sys_real.page_size();
	uint8_t packet[4096];

	if ((from_odp || to_odp) ? fake_device.odp == FAKE_ODP_DEAF : fake_device.pinned_wrong)
		return;
	for (uint64_t done = 0; done < length; done += mtu) {
		uint64_t bytes = length - done < mtu ? length - done : mtu;

		packet_move(packet, from + done, bytes, from_odp, false);
		packet_move(packet, to + done, bytes, to_odp, true);
	}
	if (fake_device.odp == FAKE_ODP_STRAY && to_odp && (to + length) % page)
		(*(uint8_t *)(uintptr_t)(to + length))++;
}

/* Counts the transfer; 0, or the error that it has to give. */
static int transfer(struct pinreg_loop *loop)
{
	unsigned int number = ++fake_device.transfers;

	if (loop->dead)
		return -EREMOTEIO;
	if (!fake_device.fail_at || number < fake_device.fail_at ||
	    number >= fake_device.fail_at + fake_device.fail_count)
		return 0;
	loop->dead = true;
	return fake_device.fail_error;
}

static int loop_write(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
		      uint32_t rkey, uint64_t remote_addr, uint32_t length)
{
	bool from_odp = is_odp(local->lkey, local_addr, length);
	bool to_odp = is_odp(rkey, remote_addr, length);
	int status = transfer(loop);

	if (!status)
		move(local_addr, from_odp, remote_addr, to_odp, length);
	return status;
}

static int loop_read(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
		     uint32_t rkey, uint64_t remote_addr, uint32_t length)
{
	bool from_odp = is_odp(rkey, remote_addr, length);
	bool to_odp = is_odp(local->lkey, local_addr, length);
	int status = transfer(loop);

	if (!status)
		move(remote_addr, from_odp, local_addr, to_odp, length);
	return status;
}

static int atomic(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
		  uint32_t rkey, uint64_t remote_addr, const uint64_t *compare, uint64_t operand)
{
	uint64_t page = pinreg_sys_real.page_size();
	uint64_t *answer = (uint64_t *)(uintptr_t)local_addr;
	bool odp = is_odp(rkey, remote_addr, 8);
	int status = transfer(loop);

	is_odp(local->lkey, local_addr, 8);
	assert_int_equal(remote_addr % 8, 0);
	if (status || (odp && fake_device.atomics == FAKE_ATOMICS_DEAF))
		return status;
	if (odp && fake_device.atomics == FAKE_ATOMICS_PAGE_START)
		remote_addr -= remote_addr % page;
	uint64_t *value = (uint64_t *)(uintptr_t)remote_addr;
	uint64_t before = *value;
	if (!compare)
		*value += operand;
	else if (before == *compare || (odp && fake_device.atomics == FAKE_ATOMICS_SWAP_ALWAYS))
		*value = operand;
	*answer = odp && fake_device.atomics == FAKE_ATOMICS_NEW_VALUE ? *value : before;
	return 0;
}

static int loop_fetch_add(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
			  uint32_t rkey, uint64_t remote_addr, uint64_t add)
{
	return atomic(loop, local, local_addr, rkey, remote_addr, NULL, add);
}

static int loop_compare_swap(struct pinreg_loop *loop, const struct ibv_mr *local,
			     uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			     uint64_t compare, uint64_t swap)
{
	return atomic(loop, local, local_addr, rkey, remote_addr, &compare, swap);
}

static int drop(void *addr, uint64_t length)
{
	fake_device.drops++;
	return fake_device.drop_error ? fake_device.drop_error : pinreg_sys_real.drop(addr, length);
}

static uint64_t page_size(void)
{
	return pinreg_sys_real.page_size();
}

static int map_anonymous(uint64_t length, void **out)
{
	int status = make();

	if (status)
		return status;
	*out = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(*out, MAP_FAILED);
	fake_device.mappings++;
	return 0;
}

static int unmap(void *addr, uint64_t length)
{
	assert_int_equal(munmap(addr, length), 0);
	fake_device.mappings--;
	return 0;
}

void fake_device_reset(void)
{
	fake_device = (struct fake_device){ .state = IBV_PORT_ACTIVE, .mtu = IBV_MTU_4096 };
	fake_device.attr.orig_attr.phys_port_cnt = 1;
	fake_device.attr.orig_attr.node_guid = 0x1122334455667788;
	fake_device.attr.odp_caps.general_caps = IBV_ODP_SUPPORT;
	fake_device.attr.odp_caps.per_transport_caps.rc_odp_caps =
		IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ;
}

void fake_device_add_atomics(void)
{
	fake_device.attr.orig_attr.atomic_cap = IBV_ATOMIC_HCA;
	fake_device.attr.odp_caps.per_transport_caps.rc_odp_caps |= IBV_ODP_SUPPORT_ATOMIC;
}

static uint64_t huge_size(bool *ask)
{
	*ask = false;
	return 0;
}

static unsigned int cpus_online(void)
{
	return 4;
}

void fake_device_use(struct pinreg_device *out)
{
	*out = (struct pinreg_device){ .sys = fake_device_sys(), .pd = &verbs_pd, .port = 1 };
	assert_int_equal(pinreg_device_init(out), 0);
}

const struct pinreg_sys *fake_device_sys(void)
{
	static const struct pinreg_sys sys = {
		.device_query = device_query,
		.port_query = port_query,
		.mr_register = mr_register,
		.mr_deregister = mr_deregister,
		.window_make = fake_window_make,
		.window_bind = fake_window_bind,
		.window_end = fake_window_end,
		.loop_open = loop_open,
		.loop_write = loop_write,
		.loop_read = loop_read,
		.loop_fetch_add = loop_fetch_add,
		.loop_compare_swap = loop_compare_swap,
		.loop_close = loop_close,
		.page_size = page_size,
		.map_anonymous = map_anonymous,
		.unmap = unmap,
		.drop = drop,
		.huge_size = huge_size,
		.cpus_online = cpus_online,
	};

	return &sys;
}

void fake_device_assert_empty(void)
{
	assert_int_equal(fake_device.loops, 0);
	assert_int_equal(fake_device.regions, 0);
	assert_int_equal(fake_device.mappings, 0);
}
