/* Runs random programs and tells what the processor's state was at each of their breakpoints and faults: as hashes, or one
 * of them in full. Streams: generate.py. Static program; stdin to stdout.
 *
 * A program is entered, and left at a breakpoint, through a signal's context, which holds the whole state; so it may use
 * every register and holds no code of ours. At a breakpoint the state is made anew, partly of values at borders; behind a
 * faulting instruction it goes on as it is. */
#define STATE_ALONE
#include "../meaning/native.c"

enum { AREA = 1 << 16, MEMORY = 1 << 16, POOL = 16, STACK = 1 << 18 };
#define CODE_AT   UINT64_C(0x50000000)
#define MEMORY_AT UINT64_C(0x51000000) /* nothing is mapped around either */

enum { FIXED, FREE, POOLED };
struct word {
  uint32_t kind, zero;
  uint64_t mask, fixed, pool[POOL];
};
struct head {
  uint32_t nwords, nprograms, rounds, most; /* events of one program at most */
  uint32_t dump;                            /* 1: event `event` of program `program` in full */
  uint32_t program, event;
  uint32_t memory; /* MEMORY bytes follow: what memory holds at the start of each round */
};
struct program {
  uint64_t seed;
  uint32_t number, size;
  uint64_t nfixed; /* words that have other fixed values here: pairs of word and value, then */
};                 /* the code, then a byte for each of its bytes: the length of the instruction that starts there */
/* Before the full state, in a dump. */
struct dump {
  uint64_t pc, from; /* of the event, and where the state was made before it */
  uint32_t signal, nwords;
};

static const struct head *head;
static struct word *word;
static const uint8_t *memory, *next_program, *lengths;
static const struct program *current;
static uint64_t random_state, now[NWORDS], made[NWORDS], saved[NWORDS], saved_pc, made_at;
static uint32_t programs, rounds, events, *count;
static uint64_t *volatile out;
static uint8_t *made_memory, *output;
static struct dump dump; /* nwords 0: not yet */
static int ending;

