/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_region_move.c -- a region that was moved into 64 bytes does all that a region
 * does, but ends with its cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"
#include "region/region.h"
#include "support/hooks.h"
#include "support/test.h"

#define LENGTH 8192u

static struct pinreg_domain *domain;
static struct pinreg_region_facts facts;
static struct pinreg_region slots[3];
static int deregister_error;
static unsigned int synced;

static int deregister(struct ibv_mr *mr)
{
	return deregister_error ? deregister_error : fake_device_sys()->mr_deregister(mr);
}

static int sync_mapping(void *addr, uint64_t length)
{
	synced++;
	return pinreg_sys_real.sync_mapping(addr, length);
}

static void *anonymous(void)
{
	void *memory =
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static struct pinreg_region *made(void *memory, uint64_t length, enum pinreg_method method)
{
	struct pinreg_region_opts opts = { .size = sizeof(opts), .method = method };
	struct pinreg_region *region = NULL;
	test_ok(pinreg_region_register(domain, memory, length, &opts, NULL, &region));
	return region;
}

static uint64_t pinned(void)
{
	struct pinreg_domain_info info = { .size = sizeof(info) };
	test_ok(pinreg_domain_query(domain, &info));
	return info.pinned;
}

static void open_domain(void)
{
	hooks = (struct pinreg_sys){ .mr_deregister = deregister, .sync_mapping = sync_mapping };
	domain = hooks_domain(1);
	deregister_error = 0;
	synced = 0;
}

/* Into slot number, in its first life; the facts are a copy of its own. */
static struct pinreg_region *moved(struct pinreg_region *region, uint32_t number)
{
	struct pinreg_region *slot = &slots[number];
	facts = *pinreg_region_facts_of(region);
	slot->number = number;
	atomic_store(&slot->state, UINT64_C(1) << 32 | 1);
	pinreg_region_move(region, &facts, slot);
	return slot;
}

static struct pinreg_region *open_with(void *memory, enum pinreg_method method)
{
	open_domain();
	return moved(made(memory, LENGTH, method), 1);
}

static void end(struct pinreg_region *slot)
{
	test_ok(pinreg_region_end(slot));
	host_domain_close(domain);
}

static void move__takes_the_registration_along(void **state)
{
	(void)state;
	struct pinreg_keys before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	void *memory = anonymous();
	open_domain();
	struct pinreg_region *region = made(memory, LENGTH, PINREG_METHOD_AUTO);
	struct pinreg_region *other = made(memory, 4096, PINREG_METHOD_AUTO);
	test_ok(pinreg_region_keys(region, &before));
	struct pinreg_region *slot = moved(region, 1);
	assert_int_equal(sizeof(*slot), 64);
	test_ok(pinreg_region_keys(slot, &after));
	assert_memory_equal(&before, &after, sizeof(after));
	assert_int_equal(after.addr, (uintptr_t)memory);
	assert_int_equal(after.length, LENGTH);
	assert_int_equal(slot->mr->lkey, after.lkey);
	assert_int_equal(slot->number, 1);
	assert_int_equal(atomic_load(&slot->state), UINT64_C(1) << 32 | 1);
	/* the list has the other one only, the count has both */
	assert_ptr_equal(domain->regions.first, pinreg_region_whole(other));
	assert_null(domain->regions.first->next);
	assert_int_equal(pinreg_set_count(&domain->regions), 2);
	assert_int_equal(fake_device_regions(), 2);
	test_ok(pinreg_region_deregister(other));
	assert_null(domain->regions.first);
	end(slot);
}

static void keys__refuse_as_of_others(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	struct pinreg_keys unknown = { .size = 3 };
	struct pinreg_region_info info = { .size = 3 };
	assert_int_equal(pinreg_region_keys(slot, NULL), -EINVAL);
	assert_int_equal(pinreg_region_keys(slot, &unknown), -EINVAL);
	assert_int_equal(pinreg_region_enter(slot, &unknown), -EINVAL);
	assert_int_equal(pinreg_region_query(slot, NULL), -EINVAL);
	assert_int_equal(pinreg_region_query(slot, &info), -EINVAL);
	end(slot);
}

static void query__of_pinned_memory(void **state)
{
	(void)state;
	char *memory = anonymous();
	struct pinreg_region_info before = { .size = sizeof(before) }, info = before;
	open_domain();
	struct pinreg_region *region = made(memory, LENGTH, PINREG_METHOD_AUTO);
	test_ok(pinreg_region_query(region, &before));
	struct pinreg_region *slot = moved(region, 1);
	test_ok(pinreg_region_query(slot, &info));
	assert_int_equal(info.method, PINREG_METHOD_PIN);
	assert_int_equal(info.granularity, PINREG_GRANULARITY_BYTE);
	assert_int_equal(info.access, before.access);
	assert_int_equal(info.addr, (uintptr_t)memory);
	assert_int_equal(info.length, LENGTH);
	assert_int_equal(info.generation, 1);
	assert_int_equal(info.live, 1);
	assert_int_equal(info.why.reason, PINREG_REASON_PIN_MEMORY);
	assert_int_equal(info.why.kind, PINREG_KIND_ANON);
	assert_int_equal(info.why.addr, info.addr);
	assert_int_equal(info.why.length, info.length);
	assert_int_equal(info.why.wanted, before.why.wanted);
	end(slot);
}

/* Two regions with the facts of one of them: each has its own place and amount. */
static void query__of_shared_facts(void **state)
{
	(void)state;
	char *memory = anonymous();
	char sentence[256];
	struct pinreg_region_info info = { .size = sizeof(info) };
	struct pinreg_region *big = open_with(memory, PINREG_METHOD_AUTO);
	struct pinreg_region *small = made(memory + 4000, 90, PINREG_METHOD_AUTO);
	assert_true(pinreg_facts_agree(&facts, pinreg_region_facts_of(small)));
	slots[2].number = 2;
	pinreg_region_move(small, &facts, &slots[2]);
	test_ok(pinreg_region_query(&slots[2], &info));
	assert_int_equal(info.addr, (uintptr_t)memory + 4000);
	assert_int_equal(info.length, 90);
	assert_int_equal(info.why.wanted, 4096);
	assert_true(pinreg_why_describe(&info.why, sentence, sizeof(sentence)) > 0);
	assert_non_null(strstr(sentence, " 4096 bytes"));
	assert_int_equal(pinned(), LENGTH + 4096);
	test_ok(pinreg_region_end(&slots[2]));
	assert_int_equal(pinned(), LENGTH);
	end(big);
}

static void enter__lets_everybody_in(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	struct pinreg_keys keys = { .size = sizeof(keys) }, inside = keys;
	/* as one that was built with an older header would say */
	struct pinreg_keys old = { .size = offsetof(struct pinreg_keys, generation) };
	test_ok(pinreg_region_keys(slot, &keys));
	test_ok(pinreg_region_enter(slot, &inside));
	test_ok(pinreg_region_enter(slot, NULL));
	assert_memory_equal(&keys, &inside, sizeof(keys));
	test_ok(pinreg_region_enter(slot, &old));
	assert_int_equal(old.rkey, keys.rkey);
	for (unsigned int i = 0; i < 3; i++)
		pinreg_region_exit(slot);
	end(slot);
}

static void commit__of_anonymous_memory_does_nothing(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	test_ok(pinreg_region_commit(slot, 0, LENGTH));
	test_ok(pinreg_region_refresh(slot, LENGTH, 0));
	assert_int_equal(synced, 0);
	assert_int_equal(pinreg_region_commit(slot, 1, LENGTH), -EINVAL);
	assert_int_equal(pinreg_region_commit(slot, LENGTH + 1, 0), -EINVAL);
	assert_int_equal(pinreg_region_refresh(slot, 0, UINT64_MAX), -EINVAL);
	end(slot);
}

static void commit__of_a_file_syncs_it(void **state)
{
	(void)state;
	hooks_files();
	int fd = (int)test_ok(open(hooks_a, O_RDWR));
	void *memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	close(fd);
	struct pinreg_region *slot = open_with(memory, PINREG_METHOD_ODP);
	memset(memory, 7, LENGTH);
	test_ok(pinreg_region_commit(slot, 10, 4096));
	assert_int_equal(synced, 1);
	test_ok(pinreg_region_refresh(slot, 0, LENGTH));
	assert_int_equal(synced, 1);
	end(slot);
}

static struct pinreg_descriptor told(struct pinreg_region *region)
{
	struct pinreg_descriptor it = { .size = sizeof(it) };
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	test_ok(pinreg_region_export(region, message, sizeof(message)));
	test_ok(pinreg_descriptor_import(message, sizeof(message), &it));
	return it;
}

static void export__says_what_it_said_before(void **state)
{
	(void)state;
	open_domain();
	struct pinreg_region *region = made(anonymous(), LENGTH, PINREG_METHOD_ODP);
	struct pinreg_descriptor before = told(region);
	struct pinreg_region *slot = moved(region, 1);
	struct pinreg_descriptor after = told(slot);
	assert_int_not_equal(after.id, 0);
	assert_int_equal(after.access, PINREG_REMOTE_WRITE | PINREG_REMOTE_READ);
	assert_int_equal(after.mtu, 4096);
	before.id = after.id;
	assert_memory_equal(&before, &after, sizeof(after));
	end(slot);
}

static void export__revoked_is_of_the_same_region(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	struct pinreg_descriptor live = told(slot), dead = { .size = sizeof(dead) };
	unsigned char message[PINREG_DESCRIPTOR_LENGTH];
	test_ok(pinreg_region_export_revoked(slot, 1, 1, message, sizeof(message)));
	test_ok(pinreg_descriptor_import(message, sizeof(message), &dead));
	assert_int_equal(dead.flags, PINREG_DESCRIPTOR_REVOKED | PINREG_DESCRIPTOR_GONE);
	assert_int_equal(dead.id, live.id);
	assert_int_equal(dead.addr, live.addr);
	assert_int_equal(dead.length, live.length);
	assert_int_equal(pinreg_region_export_revoked(slot, 2, 0, message, sizeof(message)),
			 -EINVAL);
	end(slot);
}

/* A region's id stays when it is given to nobody any more, and goes with it. */
static void id__is_of_one_life_of_a_slot(void **state)
{
	(void)state;
	void *memory = anonymous();
	struct pinreg_region *slot = open_with(memory, PINREG_METHOD_AUTO);
	struct pinreg_region *other = made(memory, LENGTH, PINREG_METHOD_AUTO);
	uint64_t first = told(slot).id;
	atomic_fetch_and(&slot->state, ~UINT64_C(1));
	assert_int_equal(told(slot).id, first);
	slots[2].number = 2;
	atomic_store(&slots[2].state, atomic_load(&slot->state));
	pinreg_region_move(other, &facts, &slots[2]);
	assert_int_not_equal(told(&slots[2]).id, first);
	test_ok(pinreg_region_end(slot));
	struct pinreg_region *again = made(memory, LENGTH, PINREG_METHOD_AUTO);
	atomic_store(&slot->state, UINT64_C(2) << 32 | 1);
	pinreg_region_move(again, &facts, slot);
	assert_int_not_equal(told(slot).id, first);
	assert_int_not_equal(told(slot).id, told(&slots[2]).id);
	test_ok(pinreg_region_end(&slots[2]));
	end(slot);
}

static int count_message(void *context, const void *message, size_t length)
{
	(void)message;
	assert_int_equal(length, PINREG_DESCRIPTOR_LENGTH);
	++*(unsigned int *)context;
	return 0;
}

static void renewal__tells_of_it(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	struct pinreg_renewal *renewal;
	struct pinreg_subscription *it;
	unsigned int messages = 0;
	test_ok(pinreg_renewal_open(&renewal));
	test_ok(pinreg_renewal_subscribe(renewal, slot, count_message, &messages, &it));
	assert_int_equal(messages, 1);
	pinreg_renewal_unsubscribe(it);
	test_ok(pinreg_renewal_close(renewal));
	end(slot);
}

static void deregister__is_the_cache_s(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	assert_int_equal(pinreg_region_deregister(slot), -EINVAL);
	assert_int_equal(fake_device_regions(), 1);
	end(slot);
}

static void window__is_refused(void **state)
{
	(void)state;
	static struct ibv_qp qp;
	struct pinreg_window *window = NULL;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	assert_int_equal(pinreg_window_bind(slot, &qp, NULL, &window), -EINVAL);
	assert_null(window);
	end(slot);
}

static void pinned__is_counted_as_long_as_it_lives(void **state)
{
	(void)state;
	char *memory = anonymous();
	open_domain();
	/* parts of two pages */
	struct pinreg_region *region = made(memory + 4000, 200, PINREG_METHOD_PIN);
	assert_int_equal(pinreg_region_pinned(region), 8192);
	assert_int_equal(pinned(), 8192);
	struct pinreg_region *slot = moved(region, 1);
	assert_int_equal(pinreg_region_pinned(slot), 8192);
	assert_int_equal(pinned(), 8192);
	test_ok(pinreg_region_end(slot));
	assert_int_equal(pinned(), 0);
	host_domain_close(domain);
}

static void pinned__nothing_of_what_is_paged_on_demand(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_ODP);
	assert_int_equal(pinreg_region_pinned(slot), 0);
	assert_int_equal(pinned(), 0);
	end(slot);
}

