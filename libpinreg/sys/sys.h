/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h -- the only way from the library to verbs and the operating system.
 *
 * Every function returns 0 (or a count, or a descriptor) or -errno and keeps
 * no state of its own, but for the list of descriptors that a forked child has to
 * close (fork.h). Tests put a table of their own into a domain: to make
 * the n-th call fail, or to run the logic where there is no device.
 */
#ifndef PINREG_SYS_SYS_H
#define PINREG_SYS_SYS_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <infiniband/verbs.h>

#include <pinreg/event.h>

#include "sys/maps.h"

struct fiemap;
struct pinreg_device_watch;
struct pinreg_loop;
struct pinreg_persist;

/* What a process may pin. Bytes. */
struct pinreg_memlock {
	uint64_t limit; /* UINT64_MAX: none (RLIM_INFINITY or CAP_IPC_LOCK) */
	uint64_t used;	/* VmPin; not read (0) where there is no limit */
};

/* What file_look finds out about an open file. */
struct pinreg_file_look {
	mode_t mode;
	uint64_t size;
	uint64_t device; /* st_dev */
	uint64_t inode;
	bool dax;
	bool overlay;
	bool tmpfs;
	bool immutable;
	bool seals_cache;   /* the immutable flag leaves writers through mappings alive */
	bool extent_hints;  /* the filesystem takes hints for the size of extents */
	uint64_t allocated; /* bytes of its blocks */
	uint64_t room;	    /* bytes free on the filesystem */
	uint64_t born_ns;   /* when the inode was made, since 1970; 0: not known */
	unsigned int links;
	uid_t owner;
};

/* What FS_IOC_FSGETXATTR tells and FS_IOC_FSSETXATTR takes. */
struct pinreg_file_flags {
	uint32_t xflags;  /* FS_XFLAG_* of <linux/fs.h> */
	uint32_t extsize; /* hint for the size of extents, bytes; 0: none */
};

/*
 * The CPUs that a thread may run on, also by NUMA node: the node it runs on now
 * comes first. Without nodes: there is one, or nothing is known of them.
 */
#define PINREG_NODES_MAX 64
struct pinreg_cpus {
	unsigned int count;
	unsigned int nodes;
	cpu_set_t of_node[PINREG_NODES_MAX];
};

/* Bytes of a boot's name, with the zero at its end. */
#define PINREG_BOOT_ID 37

/* Pages that can be asked for at once. */
#define PINREG_RESIDENT_MAX 32

/* What wakes the watcher. fd is -1 where nothing of the kind came. */
struct pinreg_wakeup {
	bool command; /* the eventfd was written */
	bool inotify; /* some watched inode was closed */
	bool signals; /* signals wait: take them with signals_next() */
	bool device;  /* take it with device_watch_next() */
};

/* What became of a device. */
struct pinreg_device_news {
	enum pinreg_device_event event;
	unsigned int port; /* 0: all of it */
};

/* How the watcher hears of broken leases: see signals.c. */
struct pinreg_signals {
	int signal;
	bool shared;	    /* others may wait for that signal too: see before taking one */
	unsigned int ready; /* what may have more than was taken */
	int epoll;	    /* polls readable when something may have come; -1: not open */
	int lease;
	int overflow;
};

/* Memory whose pages are gone, or (later) go as soon as the message is read. */
struct pinreg_unmap {
	uint64_t addr;
	uint64_t length;
	bool later;
};

struct pinreg_sys {
	/* verbs */
	int (*device_query)(struct ibv_context *context, struct ibv_device_attr_ex *out);
	int (*port_query)(struct ibv_context *context, unsigned int port,
			  struct ibv_port_attr *out);
	/* iova: the address that work requests give for addr */
	int (*mr_register)(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			   unsigned int access, struct ibv_mr **out);
	int (*mr_register_dmabuf)(struct ibv_pd *pd, int fd, uint64_t offset, size_t length,
				  uint64_t iova, unsigned int access, struct ibv_mr **out);
	/* fault pages of an ODP region in; never for another region */
	int (*mr_prefetch)(struct ibv_mr *mr, void *addr, uint64_t length, bool write);
	int (*mr_count)(struct ibv_context *context, uint64_t *out); /* regions of the device */
	int (*mr_deregister)(struct ibv_mr *mr);

	/* a signaled SEND whose bytes may change at once */
	int (*send_inline)(struct ibv_qp *qp, uint64_t wr_id, const void *data, uint32_t length);

	/* windows of type 2. The bind is signaled; *rkey is good when it has completed. */
	int (*window_make)(struct ibv_pd *pd, struct ibv_mw **out);
	int (*window_bind)(struct ibv_mw *window, struct ibv_qp *qp, uint64_t wr_id,
			   const struct ibv_mw_bind_info *info, uint32_t *rkey);
	int (*window_end)(struct ibv_mw *window); /* its key is dead afterwards */

