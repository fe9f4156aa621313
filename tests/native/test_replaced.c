/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replaced.c -- the path of a leased file leads to another inode, or nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/hooks.h"
#include "support/test.h"

static struct pinreg_domain *domain;
static struct pinreg_file *file;
static struct pinreg_region *region;
static struct pinreg_file_info info;
static unsigned char *memory;
static struct pinreg_event event;

/* Other bytes than those of host_file(). */
static unsigned char other_byte(unsigned int offset)
{
	return (unsigned char)~host_byte(offset);
}

static void make_other(const char *path, unsigned int pages)
{
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	for (unsigned int i = 0; i < pages * 4096; i++)
		putc(other_byte(i), out);
	assert_int_equal(fclose(out), 0);
}

static void start_with(enum pinreg_replaced on_replaced)
{
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.on_replaced = on_replaced,
	};
	struct pinreg_why why;
	domain = hooks_domain(1);
	hooks_files();
	test_ok(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file));
	region = hooks_register(file);
	info.size = sizeof(info);
	test_ok(pinreg_file_query(file, &info));
	memory = info.addr;
}

static void end(void)
{
	test_ok(pinreg_region_deregister(region));
	test_ok(pinreg_file_close(file));
	host_domain_close(domain);
	assert_int_equal(host_run("! ls -A \"$(dirname '%s')\" | grep -q '^[.]pinreg'", hooks_a),
			 0);
}

static void expect_fenced(enum pinreg_breaker breaker)
{
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	assert_int_equal(event.breaker, breaker);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
}

static void expect_nothing(void)
{
	hooks_nap(200);
	event.size = sizeof(event);
	assert_int_equal(pinreg_domain_next_event(domain, &event), -EAGAIN);
}

/* It is the inode that the path leads to now, at the address it had. */
static void expect_restored(unsigned int replaced)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	struct stat look;
	host_expect(domain, PINREG_EVENT_RESTORED, &event);
	assert_int_equal(event.replaced, replaced);
	assert_int_equal(event.length, HOOKS_LENGTH);
	test_ok(pinreg_file_query(file, &info));
	test_ok(stat(hooks_a, &look));
	assert_int_equal(info.inode, look.st_ino);
	assert_int_equal(info.state, PINREG_FILE_HELD);
	assert_ptr_equal(info.addr, memory);
	test_ok(pinreg_region_keys(region, &keys));
	assert_int_equal(keys.generation, event.generation);
	assert_int_equal(keys.addr, (uintptr_t)memory);
}

static void check_other(unsigned int until)
{
	for (unsigned int i = 0; i < until; i++)
		if (memory[i] != other_byte(i))
			fail_msg("byte %u is %u", i, memory[i]);
}

static void follow__renamed_over_while_held(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	assert_int_equal(host_run("ln '%s' '%s.old'", hooks_a, hooks_a), 0);
	expect_nothing(); /* a second name is no other file */
	make_other(hooks_b, HOOKS_PAGES);
	test_ok(rename(hooks_b, hooks_a));
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_restored(1);
	assert_int_equal(event.generation, 2);
	assert_int_equal(event.old_size, HOOKS_LENGTH);
	assert_int_equal(event.new_size, HOOKS_LENGTH);
	assert_int_equal(event.zeroed, 0);
	check_other(HOOKS_LENGTH);
	/* what is stored now is in the new one, and the old one is nobody's */
	memory[0] = 1;
	memory[1] = 2;
	test_ok(pinreg_region_commit(region, 0, 4096));
	assert_int_equal(host_run("exec 9<>'%s.old' && test \"$(od -An -tu1 -N1 '%s.old')\" -eq %u",
				  hooks_a, hooks_a, host_byte(0)),
			 0);
	expect_nothing();
	assert_int_equal(host_run("test \"$(od -An -tu1 -N2 '%s' | tr -s ' ')\" = ' 1 2'", hooks_a),
			 0);
	/* that was an ordinary break of the new one's lease */
	expect_fenced(PINREG_BREAKER_READER);
	expect_restored(0);
	end();
}

