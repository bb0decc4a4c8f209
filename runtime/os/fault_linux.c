/* SIGSEGV and SIGBUS on Linux hosts: the fix-up table of os/guest_access.h, and who comes after it. Handlers edit the saved
 * context and return; nothing is locked or allocated in them. */
#define _GNU_SOURCE
#include "os/fault.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/guest_access.h"

#if defined(__linux__)

#define STACK_SIZE ((size_t)64 << 10)

/* Distances from their own addresses. */
struct fixup {
  int32_t insn, landing;
};
/* Both are NULL in a program without accessors. */
extern const struct fixup __start_guest_fixup[] __attribute__((weak, visibility("hidden")));
extern const struct fixup __stop_guest_fixup[] __attribute__((weak, visibility("hidden")));

__thread struct os_fault os_fault_last;
static __thread void *stack; /* ours, of this thread */
static struct sigaction before[2];
static os_fault_fn *code_hook, *sent_hook;

#if defined(__x86_64__)
#define PC(uc) ((uc)->uc_mcontext.gregs[REG_RIP])
#define SP(uc) ((uc)->uc_mcontext.gregs[REG_RSP])
#elif defined(__aarch64__)
#define PC(uc) ((uc)->uc_mcontext.pc)
#define SP(uc) ((uc)->uc_mcontext.sp)
#elif defined(__riscv)
#define PC(uc) ((uc)->uc_mcontext.__gregs[REG_PC])
#define SP(uc) ((uc)->uc_mcontext.__gregs[REG_SP])
#endif

static bool redirect(ucontext_t *uc) {
  const uint64_t pc = (uint64_t)PC(uc);
  for (const struct fixup *f = __start_guest_fixup; f < __stop_guest_fixup; f++) {
    if ((uint64_t)(uintptr_t)&f->insn + (uint64_t)(int64_t)f->insn != pc) continue;
    PC(uc) = (__typeof__(PC(uc)))((uint64_t)(uintptr_t)&f->landing + (uint64_t)(int64_t)f->landing);
    return true;
  }
  return false;
}

static void on_fault(int sig, siginfo_t *info, void *context) {
  const struct sigaction *old = &before[sig == SIGBUS];
  if (info->si_code > 0) {
    if (redirect(context)) {
      os_fault_last.signal = sig;
      return;
    }
    os_fault_fn *hook = __atomic_load_n(&code_hook, __ATOMIC_ACQUIRE);
    if (hook && hook(sig, info, context)) return;
    sigaction(sig, old, NULL); /* the access happens again, and with it the fault */
    return;
  }
  os_fault_fn *hook = __atomic_load_n(&sent_hook, __ATOMIC_ACQUIRE);
  if (hook && hook(sig, info, context)) return;
  sigaction(sig, old, NULL);
  raise(sig); /* delivered when this handler returns */
}

int os_fault_install(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  int r = 0;
  pthread_mutex_lock(&lock);
  for (unsigned i = 0; i < 2 && !r; i++) {
    struct sigaction old;
    if (sigaction(i ? SIGBUS : SIGSEGV, &sa, &old)) r = -errno;
    else if (!(old.sa_flags & SA_SIGINFO) || old.sa_sigaction != on_fault) before[i] = old;
  }
  pthread_mutex_unlock(&lock);
  return r;
}

int os_fault_thread(void) {
  stack_t now;
  if (sigaltstack(NULL, &now)) return -errno;
  if (!(now.ss_flags & SS_DISABLE)) return 0;
  void *p = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return -errno;
  if (sigaltstack(&(stack_t){.ss_sp = p, .ss_size = STACK_SIZE}, NULL)) {
    int r = -errno;
    munmap(p, STACK_SIZE);
    return r;
  }
  stack = p;
  return 0;
}

void os_fault_thread_end(void) {
  if (!stack) return;
  sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
  munmap(stack, STACK_SIZE);
  stack = NULL;
}

void os_fault_hooks(os_fault_fn *code, os_fault_fn *sent) {
  if (code) __atomic_store_n(&code_hook, code, __ATOMIC_RELEASE);
  if (sent) __atomic_store_n(&sent_hook, sent, __ATOMIC_RELEASE);
}

const uint8_t *os_fault_pc(const void *context) {
  return (const uint8_t *)(uintptr_t)PC((const ucontext_t *)context);
}
uint8_t *os_fault_sp(const void *context) { return (uint8_t *)(uintptr_t)SP((const ucontext_t *)context); }
void os_fault_resume(void *context, const void *pc) {
  PC((ucontext_t *)context) = (__typeof__(PC((ucontext_t *)context)))(uintptr_t)pc;
}

#if defined(__riscv)
bool os_guest_cas128(uint64_t a, u128 expect, u128 value, u128 *old) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  bool ok = os_guest_load128(a, old) && os_guest_store128(a, *old == expect ? value : *old);
  pthread_mutex_unlock(&lock);
  return ok;
}
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifdef ASAN
void __asan_get_shadow_mapping(size_t *scale, size_t *offset);
#endif

void os_guest_room(uint64_t hi) {
  (void)hi;
#ifdef ASAN
  /* Between its shadows of low and high memory lies a guarded gap, with the guests' addresses in it. */
  size_t scale, offset;
  __asan_get_shadow_mapping(&scale, &offset);
  const uint64_t gap = ((offset - 1) >> scale) + offset + 1;
  if (gap < hi) munmap((void *)(uintptr_t)gap, hi - gap);
#endif
}

#endif