	/*
	 * a reliable connection of the device to itself, for the data test.
	 * All transfers wait for the completion; -EREMOTEIO where it is an
	 * error, -ETIMEDOUT where there is none.
	 */
	int (*loop_open)(struct ibv_pd *pd, unsigned int port, struct pinreg_loop **out);
	int (*loop_write)(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
			  uint32_t rkey, uint64_t remote_addr, uint32_t length);
	int (*loop_read)(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
			 uint32_t rkey, uint64_t remote_addr, uint32_t length);
	/* on the eight bytes at remote_addr; what was there before goes to local_addr */
	int (*loop_fetch_add)(struct pinreg_loop *loop, const struct ibv_mr *local,
			      uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			      uint64_t add);
	int (*loop_compare_swap)(struct pinreg_loop *loop, const struct ibv_mr *local,
				 uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
				 uint64_t compare, uint64_t swap);
	void (*loop_close)(struct pinreg_loop *loop);

	/* the process's memory map */
	int (*maps_begin)(struct pinreg_maps *maps);
	/* the first mapping that ends behind addr; -ENOENT: none */
	int (*maps_find)(struct pinreg_maps *maps, uint64_t addr, struct pinreg_mapping *out);
	void (*maps_end)(struct pinreg_maps *maps);
	/* does the byte lie in a writable segment of the program or a library? */
	bool (*program_data)(uint64_t addr);
	void (*mapped_file)(const struct pinreg_mapping *mapping, struct pinreg_mapped_file *out);
	int (*memlock)(struct pinreg_memlock *out);
	int (*map_count)(uint64_t *used, uint64_t *limit); /* vm.max_map_count */

	/* files */
	int (*file_open)(int dirfd, const char *path, int flags, mode_t mode);
	int (*file_close)(int fd);
	int (*descriptor_copy)(int fd); /* closed on exec */
	/* fd is what with is, and what it was is closed */
	int (*descriptor_replace)(int fd, int with);
	int (*file_look)(int fd, struct pinreg_file_look *out);
	/* the inode and device that path leads to now, links not followed */
	int (*path_look)(int dirfd, const char *path, uint64_t *device, uint64_t *inode);
	int (*file_unlink)(int dirfd, const char *path);
	int (*file_rename)(int dirfd, const char *from, const char *to); /* replaces */
	/* from the current position: all of it; of a read the bytes there are, up to length */
	int (*file_write)(int fd, const void *data, size_t length);
	ssize_t (*file_read)(int fd, void *data, size_t length);
	int (*file_allocate)(int fd, int mode, uint64_t offset, uint64_t length);
	int (*file_resize)(int fd, uint64_t size);
	int (*file_zero)(int fd, uint64_t offset, uint64_t length); /* by writing zeros */
	/* where data (or a hole) begins at or behind offset; -ENXIO: nowhere */
	int (*file_seek)(int fd, uint64_t offset, bool data, uint64_t *out);
	int (*file_sync)(int fd);
	int (*file_extents)(int fd, struct fiemap *map);
	/* -ENOTTY or -EOPNOTSUPP: the filesystem has none; read-only flags may be set again */
	int (*file_flags_get)(int fd, struct pinreg_file_flags *out);
	int (*file_flags_set)(int fd, const struct pinreg_file_flags *flags);
	/* 1, 0; -errno: not known. device as st_dev */
	int (*device_can_dax)(uint64_t device);
	/* tells an inode from a later one of that number */
	int (*file_generation)(int fd, uint64_t *out);

	/* mappings */
	uint64_t (*page_size)(void); /* of ordinary pages, bytes */
	int (*map)(int fd, uint64_t length, bool sync, void **out);
	/* in place of what is mapped at addr, in one step: the file, or memory that is nobody's */
	int (*map_over)(int fd, void *addr, uint64_t length, bool sync);
	int (*map_nobody)(void *addr, uint64_t length);
	int (*map_anonymous)(uint64_t length, void **out);
	int (*map_shared_read_only)(uint64_t length, void **out); /* of a nameless file */
	int (*unmap)(void *addr, uint64_t length);
	int (*sync_mapping)(void *addr, uint64_t length); /* msync of the pages it touches */
	int (*populate)(void *addr, uint64_t length, bool write); /* the pages it touches */
	/* forget the pages until they are touched: shared ones keep their data, others do not */
	int (*drop)(void *addr, uint64_t length);
	/* of each page: is it there, so that a pin has nothing to make? */
	void (*resident)(void *const *pages, unsigned int count, bool *out);
	/* bytes of a transparent huge page; 0: there are none; *ask: only where advised */
	uint64_t (*huge_size)(bool *ask);
	int (*advise_huge)(void *addr, uint64_t length);
	void (*cpus)(struct pinreg_cpus *out);
	unsigned int (*cpus_online)(void);    /* of the machine, whoever may run on them */
	int (*run_on)(const cpu_set_t *cpus); /* this thread, from now on */
	int (*persist_open)(int fd, void *addr, uint64_t length, bool map_sync,
			    struct pinreg_persist **out);
	int (*persist_range)(struct pinreg_persist *persist, void *addr, uint64_t length);
	void (*persist_close)(struct pinreg_persist *persist);

