/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.h -- the functions of the real table, one for each member of struct
 * pinreg_sys, named after it.
 */
#ifndef PINREG_SYS_REAL_H
#define PINREG_SYS_REAL_H

#include "sys/lease_holder.h"
#include "sys/sys.h"

int pinreg_real_device_query(struct ibv_context *context, struct ibv_device_attr_ex *out);
int pinreg_real_port_query(struct ibv_context *context, unsigned int port,
			   struct ibv_port_attr *out);
int pinreg_real_mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
			    unsigned int access, struct ibv_mr **out);
int pinreg_real_mr_register_dmabuf(struct ibv_pd *pd, int fd, uint64_t offset, size_t length,
				   uint64_t iova, unsigned int access, struct ibv_mr **out);
int pinreg_real_mr_prefetch(struct ibv_mr *mr, void *addr, uint64_t length, bool write);
int pinreg_real_mr_count(struct ibv_context *context, uint64_t *out);
int pinreg_real_mr_deregister(struct ibv_mr *mr);
int pinreg_real_send_inline(struct ibv_qp *qp, uint64_t wr_id, const void *data, uint32_t length);
int pinreg_real_window_make(struct ibv_pd *pd, struct ibv_mw **out);
int pinreg_real_window_bind(struct ibv_mw *window, struct ibv_qp *qp, uint64_t wr_id,
			    const struct ibv_mw_bind_info *info, uint32_t *rkey);
int pinreg_real_window_end(struct ibv_mw *window);
int pinreg_real_loop_open(struct ibv_pd *pd, unsigned int port, struct pinreg_loop **out);
int pinreg_real_loop_write(struct pinreg_loop *loop, const struct ibv_mr *local,
			   uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			   uint32_t length);
int pinreg_real_loop_read(struct pinreg_loop *loop, const struct ibv_mr *local, uint64_t local_addr,
			  uint32_t rkey, uint64_t remote_addr, uint32_t length);
int pinreg_real_loop_fetch_add(struct pinreg_loop *loop, const struct ibv_mr *local,
			       uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
			       uint64_t add);
int pinreg_real_loop_compare_swap(struct pinreg_loop *loop, const struct ibv_mr *local,
				  uint64_t local_addr, uint32_t rkey, uint64_t remote_addr,
				  uint64_t compare, uint64_t swap);
void pinreg_real_loop_close(struct pinreg_loop *loop);
int pinreg_real_maps_begin(struct pinreg_maps *maps);
int pinreg_real_maps_find(struct pinreg_maps *maps, uint64_t addr, struct pinreg_mapping *out);
void pinreg_real_maps_end(struct pinreg_maps *maps);
bool pinreg_real_program_data(uint64_t addr);
void pinreg_real_mapped_file(const struct pinreg_mapping *mapping, struct pinreg_mapped_file *out);
int pinreg_real_memlock(struct pinreg_memlock *out);
int pinreg_real_map_count(uint64_t *used, uint64_t *limit);
int pinreg_real_file_open(int dirfd, const char *path, int flags, mode_t mode);
int pinreg_real_file_close(int fd);
int pinreg_real_descriptor_copy(int fd);
int pinreg_real_descriptor_replace(int fd, int with);
int pinreg_real_file_look(int fd, struct pinreg_file_look *out);
int pinreg_real_path_look(int dirfd, const char *path, uint64_t *device, uint64_t *inode);
int pinreg_real_file_unlink(int dirfd, const char *path);
int pinreg_real_file_rename(int dirfd, const char *from, const char *to);
int pinreg_real_file_write(int fd, const void *data, size_t length);
ssize_t pinreg_real_file_read(int fd, void *data, size_t length);
int pinreg_real_file_allocate(int fd, int mode, uint64_t offset, uint64_t length);
int pinreg_real_file_resize(int fd, uint64_t size);
int pinreg_real_file_zero(int fd, uint64_t offset, uint64_t length);
int pinreg_real_file_seek(int fd, uint64_t offset, bool data, uint64_t *out);
int pinreg_real_file_sync(int fd);
int pinreg_real_file_extents(int fd, struct fiemap *map);
int pinreg_real_file_flags_get(int fd, struct pinreg_file_flags *out);
int pinreg_real_file_flags_set(int fd, const struct pinreg_file_flags *flags);
int pinreg_real_device_can_dax(uint64_t device);
int pinreg_real_file_generation(int fd, uint64_t *out);
uint64_t pinreg_real_page_size(void);
int pinreg_real_map(int fd, uint64_t length, bool sync, void **out);
int pinreg_real_map_over(int fd, void *addr, uint64_t length, bool sync);
int pinreg_real_map_nobody(void *addr, uint64_t length);
int pinreg_real_map_anonymous(uint64_t length, void **out);
int pinreg_real_map_shared_read_only(uint64_t length, void **out);
int pinreg_real_unmap(void *addr, uint64_t length);
int pinreg_real_sync_mapping(void *addr, uint64_t length);
int pinreg_real_populate(void *addr, uint64_t length, bool write);
int pinreg_real_drop(void *addr, uint64_t length);
void pinreg_real_resident(void *const *pages, unsigned int count, bool *out);
uint64_t pinreg_real_huge_size(bool *ask);
int pinreg_real_advise_huge(void *addr, uint64_t length);
void pinreg_real_cpus(struct pinreg_cpus *out);
unsigned int pinreg_real_cpus_online(void);
int pinreg_real_run_on(const cpu_set_t *cpus);
int pinreg_real_persist_open(int fd, void *addr, uint64_t length, bool map_sync,
			     struct pinreg_persist **out);
