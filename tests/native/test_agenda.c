/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_agenda.c -- thousands of files: which one is next, and whose number or
 * address is this.
 */
#include <stdlib.h>

#include "support/test.h"
#include "watch/watch.h"

#define FILES 3000

static struct pinreg_file files[FILES];
static struct pinreg_agenda agenda;

static void put_all(void)
{
	test_ok(pinreg_agenda_reserve(&agenda, FILES));
	for (size_t i = 0; i < FILES; i++)
		pinreg_agenda_put(&agenda, &files[i]);
}

/* Work on it has begun: it is nowhere. */
static void take(struct pinreg_file *file)
{
	file->busy = true;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_NONE);
}

static void agenda__nothing_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		files[i].state = PINREG_FILE_HELD;
	put_all();
	assert_int_equal(pinreg_agenda_due(&agenda), UINT64_MAX);
	pinreg_agenda_advance(&agenda, UINT64_MAX);
	assert_null(pinreg_agenda_first(&agenda, PINREG_TURN_URGENT));
	assert_null(pinreg_agenda_first(&agenda, PINREG_TURN_CALM));
	assert_null(pinreg_agenda_first(&agenda, PINREG_TURN_RETURN));
	pinreg_agenda_destroy(&agenda);
}

static uint64_t due_at(void)
{
	return 1 + (uint64_t)random() % 1000;
}

/* The least time of those that are not taken, by looking at all of them. */
static uint64_t least(void)
{
	uint64_t due = UINT64_MAX;
	for (size_t i = 0; i < FILES; i++)
		if (!files[i].busy && files[i].due_ns < due)
			due = files[i].due_ns;
	return due;
}

static void agenda__due_in_the_order_of_time(void **state)
{
	(void)state;
	srandom(1);
	for (size_t i = 0; i < FILES; i++) {
		files[i].state = i % 2 ? PINREG_FILE_BREAKING : PINREG_FILE_WAITING;
		files[i].due_ns = due_at();
	}
	put_all();
	/* some get another time, some go: from anywhere in the heap */
	for (size_t i = 0; i < FILES; i += 3) {
		take(&files[i]);
		files[i].busy = i % 2;
		files[i].due_ns = due_at();
		pinreg_agenda_put(&agenda, &files[i]);
	}
	for (uint64_t due = least(); due != UINT64_MAX; due = least()) {
		assert_int_equal(pinreg_agenda_due(&agenda), due);
		pinreg_agenda_advance(&agenda, due - 1);
		assert_null(pinreg_agenda_first(&agenda, PINREG_TURN_URGENT));
		pinreg_agenda_advance(&agenda, due);
		assert_int_equal(pinreg_agenda_due(&agenda), 0);
		struct pinreg_file *file;
		while ((file = pinreg_agenda_first(&agenda, PINREG_TURN_URGENT)) != NULL) {
			assert_int_equal(file->state, PINREG_FILE_BREAKING);
			assert_int_equal(file->due_ns, due);
			take(file);
		}
		while ((file = pinreg_agenda_first(&agenda, PINREG_TURN_CALM)) != NULL) {
			assert_int_equal(file->state, PINREG_FILE_WAITING);
			assert_int_equal(file->due_ns, due);
			take(file);
		}
	}
	assert_int_equal(agenda.count, 0);
	pinreg_agenda_destroy(&agenda);
}

static void agenda__first_come_first_served(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		files[i] = (struct pinreg_file){ .state = PINREG_FILE_HELD, .broken = true };
	put_all();
	/* who is told again keeps his place; who goes, from the middle or the end, is gone */
	assert_int_equal(pinreg_agenda_put(&agenda, &files[0]), PINREG_TURN_URGENT);
	files[7].closing = true;
	files[FILES - 1].closing = true;
	pinreg_agenda_put(&agenda, &files[7]);
	pinreg_agenda_put(&agenda, &files[FILES - 1]);
	for (size_t i = 0; i < FILES - 1; i++) {
		if (i == 7)
			continue;
		assert_ptr_equal(pinreg_agenda_first(&agenda, PINREG_TURN_URGENT), &files[i]);
		take(&files[i]);
	}
	assert_null(pinreg_agenda_first(&agenda, PINREG_TURN_URGENT));
	pinreg_agenda_destroy(&agenda);
}