static uint64_t draw(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

static void make(ucontext_t *u, uint64_t pc) {
  for (int i = 0; i < NWORDS; i++) {
    const struct word *w = &word[i];
    uint64_t x = w->kind == FIXED ? 0 : draw();
    if (w->kind == FIXED) now[i] = w->fixed;
    else if (w->kind == POOLED || (x & 3) == 1) now[i] = w->pool[x >> 8 & (POOL - 1)];
    else if (!(x & 3)) now[i] = draw() & w->mask;
  }
  set_state(u, now);
  set_pc(u, pc);
  made_at = pc;
  if (!head->dump) return;
  memcpy(made, now, sizeof now);
  memcpy(made_memory, (void *)MEMORY_AT, MEMORY);
}

static void fill(void) {
  uint64_t *m = (uint64_t *)MEMORY_AT;
  if (memory) memcpy(m, memory, MEMORY);
  else
    for (int i = 0; i < MEMORY / 8; i++) m[i] = draw();
}

static void start_round(ucontext_t *u) {
  if (memory) fill();
  make(u, CODE_AT);
}

static void protect(int prot) {
  if (mprotect((void *)CODE_AT, AREA, prot)) _exit(4);
}

/* Back to main. */
static void leave(ucontext_t *u) {
  ending = 1;
  set_state(u, saved);
  set_pc(u, saved_pc);
}

static void start_program(ucontext_t *u) {
  if (programs++ == head->nprograms) {
    leave(u);
    return;
  }
  current = (const struct program *)next_program;
  const uint64_t *fixed = (const uint64_t *)(current + 1);
  for (uint64_t i = 0; i < current->nfixed; i++) word[fixed[2 * i]].fixed = fixed[2 * i + 1];
  const uint8_t *code = (const uint8_t *)(fixed + 2 * current->nfixed);
  lengths = code + current->size;
  next_program = code + ((2 * current->size + 7) & ~7u);
  protect(PROT_READ | PROT_WRITE);
  uint64_t stop;
  for (unsigned i = 0; i < 8; i += BREAK_SIZE) memcpy((uint8_t *)&stop + i, break_code, BREAK_SIZE);
  for (uint64_t *to = (uint64_t *)CODE_AT; to < (uint64_t *)(CODE_AT + AREA); to++) *to = stop;
  memcpy((void *)CODE_AT, code, current->size);
  memcpy((uint8_t *)CODE_AT + current->size, break_code, BREAK_SIZE);
  __builtin___clear_cache((char *)CODE_AT, (char *)CODE_AT + AREA);
  protect(PROT_READ | PROT_EXEC);
  random_state = current->seed | 1;
  rounds = events = 0;
  count = (uint32_t *)out;
  memset(count, 0, 16);
  out += 2;
  get_state(u, now);
  for (int i = 0; i < NWORDS; i++) now[i] = word[i].fixed;
  fill();
  start_round(u);
}

static void end_program(ucontext_t *u) {
  const uint64_t *m = (const uint64_t *)MEMORY_AT;
  uint64_t h = 0;
  for (int i = 0; i < MEMORY / 8; i++) h = mix(h, m[i]);
  *out++ = h;
  count[0] = current->number;
  count[1] = events;
  start_program(u);
}

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)info;
  if (sig == SIGUSR1) {
    get_state(u, saved);
    saved_pc = get_pc(u);
    start_program(u);
    return;
  }
  uint64_t pc = get_pc(u);
  if (sig == SIGTRAP) pc -= BREAK_ADVANCE;
  get_state(u, now);
  if (head->dump && current->number == head->program && events == head->event) {
    dump = (struct dump){pc, made_at, (uint32_t)sig, NWORDS};
    leave(u);
    return;
  }
  uint64_t h = mix((uint64_t)sig, pc), at = pc - CODE_AT;
  for (int i = 0; i < NWORDS; i++) h = mix(h, now[i]);
  *out++ = h;
  events++;
  count[2] += sig == SIGTRAP;
  const int inside = at < current->size && lengths[at];
  if (sig == SIGTRAP && inside && events < head->most) make(u, pc + BREAK_SIZE);
  else if (sig != SIGTRAP && inside && events < head->most) set_pc(u, pc + lengths[at]);
  else if (at != current->size || ++rounds == head->rounds || events >= head->most) end_program(u);
  else start_round(u);
}

static void put(const void *from, size_t n) {
  for (const uint8_t *p = from; n;) {
    ssize_t k = write(1, p, n);
    if (k <= 0) _exit(5);
    p += k;
    n -= (size_t)k;
  }
}

static void *map(uint64_t at, size_t n) {
  void *p = mmap((void *)at, n, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
  if (p == MAP_FAILED) _exit(6);
  return p;
}

int main(void) {
  size_t n = 0, room = (size_t)1 << 28;
  uint8_t *in = map(0, room);
  for (ssize_t k; (k = read(0, in + n, room - n)) > 0;) n += (size_t)k;
  head = (const struct head *)in;
  if (head->nwords != NWORDS) {
    fprintf(stderr, "runner: the stream is for another program: %u words, not %u\n", head->nwords, NWORDS);
    return 2;
  }
  word = (struct word *)(in + sizeof *head);
  next_program = (const uint8_t *)(word + NWORDS);
  if (head->memory) {
    memory = next_program;
    next_program += MEMORY;
  }
  map(CODE_AT, AREA);
  map(MEMORY_AT, MEMORY);
  made_memory = map(0, MEMORY);
  output = map(0, ((size_t)head->most + 3) * 8 * head->nprograms + 4096);
  out = (uint64_t *)output;
  stack_t stack = {.ss_sp = map(0, STACK), .ss_size = STACK};
  sigaltstack(&stack, NULL);
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static const int signals[] = {SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &a, NULL);
  kill(getpid(), SIGUSR1);
  if (!ending) return 3;
  if (dump.nwords) {
    put(&dump, sizeof dump);
    put(made, sizeof made);
    put(now, sizeof now);
    put(made_memory, MEMORY);
    put((void *)MEMORY_AT, MEMORY);
    return 0;
  }
  if (head->dump) return 0;
  put(output, (size_t)((uint8_t *)out - output));
  return 0;
}