int pinreg_real_persist_range(struct pinreg_persist *persist, void *addr, uint64_t length);
void pinreg_real_persist_close(struct pinreg_persist *persist);
int pinreg_real_lease_take(int fd, int signal, pid_t thread);
int pinreg_real_lease_get(int fd, int *type);
int pinreg_real_lease_held(int fd);
int pinreg_real_lease_release(int fd);
uint64_t pinreg_real_lease_break_ns(void);
pid_t pinreg_real_process_id(void);
int pinreg_real_process_start(pid_t process, uint64_t *ticks);
int pinreg_real_process_namespace(uint64_t *out);
int pinreg_real_boot_id(char out[PINREG_BOOT_ID]);
uid_t pinreg_real_user_id(void);
int pinreg_real_random(void *out, size_t length);
int pinreg_real_signals_block(int signal, sigset_t *before);
int pinreg_real_signals_restore(int signal, const sigset_t *before);
int pinreg_real_signal_choose(int wanted, struct pinreg_signals *out);
int pinreg_real_signals_open(struct pinreg_signals *signals);
void pinreg_real_signals_close(struct pinreg_signals *signals);
void pinreg_real_signals_unknown(struct pinreg_signals *signals, int fd);
int pinreg_real_signals_next(struct pinreg_signals *signals, int *fds, unsigned int room);
int pinreg_real_event_open(void);
int pinreg_real_event_raise(int fd);
int pinreg_real_event_clear(int fd);
int pinreg_real_inotify_open(void);
int pinreg_real_inotify_watch(int inotify, int fd, bool opens);
int pinreg_real_inotify_unwatch(int inotify, int watch);
int pinreg_real_inotify_next(int inotify, int *watches, unsigned int room);
int pinreg_real_device_watch_open(struct ibv_context *context, struct pinreg_device_watch **out,
				  int *fd);
int pinreg_real_device_watch_next(struct pinreg_device_watch *watch,
				  struct pinreg_device_news *out);
void pinreg_real_device_watch_close(struct pinreg_device_watch *watch);
int pinreg_real_wait(int event, int inotify, int signal, int device, int timeout_ms,
		     struct pinreg_wakeup *out);
int pinreg_real_unmaps_open(const char **step);
int pinreg_real_unmaps_watch(int fd, uint64_t addr, uint64_t length);
int pinreg_real_unmaps_unwatch(int fd, uint64_t addr, uint64_t length);
int pinreg_real_unmaps_next(int fd, struct pinreg_unmap *out, unsigned int room);
int pinreg_real_unmaps_pending(int fd);
int pinreg_real_unmaps_wait(int fd, int event, bool *message, bool *raised);
pid_t pinreg_real_thread_id(void);
uint64_t pinreg_real_now_ns(void);
int pinreg_real_barrier_register(void);
int pinreg_real_barrier(void);

#endif
