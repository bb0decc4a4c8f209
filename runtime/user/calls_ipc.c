/* System V interprocess communication and message queues, where an argument's meaning depends on a command. */
#define _GNU_SOURCE
#include <asm/ipcbuf.h>
#include <asm/sembuf.h>
#include <errno.h>
#include <linux/ipc.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <signal.h>
#include <sys/syscall.h>

#include "mem/space.h"
#include "user/call.h"

enum { MTYPE = 8 };

int64_t call_msgsnd(struct user_thread *t, const uint64_t arg[6]) {
  const uint64_t p = user_pointer(t, arg[1], (int64_t)arg[2] < 0 ? 0 : arg[2] + MTYPE, ARG_IN);
  return HOST(t, msgsnd, arg[0], p, arg[2], arg[3]);
}

int64_t call_msgrcv(struct user_thread *t, const uint64_t arg[6]) {
  const uint64_t p = user_pointer(t, arg[1], (int64_t)arg[2] < 0 ? 0 : arg[2] + MTYPE, ARG_OUT);
  return HOST(t, msgrcv, arg[0], p, arg[2], arg[3], arg[4]);
}

int64_t call_msgctl(struct user_thread *t, const uint64_t arg[6]) {
  const unsigned size = user_structs[STRUCT_msqid_ds].size;
  uint64_t p = arg[2];
  switch ((int)arg[1]) {
  case IPC_RMID: break;
  case IPC_SET: p = user_pointer(t, arg[2], size, ARG_IN); break;
  case IPC_STAT:
  case MSG_STAT:
  case MSG_STAT_ANY: p = user_pointer(t, arg[2], size, ARG_OUT); break;
  case IPC_INFO:
  case MSG_INFO: p = user_pointer(t, arg[2], sizeof(struct msginfo), ARG_OUT); break;
  default: return -EINVAL;
  }
  return HOST(t, msgctl, arg[0], arg[1], p);
}

int64_t call_shmctl(struct user_thread *t, const uint64_t arg[6]) {
  const unsigned size = user_structs[STRUCT_shmid_ds].size;
  uint64_t p = arg[2];
  switch ((int)arg[1]) {
  case IPC_RMID:
  case SHM_LOCK:
  case SHM_UNLOCK: break;
  case IPC_SET: p = user_pointer(t, arg[2], size, ARG_IN); break;
  case IPC_STAT:
  case SHM_STAT:
  case SHM_STAT_ANY: p = user_pointer(t, arg[2], size, ARG_OUT); break;
  case IPC_INFO: p = user_pointer(t, arg[2], sizeof(struct shminfo64), ARG_OUT); break;
  case SHM_INFO: p = user_pointer(t, arg[2], sizeof(struct shm_info), ARG_OUT); break;
  default: return -EINVAL;
  }
  return HOST(t, shmctl, arg[0], arg[1], p);
}

int64_t call_semctl(struct user_thread *t, const uint64_t arg[6]) {
  struct semid64_ds ds;
  int64_t n;
  uint64_t p = arg[3];
  int r;
  switch ((int)arg[2]) {
  case IPC_RMID:
  case GETPID:
  case GETVAL:
  case GETNCNT:
  case GETZCNT:
  case SETVAL: break;
  case IPC_SET:
    if ((r = user_struct_read(t, STRUCT_semid_ds, arg[3], &ds))) return r;
    return HOST(t, semctl, arg[0], arg[1], arg[2], (uint64_t)&ds);
  case IPC_STAT:
  case SEM_STAT:
  case SEM_STAT_ANY:
    n = HOST(t, semctl, arg[0], arg[1], arg[2], (uint64_t)&ds);
    if (n >= 0 && (r = user_struct_write(t, STRUCT_semid_ds, arg[3], &ds))) return r;
    return n;
  case IPC_INFO:
  case SEM_INFO: p = user_pointer(t, arg[3], sizeof(struct seminfo), ARG_OUT); break;
  case GETALL:
  case SETALL:
    n = HOST(t, semctl, arg[0], 0, IPC_STAT, (uint64_t)&ds);
    if (n < 0) return n;
    p = user_pointer(t, arg[3], ds.sem_nsems * sizeof(uint16_t), (int)arg[2] == GETALL ? ARG_OUT : ARG_IN);
    break;
  default: return -EINVAL;
  }
  return HOST(t, semctl, arg[0], arg[1], arg[2], p);
}

/* SIGEV_THREAD has a pointer inside. */
int64_t call_mq_notify(struct user_thread *t, const uint64_t arg[6]) {
  struct sigevent event;
  const uint64_t fd = (uint64_t)(int64_t)user_fd(t, arg[0]);
  if (!arg[1]) return HOST(t, mq_notify, fd, 0);
  int r = space_read(t->process->space, arg[1], &event, sizeof event);
  if (!r && event.sigev_notify == SIGEV_THREAD) {
    r = user_touch(t, (gva_t)event.sigev_value.sival_ptr, NOTIFY_COOKIE_LEN, ARG_IN);
    if (user_fd_hidden(t->process, event.sigev_signo)) r = -EBADF;
  }
  return r ? r : HOST(t, mq_notify, fd, (uint64_t)&event);
}