static void close__of_the_domain_while_it_lives(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	assert_int_equal(pinreg_domain_close(domain), -EBUSY);
	end(slot);
}

static void end__that_fails_leaves_it(void **state)
{
	(void)state;
	struct pinreg_keys before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	test_ok(pinreg_region_keys(slot, &before));
	deregister_error = -EBUSY;
	assert_int_equal(pinreg_region_end(slot), -EBUSY);
	assert_int_equal(pinned(), LENGTH);
	assert_int_equal(pinreg_domain_close(domain), -EBUSY);
	test_ok(pinreg_region_keys(slot, &after));
	assert_memory_equal(&before, &after, sizeof(after));
	deregister_error = 0;
	end(slot);
}

static int no_device(struct ibv_context *context, struct ibv_device_attr_ex *out)
{
	return deregister_error ? -EIO : fake_device_sys()->device_query(context, out);
}

/* The kernel has ended it already. */
static void end__with_its_device(void **state)
{
	(void)state;
	open_domain();
	host_domain_close(domain);
	hooks.device_query = no_device;
	domain = hooks_domain(1);
	struct pinreg_region *slot = moved(made(anonymous(), LENGTH, PINREG_METHOD_AUTO), 1);
	deregister_error = -EIO;
	test_ok(pinreg_region_end(slot));
	deregister_error = 0;
	assert_int_equal(pinned(), 0);
	test_ok(pinreg_domain_close(domain));
}