static void agenda__what_changes_the_turn(void **state)
{
	(void)state;
	struct pinreg_file *file = &files[0];
	test_ok(pinreg_agenda_reserve(&agenda, 1));
	*file = (struct pinreg_file){ .state = PINREG_FILE_BREAKING, .due_ns = 5 };
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_LATER);
	file->acked = true;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_URGENT);
	file->state = PINREG_FILE_WAITING;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_LATER);
	file->nudged = true;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_CALM);
	file->state = PINREG_FILE_REVALIDATE;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_RETURN);
	assert_int_equal(pinreg_agenda_due(&agenda), UINT64_MAX); /* not for the watcher */
	file->state = PINREG_FILE_LOST;
	assert_int_equal(pinreg_agenda_put(&agenda, file), PINREG_TURN_NONE);
	pinreg_agenda_destroy(&agenda);
}

static void table__finds_each_of_many(void **state)
{
	(void)state;
	static struct pinreg_entry entries[FILES];
	struct pinreg_table table = { 0 };
	assert_null(pinreg_table_find(&table, 3));
	pinreg_table_remove(&table, &entries[0]); /* is in none */
	for (int i = 0; i < FILES; i++) {
		test_ok(pinreg_table_reserve(&table, (size_t)i + 1));
		pinreg_table_add(&table, &entries[i], i * 5, &files[i]);
	}
	for (int i = 0; i < FILES; i += 2)
		pinreg_table_remove(&table, &entries[i]);
	for (int i = 0; i < FILES; i++) {
		assert_ptr_equal(pinreg_table_find(&table, i * 5), i % 2 ? &files[i] : NULL);
		assert_null(pinreg_table_find(&table, i * 5 + 1));
	}
	pinreg_table_destroy(&table);
}

static void mapped__finds_each_of_many(void **state)
{
	(void)state;
	struct pinreg_mapped mapped = { 0 };
	test_ok(pinreg_mapped_reserve(&mapped, FILES));
	assert_null(pinreg_mapped_before(&mapped, UINT64_MAX));
	/* neither in order nor in the opposite of it */
	for (size_t i = 0; i < FILES; i++) {
		files[i].prepared.addr = (void *)(((i * 7) % FILES + 1) * 0x10000);
		pinreg_mapped_add(&mapped, &files[i]);
	}
	for (size_t i = 0; i < FILES; i++) {
		uint64_t addr = (uintptr_t)files[i].prepared.addr;
		assert_ptr_equal(pinreg_mapped_before(&mapped, addr + 1), &files[i]);
		assert_ptr_equal(pinreg_mapped_before(&mapped, addr + 0x10000), &files[i]);
	}
	assert_null(pinreg_mapped_before(&mapped, 0x10000));
	struct pinreg_file stranger = { .prepared.addr = (void *)0x18000 };
	pinreg_mapped_remove(&mapped, &stranger);
	for (size_t i = 0; i < FILES; i++)
		pinreg_mapped_remove(&mapped, &files[FILES - 1 - i]);
	assert_int_equal(mapped.count, 0);
	pinreg_mapped_destroy(&mapped);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(agenda__nothing_to_do),
	cmocka_unit_test(agenda__due_in_the_order_of_time),
	cmocka_unit_test(agenda__first_come_first_served),
	cmocka_unit_test(agenda__what_changes_the_turn),
	cmocka_unit_test(table__finds_each_of_many),
	cmocka_unit_test(mapped__finds_each_of_many),
};

TEST_MAIN(cases)
