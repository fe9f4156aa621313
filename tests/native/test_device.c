/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_device.c -- what is made of a device's attributes.
 */
#include <errno.h>

#include "support/fake_device.h"
#include "support/test.h"

static void device__capabilities(void **state)
{
	(void)state;
	struct pinreg_device device;

	fake_device_reset();
	fake_device.attr.odp_caps.per_transport_caps.ud_odp_caps = IBV_ODP_SUPPORT_SEND;
	fake_device.attr.orig_attr.max_mr_size = UINT64_MAX;
	fake_device.attr.orig_attr.max_mr = 4711;
	fake_device_use(&device);
	assert_int_equal(device.odp, IBV_ODP_SUPPORT);
	assert_int_equal(device.odp_rc, IBV_ODP_SUPPORT_WRITE | IBV_ODP_SUPPORT_READ);
	assert_int_equal(device.odp_ud, IBV_ODP_SUPPORT_SEND);
	assert_true(device.max_mr_size == UINT64_MAX);
	assert_int_equal(device.max_mr, 4711);
	assert_int_equal(device.node_guid, 0x1122334455667788);
	assert_int_equal(device.flush_global | device.flush_persistent, 0);
	assert_int_equal(device.memory_windows, 0);
}

static void device__flush_is_two_bits(void **state)
{
	(void)state;
	struct pinreg_device device;

	fake_device_reset();
	fake_device.attr.device_cap_flags_ex = UINT64_C(1) << 38;
	fake_device_use(&device);
	assert_int_equal(device.flush_global, 1);
	assert_int_equal(device.flush_persistent, 0);
	fake_device.attr.device_cap_flags_ex = UINT64_C(1) << 39;
	fake_device_use(&device);
	assert_int_equal(device.flush_global, 0);
	assert_int_equal(device.flush_persistent, 1);
}

static void device__memory_windows(void **state)
{
	(void)state;
	struct pinreg_device device;

	fake_device_reset();
	fake_device.attr.orig_attr.device_cap_flags =
		IBV_DEVICE_MEM_WINDOW | IBV_DEVICE_MEM_WINDOW_TYPE_2B;
	fake_device_use(&device);
	assert_int_equal(device.memory_windows, 5);
	fake_device.attr.orig_attr.device_cap_flags = IBV_DEVICE_MEM_WINDOW_TYPE_2A;
	fake_device_use(&device);
	assert_int_equal(device.memory_windows, 2);
}

static void device__port_that_is_not_there(void **state)
{
	(void)state;
	struct pinreg_device device;

	fake_device_reset();
	fake_device_use(&device);
	device.port = 2;
	assert_int_equal(pinreg_device_init(&device), -EINVAL);
	device.port = 0;
	assert_int_equal(pinreg_device_init(&device), -EINVAL);
}

static void device__mtu(void **state)
{
	(void)state;
	struct pinreg_device device;

	fake_device_reset();
	fake_device_use(&device);
	assert_int_equal(pinreg_device_mtu(&device), 4096);
	fake_device.mtu = IBV_MTU_256;
	assert_int_equal(pinreg_device_mtu(&device), 256);
	fake_device.state = IBV_PORT_DOWN;
	assert_int_equal(pinreg_device_mtu(&device), -ENETDOWN);
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(device__capabilities),
	cmocka_unit_test(device__flush_is_two_bits),
	cmocka_unit_test(device__memory_windows),
	cmocka_unit_test(device__port_that_is_not_there),
	cmocka_unit_test(device__mtu),
};

TEST_MAIN(cases)