static void facts__agree_but_for_places_and_amounts(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	struct pinreg_region_facts other = facts;
	struct pinreg_plan *plan = &other.decision.plan;
	plan->addr += 4096;
	plan->length = 1;
	plan->pin_bytes = plan->why.wanted = 4096;
	plan->why.used = plan->why.limit = 77;
	other.random++;
	assert_true(pinreg_facts_agree(&facts, &other));
#define EXPECT_OTHER(field, value)                                                                 \
	do {                                                                                       \
		other = facts;                                                                     \
		other.field = (value);                                                             \
		assert_false(pinreg_facts_agree(&facts, &other));                                  \
	} while (0)
	EXPECT_OTHER(set, NULL);
	EXPECT_OTHER(device, NULL);
	EXPECT_OTHER(page_size, 65536);
	EXPECT_OTHER(decision.has_file, true);
	EXPECT_OTHER(decision.plan.method, PINREG_METHOD_ODP);
	EXPECT_OTHER(decision.plan.access, IBV_ACCESS_REMOTE_READ);
	EXPECT_OTHER(decision.plan.granularity, PINREG_GRANULARITY_PAGE);
	EXPECT_OTHER(decision.plan.why.reason, PINREG_REASON_PIN_READ_ONLY);
	EXPECT_OTHER(decision.plan.why.kind, PINREG_KIND_HUGETLB);
	EXPECT_OTHER(decision.plan.why.mtu, 1024);
#undef EXPECT_OTHER
	end(slot);
}