static void follow__again_and_again(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	for (unsigned int round = 0; round < 10; round++) {
		make_other(hooks_b, HOOKS_PAGES);
		test_ok(rename(hooks_b, hooks_a));
		expect_fenced(PINREG_BREAKER_REPLACED);
		expect_restored(1);
		check_other(HOOKS_LENGTH);
	}
	end();
}

static void follow__shorter_one_is_grown(void **state)
{
	(void)state;
	struct stat look;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, 2);
	test_ok(rename(hooks_b, hooks_a));
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_restored(1);
	assert_int_equal(event.old_size, HOOKS_LENGTH);
	assert_int_equal(event.new_size, 8192);
	assert_int_equal(event.zeroed, HOOKS_LENGTH - 8192);
	assert_int_equal(event.zeroed_offset, 8192);
	check_other(8192);
	for (unsigned int i = 8192; i < HOOKS_LENGTH; i++)
		assert_int_equal(memory[i], 0);
	test_ok(stat(hooks_a, &look));
	assert_int_equal(look.st_size, HOOKS_LENGTH);
	end();
}

static void follow__longer_one_is_served_in_part(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, HOOKS_PAGES + 3);
	test_ok(rename(hooks_b, hooks_a));
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_restored(1);
	assert_int_equal(event.new_size, HOOKS_LENGTH + 3 * 4096);
	check_other(HOOKS_LENGTH);
	end();
}

static void follow__nothing_there_and_then_another(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	test_ok(unlink(hooks_a));
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_nothing();
	memset(memory, 0xee, HOOKS_LENGTH);
	make_other(hooks_b, HOOKS_PAGES);
	test_ok(rename(hooks_b, hooks_a));
	expect_restored(1);
	check_other(HOOKS_LENGTH);
	end();
}

static void follow__away_and_back_is_the_same(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	assert_int_equal(host_run("mv '%s' '%s.away'", hooks_a, hooks_a), 0);
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_nothing();
	assert_int_equal(host_run("mv '%s.away' '%s'", hooks_a, hooks_a), 0);
	expect_restored(0);
	assert_int_equal(event.zeroed, 0);
	assert_int_equal(memory[77], host_byte(77));
	end();
}

static void follow__another_that_is_in_use(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, HOOKS_PAGES);
	int user = host_stay("exec 9<>'%s'; mv '%s' '%s'", hooks_b, hooks_b, hooks_a);
	expect_fenced(PINREG_BREAKER_REPLACED);
	expect_nothing();
	assert_int_equal(host_let_go(user), 0);
	expect_restored(1);
	check_other(HOOKS_LENGTH);
	end();
}

static void follow__replaced_during_a_break(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, HOOKS_PAGES);
	assert_int_equal(host_run("exec 9<>'%s'; mv '%s' '%s'", hooks_a, hooks_b, hooks_a), 0);
	host_expect(domain, PINREG_EVENT_BREAK, &event);
	host_expect(domain, PINREG_EVENT_FENCED, &event);
	expect_restored(1);
	check_other(HOOKS_LENGTH);
	end();
}

static void follow__closed_while_nothing_is_there(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	test_ok(unlink(hooks_a));
	expect_fenced(PINREG_BREAKER_REPLACED);
	end();
}

static void expect_lost(enum pinreg_reason reason, const char *words)
{
	struct pinreg_keys keys = { .size = sizeof(keys) };
	char text[256];
	expect_fenced(PINREG_BREAKER_REPLACED);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, reason);
	pinreg_why_describe(&event.why, text, sizeof(text));
	if (!strstr(text, words))
		fail_msg("'%s' has no '%s'", text, words);
	assert_int_equal(pinreg_region_keys(region, &keys), -ESTALE);
	memory[0] = 1;
}

static void follow__directory_in_its_place(void **state)
{
	(void)state;
	start_with(PINREG_REPLACED_FOLLOW);
	assert_int_equal(host_run("rm '%s'; mkdir '%s'", hooks_a, hooks_a), 0);
	expect_lost(PINREG_REASON_FILE_NOT_REGULAR, "regular");
	end();
}

static int elsewhere(int fd, struct pinreg_file_look *out)
{
	int status = pinreg_sys_real.file_look(fd, out);
	out->device += out->size == 3 * 4096u;
	return status;
}

