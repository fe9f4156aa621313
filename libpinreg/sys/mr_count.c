/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mr_count.c -- how many memory regions a device has, of all processes: RDMA
 * netlink's resource summary.
 */
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>
#include <string.h>

#include "sys/real.h"

struct question {
	const char *device;
	uint32_t index; /* of the device */
	bool found;
	uint64_t regions;
	int status;
};

/* One device of the list: is it ours? */
static int see_device(struct nl_msg *message, void *context)
{
	struct question *question = context;
	struct nlattr *attrs[RDMA_NLDEV_ATTR_MAX];
	if (nlmsg_parse(nlmsg_hdr(message), 0, attrs, RDMA_NLDEV_ATTR_MAX - 1, NULL) < 0)
		return NL_SKIP;
	struct nlattr *name = attrs[RDMA_NLDEV_ATTR_DEV_NAME];
	struct nlattr *index = attrs[RDMA_NLDEV_ATTR_DEV_INDEX];
	if (name && index && !nla_strcmp(name, question->device)) {
		question->index = nla_get_u32(index);
		question->found = true;
	}
	return NL_OK;
}

static void see_entry(struct nlattr *entry, struct question *question)
{
	struct nlattr *attrs[RDMA_NLDEV_ATTR_MAX];
	if (nla_parse_nested(attrs, RDMA_NLDEV_ATTR_MAX - 1, entry, NULL) < 0)
		return;
	struct nlattr *name = attrs[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME];
	struct nlattr *count = attrs[RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR];
	if (name && count && !nla_strcmp(name, "mr")) {
		question->regions = nla_get_u64(count);
		question->status = 0;
	}
}

static int see_summary(struct nl_msg *message, void *context)
{
	struct nlattr *attrs[RDMA_NLDEV_ATTR_MAX];
	struct nlattr *entry;
	int left;
	if (nlmsg_parse(nlmsg_hdr(message), 0, attrs, RDMA_NLDEV_ATTR_MAX - 1, NULL) < 0 ||
	    !attrs[RDMA_NLDEV_ATTR_RES_SUMMARY])
		return NL_SKIP;
	nla_for_each_nested(entry, attrs[RDMA_NLDEV_ATTR_RES_SUMMARY], left)
		see_entry(entry, context);
	return NL_OK;
}

static int ask(struct nl_sock *socket, int command, int flags, nl_recvmsg_msg_cb_t see,
	       struct question *question)
{
	int type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command);
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);
	if (!message)
		return -ENOMEM;
	int status = 0;
	if (question->found)
		status = nla_put_u32(message, RDMA_NLDEV_ATTR_DEV_INDEX, question->index);
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, see, question);
	if (status >= 0)
		status = nl_send_auto(socket, message);
	nlmsg_free(message);
	if (status >= 0)
		status = nl_recvmsgs_default(socket);
	return status < 0 ? -EIO : 0;
}

int pinreg_real_mr_count(struct ibv_context *context, uint64_t *out)
{
	struct question question = {
		.device = ibv_get_device_name(context->device),
		.status = -ENOENT,
	};
	struct nl_sock *socket = nl_socket_alloc();
	if (!socket)
		return -ENOMEM;
	int status = nl_connect(socket, NETLINK_RDMA) < 0 ? -EIO : 0;
	if (!status)
		status = ask(socket, RDMA_NLDEV_CMD_GET, NLM_F_DUMP, see_device, &question);
	if (!status && !question.found)
		status = -ENOENT;
	if (!status)
		status = ask(socket, RDMA_NLDEV_CMD_RES_GET, 0, see_summary, &question);
	nl_socket_free(socket);
	if (status || question.status)
		return status ? status : question.status;
	*out = question.regions;
	return 0;
}