static void fork__the_child_may_not(void **state)
{
	(void)state;
	struct pinreg_region *slot = open_with(anonymous(), PINREG_METHOD_AUTO);
	pid_t child = host_fork();
	if (!child) {
		struct pinreg_keys keys = { .size = sizeof(keys) };
		struct pinreg_region_info info = { .size = sizeof(info) };
		struct pinreg_descriptor it = { .size = sizeof(it) };
		assert_int_equal(pinreg_region_keys(slot, &keys), -EPERM);
		assert_int_equal(pinreg_region_enter(slot, &keys), -EPERM);
		assert_int_equal(pinreg_region_query(slot, &info), -EPERM);
		assert_int_equal(pinreg_region_commit(slot, 0, 1), -EPERM);
		assert_int_equal(pinreg_region_refresh(slot, 0, 1), -EPERM);
		assert_int_equal(pinreg_region_describe(slot, &it), -EPERM);
		assert_int_equal(pinreg_region_deregister(slot), -EPERM);
		pinreg_region_exit(slot);
		_exit(0);
	}
	assert_int_equal(host_wait(child), 0);
	end(slot);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(move__takes_the_registration_along),
	cmocka_unit_test(keys__refuse_as_of_others),
	cmocka_unit_test(query__of_pinned_memory),
	cmocka_unit_test(query__of_shared_facts),
	cmocka_unit_test(enter__lets_everybody_in),
	cmocka_unit_test(commit__of_anonymous_memory_does_nothing),
	cmocka_unit_test(commit__of_a_file_syncs_it),
	cmocka_unit_test(export__says_what_it_said_before),
	cmocka_unit_test(export__revoked_is_of_the_same_region),
	cmocka_unit_test(id__is_of_one_life_of_a_slot),
	cmocka_unit_test(renewal__tells_of_it),
	cmocka_unit_test(deregister__is_the_cache_s),
	cmocka_unit_test(window__is_refused),
	cmocka_unit_test(pinned__is_counted_as_long_as_it_lives),
	cmocka_unit_test(pinned__nothing_of_what_is_paged_on_demand),
	cmocka_unit_test(close__of_the_domain_while_it_lives),
	cmocka_unit_test(end__that_fails_leaves_it),
	cmocka_unit_test(end__with_its_device),
	cmocka_unit_test(facts__agree_but_for_places_and_amounts),
	cmocka_unit_test(fork__the_child_may_not),
};

TEST_MAIN(cases)
