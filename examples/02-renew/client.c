/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c -- write to a server's memory and read it back, whatever becomes of the key.
 *
 * Usage: 02-renew-client ADDRESS PORT RENEWALS [careless]
 * Ends when its key was renewed so often, and the last one has worked.
 * A careless client looks at the server's messages only when it has no key: so it finds
 * out that a key is dead by using it.
 * Exit status: 0, 1 for a failure or a wrong byte, 2 usage.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pinreg/pinreg.h>
#include <rdma/rdma_verbs.h>

#define PIECE 65536u /* of a write; whole pages */
#define RECEIVES 16
#define PATIENCE_MS 30000
#define SILENCE_S 3 /* without a completion: Linux 6.1, docs/kernel-facts.md */

/* Transfers go from and to here; both are whole pages, as the server may want it. */
static _Alignas(4096) unsigned char buffer[2 * PIECE];
static unsigned char inbox[RECEIVES][PINREG_DESCRIPTOR_LENGTH];

static struct rdma_cm_id *id; /* NULL: not connected */
static struct ibv_mr *buffer_mr, *inbox_mr;
static struct pinreg_remote *remote; /* from one connection to the next */
static unsigned long connections, renewals, pieces;

static void disconnect(void)
{
	if (!id)
		return;
	rdma_disconnect(id);
	if (buffer_mr)
		rdma_dereg_mr(buffer_mr);
	if (inbox_mr)
		rdma_dereg_mr(inbox_mr);
	rdma_destroy_ep(id);
	id = NULL;
}

static int post_receive(uintptr_t slot)
{
	return rdma_post_recv(id, (void *)slot, inbox[slot], sizeof(inbox[slot]), inbox_mr);
}

static int connect_to(const char *host, const char *port)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP }, *address;
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC, .sq_sig_all = 1 };
	struct rdma_conn_param param = { .initiator_depth = 1, .retry_count = 7 };

	attr.cap = (struct ibv_qp_cap){ 1, RECEIVES, 1, 1, 0 };
	if (rdma_getaddrinfo(host, port, &hints, &address))
		return -errno;
	int ret = rdma_create_ep(&id, address, NULL, &attr);
	rdma_freeaddrinfo(address);
	if (ret) {
		id = NULL;
		return -errno;
	}
	buffer_mr = rdma_reg_msgs(id, buffer, sizeof(buffer));
	inbox_mr = rdma_reg_msgs(id, inbox, sizeof(inbox));
	if (!buffer_mr || !inbox_mr)
		return -errno;
	for (uintptr_t slot = 0; slot < RECEIVES; slot++)
		if (post_receive(slot))
			return -errno;
	connections++;
	return rdma_connect(id, &param) ? -errno : 0;
}

/* What has arrived. 0 or -errno: the connection is of no use. */
static int take_messages(void)
{
	struct ibv_wc wc;
	int got;

	while ((got = ibv_poll_cq(id->recv_cq, 1, &wc)) > 0) {
		if (wc.status != IBV_WC_SUCCESS)
			return -ECONNRESET;
		if (pinreg_descriptor_detect(inbox[wc.wr_id], wc.byte_len))
			pinreg_remote_update(remote, inbox[wc.wr_id], wc.byte_len);
		if (post_receive(wc.wr_id))
			return -errno;
	}
	return got;
}

/* On-demand paging was proved at one path MTU only. */
static bool path_fits(const struct pinreg_descriptor *key)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { 0 };

	if (!key->mtu)
		return true;
	return ibv_query_qp(id->qp, &attr, IBV_QP_PATH_MTU, &init) == 0 &&
	       128u << attr.path_mtu == key->mtu;
}

static int get_key(struct pinreg_descriptor *key)
{
	int ret = pinreg_remote_get(remote, key);

	for (int ms = 0; ret == -EAGAIN && ms < PATIENCE_MS; ms++) {
		usleep(1000);
		if (take_messages())
			return -ECONNRESET;
		ret = pinreg_remote_get(remote, key);
	}
	return ret == 0 && !path_fits(key) ? -EPROTO : ret;
}

/* One transfer. 0, or -errno; -ECONNRESET: connect again. */
static int transfer(const struct pinreg_descriptor *key, bool write, uint64_t offset)
{
	void *local = write ? buffer : buffer + PIECE;
	struct ibv_wc wc;
	int ret = write ? rdma_post_write(id, NULL, local, PIECE, buffer_mr, 0, key->addr + offset,
					  key->rkey)
			: rdma_post_read(id, NULL, local, PIECE, buffer_mr, 0, key->addr + offset,
					 key->rkey);

	if (ret)
		return -errno;
	time_t end = time(NULL) + SILENCE_S;
	while ((ret = ibv_poll_cq(id->send_cq, 1, &wc)) == 0 && time(NULL) <= end)
		;
	if (ret < 0)
		return -EIO;
	if (ret && wc.status == IBV_WC_SUCCESS)
		return 0;
	printf("generation %llu: %s\n", (unsigned long long)key->generation,
	       ret ? ibv_wc_status_str(wc.status) : "no answer");
	if (ret && wc.status == IBV_WC_REM_ACCESS_ERR)
		pinreg_remote_failed(remote, key->generation);
	return -ECONNRESET;
}

/* Write a piece that no other is like, and read it. */
static int write_and_read(bool careless)
{
	static uint64_t last; /* generation that has worked */
	struct pinreg_descriptor key = { .size = sizeof(key) };
	int ret = !careless && take_messages() ? -ECONNRESET : get_key(&key);

	if (ret)
		return ret;
	uint64_t offset = pieces % (key.length / PIECE) * PIECE;
	for (size_t i = 0; i < PIECE; i++)
		buffer[i] = (unsigned char)(i * 2654435761u >> 13 ^ pieces);
	ret = transfer(&key, true, offset);
	if (ret == 0)
		ret = transfer(&key, false, offset);
	if (ret)
		return ret;
	if (key.generation != last)
		printf("generation %llu, rkey 0x%x\n", (unsigned long long)key.generation,
		       key.rkey);
	renewals += last && key.generation != last;
	last = key.generation;
	pieces++;
	return memcmp(buffer, buffer + PIECE, PIECE) ? -EILSEQ : 0;
}

int main(int argc, char **argv)
{
	bool careless = argc == 5 && strcmp(argv[4], "careless") == 0;

	if (argc != 4 && !careless) {
		fprintf(stderr, "usage: %s ADDRESS PORT RENEWALS [careless]\n", argv[0]);
		return 2;
	}
	setlinebuf(stdout);
	unsigned long wanted = strtoul(argv[3], NULL, 10);
	int ret = pinreg_remote_open(&remote);
	while (ret == 0 && renewals < wanted) {
		if (!id)
			ret = connect_to(argv[1], argv[2]);
		if (ret == 0)
			ret = write_and_read(careless);
		if (ret == -ECONNRESET) {
			disconnect();
			ret = 0;
		}
	}
	disconnect();
	pinreg_remote_close(remote);
	if (ret)
		fprintf(stderr, "%s\n", strerror(-ret));
	printf("%lu pieces, %lu renewals, %lu connections\n", pieces, renewals, connections);
	return ret ? 1 : 0;
}