	/* leases: see docs/kernel-facts.md, "Leases" */
	int (*lease_take)(int fd, int signal, pid_t thread);
	int (*lease_get)(int fd, int *type); /* F_WRLCK, F_RDLCK or F_UNLCK */
	/*
	 * 1, also while it is being broken; 0: it is gone, or was made a read lease by
	 * force; -errno: nobody can tell
	 */
	int (*lease_held)(int fd);
	int (*lease_release)(int fd); /* -EAGAIN: there was none */
	/* who has one that an open would break: lease_holder.h */
	pid_t (*lease_holder)(uint64_t device, uint64_t inode, bool write);
	uint64_t (*lease_break_ns)(void); /* until the kernel takes it away; UINT64_MAX: never */

	/* who we are, for a record that outlives us */
	pid_t (*process_id)(void);
	int (*process_start)(pid_t process, uint64_t *ticks); /* since boot; -ESRCH: not there */
	int (*process_namespace)(uint64_t *out);	      /* of process numbers */
	int (*boot_id)(char out[PINREG_BOOT_ID]);
	uid_t (*user_id)(void);			 /* effective */
	int (*random)(void *out, size_t length); /* up to 256 bytes that nobody guesses */
	/*
	 * For who holds a lease without the watcher: keep signal and SIGIO from the
	 * calling thread; later take away those that came, and restore the mask.
	 */
	int (*signals_block)(int signal, sigset_t *before);
	int (*signals_restore)(int signal, const sigset_t *before);

	/* the watcher's sources */
	/* the one that is wanted, or (0) one that nobody uses; -EBUSY: they all are in use */
	int (*signal_choose)(int wanted, struct pinreg_signals *out);
	/* the chosen one: blocks it and SIGIO in the calling thread, which reads them */
	int (*signals_open)(struct pinreg_signals *signals);
	void (*signals_close)(struct pinreg_signals *signals); /* what was opened of it */
	/* descriptors of broken leases, -1: any may be; a count; less than room: all for now */
	int (*signals_next)(struct pinreg_signals *signals, int *fds, unsigned int room);
	/* one of them is of none of ours: if it is of somebody else's lease, give it back */
	void (*signals_unknown)(struct pinreg_signals *signals, int fd);
	int (*event_open)(void);
	int (*event_raise)(int fd);
	int (*event_clear)(int fd);
	int (*inotify_open)(void);
	/* closes of the inode behind fd, renames, changes of it; opens: also who opens it, or
	   changes its data */
	int (*inotify_watch)(int inotify, int fd, bool opens);
	int (*inotify_unwatch)(int inotify, int watch);
	/* the watches that saw something, -1: any may have; a count, 0: none is left */
	int (*inotify_next)(int inotify, int *watches, unsigned int room);
	/*
	 * what becomes of the device of a context; *fd, which belongs to the watch, is
	 * readable when there is news. next: -EAGAIN: none; after REMOVED nothing comes
	 */
	int (*device_watch_open)(struct ibv_context *context, struct pinreg_device_watch **out,
				 int *fd);
	int (*device_watch_next)(struct pinreg_device_watch *watch, struct pinreg_device_news *out);
	void (*device_watch_close)(struct pinreg_device_watch *watch);
	/* device may be -1 */
	int (*wait)(int event, int inotify, int signal, int device, int timeout_ms,
		    struct pinreg_wakeup *out);

	/*
	 * Hearing of memory that is unmapped, moved or emptied: unmaps.c. Of what is watched
	 * a message comes, and until it is read the thread that does so is stopped.
	 * open: a descriptor; *step: the call that failed
	 */
	int (*unmaps_open)(const char **step);
	/*
	 * Whole pages; -EBUSY: some belong to another userfaultfd. To unwatch asks nobody
	 * whose they are: in Linux 6.12 another's end too
	 */
	int (*unmaps_watch)(int fd, uint64_t addr, uint64_t length);
	int (*unmaps_unwatch)(int fd, uint64_t addr, uint64_t length);
	/* a count, 0: none; what is moved is two, room at least 2 */
	int (*unmaps_next)(int fd, struct pinreg_unmap *out, unsigned int room);
	/* 1: of something that has begun the message is not read yet; 0; -errno */
	int (*unmaps_pending)(int fd);
	/* until there is a message or event is raised; fd -1: for event only */
	int (*unmaps_wait)(int fd, int event, bool *message, bool *raised);

	pid_t (*thread_id)(void);
	uint64_t (*now_ns)(void); /* CLOCK_MONOTONIC */

	/*
	 * register: once, before the first barrier. -EOPNOTSUPP, -EPERM, -ENOSYS: not to be
	 * had. barrier: between its call and its return each thread of the process comes
	 * through a full memory barrier, wherever it is in its own program.
	 */
	int (*barrier_register)(void);
	int (*barrier)(void);
};

/* The real one. */
extern const struct pinreg_sys pinreg_sys_real;

#endif