static void follow__on_another_filesystem(void **state)
{
	(void)state;
	hooks.file_look = elsewhere;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, 3);
	test_ok(rename(hooks_b, hooks_a));
	expect_lost(PINREG_REASON_FILE_REPLACED, "on another filesystem");
	end();
}

static int in_dax_state(int fd, struct pinreg_file_look *out)
{
	int status = pinreg_sys_real.file_look(fd, out);
	out->dax = out->size == 3 * 4096u;
	return status;
}

static void follow__in_another_dax_state(void **state)
{
	(void)state;
	hooks.file_look = in_dax_state;
	start_with(PINREG_REPLACED_FOLLOW);
	make_other(hooks_b, 3);
	test_ok(rename(hooks_b, hooks_a));
	expect_lost(PINREG_REASON_FILE_REPLACED, "in DAX state");
	end();
}

static void give_up__nothing_changes_while_held(void **state)
{
	(void)state;
	struct pinreg_keys keys = { .size = sizeof(keys) };
	start_with(PINREG_REPLACED_GIVE_UP);
	make_other(hooks_b, HOOKS_PAGES);
	assert_int_equal(
		host_run("ln '%s' '%s.old'; mv '%s' '%s'", hooks_a, hooks_a, hooks_b, hooks_a), 0);
	expect_nothing();
	test_ok(pinreg_region_keys(region, &keys));
	assert_int_equal(memory[7], host_byte(7));
	/* by its other name it is broken, and only then lost */
	assert_int_equal(host_run("exec 9<>'%s.old'", hooks_a), 0);
	expect_fenced(PINREG_BREAKER_WRITER);
	host_expect(domain, PINREG_EVENT_LOST, &event);
	assert_int_equal(event.why.reason, PINREG_REASON_FILE_REPLACED);
	end();
}

static _Atomic(bool) hidden;

static int look_or_not(int dirfd, const char *path, uint64_t *device, uint64_t *inode)
{
	return hidden ? -EACCES : pinreg_sys_real.path_look(dirfd, path, device, inode);
}

/* A directory on the way is closed to us for a while, and nobody knows what is there. */
static void path__cannot_be_looked_at_for_a_while(void **state)
{
	(void)state;
	hooks.path_look = look_or_not;
	start_with(PINREG_REPLACED_GIVE_UP);
	int writer = host_stay("exec 9>>'%s'", hooks_a);
	expect_fenced(PINREG_BREAKER_WRITER);
	hidden = true;
	assert_int_equal(host_let_go(writer), 0);
	expect_nothing();
	hidden = false;
	expect_restored(0);
	end();
}

static void options__follow_needs_a_lease(void **state)
{
	(void)state;
	struct pinreg_file_opts opts = {
		.size = sizeof(opts),
		.allow_page_cache = 1,
		.seal = PINREG_SEAL_NONE,
		.on_replaced = PINREG_REPLACED_FOLLOW,
	};
	struct pinreg_why why;
	domain = hooks_domain(1);
	hooks_files();
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file), -EINVAL);
	assert_int_equal(why.reason, PINREG_REASON_BAD_OPTION);
	opts.seal = PINREG_SEAL_LEASE;
	opts.on_replaced = 2;
	assert_int_equal(pinreg_file_open(domain, AT_FDCWD, hooks_a, &opts, &why, &file), -EINVAL);
	host_domain_close(domain);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(follow__renamed_over_while_held),
	cmocka_unit_test(follow__again_and_again),
	cmocka_unit_test(follow__shorter_one_is_grown),
	cmocka_unit_test(follow__longer_one_is_served_in_part),
	cmocka_unit_test(follow__nothing_there_and_then_another),
	cmocka_unit_test(follow__away_and_back_is_the_same),
	cmocka_unit_test(follow__another_that_is_in_use),
	cmocka_unit_test(follow__replaced_during_a_break),
	cmocka_unit_test(follow__closed_while_nothing_is_there),
	cmocka_unit_test(follow__directory_in_its_place),
	cmocka_unit_test(follow__on_another_filesystem),
	cmocka_unit_test(follow__in_another_dax_state),
	cmocka_unit_test(give_up__nothing_changes_while_held),
	cmocka_unit_test(path__cannot_be_looked_at_for_a_while),
	cmocka_unit_test(options__follow_needs_a_lease),
};

TEST_MAIN(cases)
