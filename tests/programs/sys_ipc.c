/* System V semaphores, messages, shared memory; POSIX message queues. */
#include "sys.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};

int main(void) {
  int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
  OK(id);
  struct semid_ds ds;
  unsigned short values[3] = {4, 5, 6}, back[3] = {0};
  T(semctl(id, 0, SETALL, (union semun){.array = values}));
  T(semctl(id, 0, GETALL, (union semun){.array = back}));
  SHOW("%d %d %d", back[0], back[1], back[2]);
  T(semctl(id, 1, SETVAL, (union semun){.val = 9}));
  T(semctl(id, 1, GETVAL));
  T(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  SHOW("n %lu mode %o uid %d later %d", (unsigned long)ds.sem_nsems, ds.sem_perm.mode,
       ds.sem_perm.uid == getuid(), labs(time(NULL) - ds.sem_ctime) < 5);
  ds.sem_perm.mode = 0640;
  T(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}));
  T(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
  SHOW("mode %o", ds.sem_perm.mode);
  T(semop(id, (struct sembuf[]){{0, -1, 0}, {2, 1, IPC_NOWAIT}}, 2));
  T(semtimedop(id, (struct sembuf[]){{1, -100, 0}}, 1, &(struct timespec){0, 1000000}));
  T(semop(id, (struct sembuf[]){{9, 1, 0}}, 1));
  T(semctl(id, 0, 12345));
  T(semctl(id, 0, IPC_RMID));
  T(semctl(id, 0, GETVAL));
  int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  struct {
    long type;
    char text[32];
  } m = {7, "message"};
  T(msgsnd(q, &m, 8, 0));
  m.type = 0;
  T(msgrcv(q, &m, 32, 7, IPC_NOWAIT));
  SHOW("%ld %s", m.type, m.text);
  T(msgrcv(q, &m, 32, 0, IPC_NOWAIT));
  m.type = 0;
  T(msgsnd(q, &m, 8, 0));
  struct msqid_ds mds;
  T(msgctl(q, IPC_STAT, &mds));
  SHOW("%lu", (unsigned long)mds.msg_qnum);
  T(msgctl(q, IPC_RMID, NULL));
  int sh = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
  struct shmid_ds sds;
  T(shmctl(sh, IPC_STAT, &sds));
  SHOW("%zu %lu", (size_t)sds.shm_segsz, (unsigned long)sds.shm_nattch);
  char *at = shmat(sh, NULL, 0), *ro = shmat(sh, NULL, SHM_RDONLY);
  SHOW("attached %d %d", at != (void *)-1, ro != (void *)-1);
  if (at != (void *)-1 && ro != (void *)-1) {
    strcpy(at + 9000, "shared");
    SHOW("%s", ro + 9000);
    T(shmctl(sh, IPC_STAT, &sds));
    SHOW("%lu", (unsigned long)sds.shm_nattch);
    T(shmdt(at));
    T(shmdt(at));
    T(shmdt(ro));
    T(shmctl(sh, IPC_STAT, &sds));
    SHOW("%lu", (unsigned long)sds.shm_nattch);
  }
  T(shmat(-1, NULL, 0));
  T(shmctl(sh, IPC_RMID, NULL));
  char name[64];
  snprintf(name, sizeof name, "/isomer-test-%d", (int)getpid());
  mqd_t mq =
      mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &(struct mq_attr){.mq_maxmsg = 2, .mq_msgsize = 16});
  if (mq != (mqd_t)-1) {
    char buf[16];
    unsigned prio;
    struct mq_attr attr;
    T(mq_send(mq, "one", 3, 1));
    T(mq_send(mq, "two", 3, 9));
    T(mq_send(mq, "three", 5, 0));
    T(mq_receive(mq, buf, sizeof buf, &prio));
    SHOW("%.3s %u", buf, prio);
    T(mq_getattr(mq, &attr));
    SHOW("%ld %ld %ld", attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs);
    T(mq_receive(mq, buf, 1, &prio));
    T(mq_unlink(name));
  }
  T(mq_unlink("/isomer-none"));
  return 0;
}
