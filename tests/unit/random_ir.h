/* Random numbers and random IR for test_hostcg.c: operations on integers, floating point, vectors; values that are
 * interesting to them. Included once, where a block under construction is known. */
static uint64_t seed = 1;
static uint64_t rnd(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}
static bool nans;   /* many NaNs, in operations that have one default NaN */
static bool dense;  /* nothing but products, sums and stores */
static bool chains; /* many products around the smallest normal number, of rules that look at each result */
/* Powers of which two or three together make the border, with few bits or all; NaNs, zeros. */
static uint64_t around_the_border(void) {
  static const int16_t power[] = {0, -1, -255, -256, -257, -511, -512, -766, -767, -768, -1021, -1022};
  static const uint64_t rest[] = {0, 0, 1, 0xfffffffffffff, 0xfffffffffffff, 0x8000000000000};
  static const uint64_t other[] = {0,
                                   0,
                                   0x7ff8000000000123,
                                   0xfff8000000000000,
                                   0x7ff0000000000001,
                                   0x7ff0000000000000,
                                   1,
                                   0x000fffffffffffff,
                                   0x7fe0000000000000};
  const uint64_t r = rnd();
  if (!(r >> 61)) return other[r % ARRAY_SIZE(other)] | (r >> 20 & 1) << 63;
  return (r >> 20 & 1) << 63 | (uint64_t)(1023 + power[r % ARRAY_SIZE(power)]) << 52 |
         rest[(r >> 24) % ARRAY_SIZE(rest)];
}
static uint64_t interesting(void) {
  static const uint64_t k[] = {0,
                               1,
                               2,
                               31,
                               63,
                               0x7f,
                               0x80,
                               0xff,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               0x7fffffffffffffff,
                               0x8000000000000000,
                               0xffffffffffffffff,
                               0xffffffff80000000};
  uint64_t r = rnd();
  if (chains && r >> 61) return around_the_border();
  static const uint64_t floats[] = {
      0x3ff0000000000000, 0xbff8000000000000, 0x7ff8000000000000, 0xfff8000000000123,
      0x7ff0000000000001, 0x7ff0000000000000, 0xfff0000000000000, 0x0010000000000000,
      0x800fffffffffffff, 0x41dfffffffe00000, 0xc3e0000000000000, 0x3f800000,
      0x7fc00000,         0xff800001,         0x00800000,         0x4f000000};
  if (!(r >> 60) || (nans && r >> 62)) return floats[r / 2 % ARRAY_SIZE(floats)];
  return r & 1 ? k[r / 2 % ARRAY_SIZE(k)] : r & 2 ? rnd() : rnd() >> (r >> 8 & 63);
}

static const uint8_t binary[] = {IR_ADD,  IR_SUB,  IR_MUL,  IR_AND,  IR_OR,  IR_XOR,
                                 IR_ANDN, IR_DIVU, IR_DIVS, IR_REMU, IR_REMS};
static const uint8_t wide[] = {IR_MULHU, IR_MULHS, IR_MULHSU};
static const uint8_t shift[] = {IR_SHL, IR_SHRU, IR_SHRS, IR_ROL, IR_ROR};
static const uint8_t compare[] = {IR_EQ, IR_NE, IR_LTU, IR_LEU, IR_LTS, IR_LES, IR_ADDO, IR_SUBO};
static const uint8_t unary[] = {IR_NOT, IR_NEG, IR_CLZ, IR_CTZ, IR_POPCOUNT, IR_BSWAP, IR_BREV, IR_ORC8};
static const uint8_t long_division[] = {IR_DIVUW, IR_REMUW};
#define PICK(list) list[rnd() % ARRAY_SIZE(list)]

struct pool {
  ref at[400];
  unsigned n;
};
static ref any(const struct pool *p) { /* recent ones more often, so that some die early and some live long */
  return p->at[rnd() & 1 ? rnd() % p->n : p->n - 1 - rnd() % (p->n < 6 ? p->n : 6)];
}

/* ---- floating point and vectors ---- */

static const uint8_t arithmetic[] = {IR_FADD, IR_FSUB, IR_FMUL, IR_FDIV, IR_FMIN, IR_FMAX};
static const uint8_t order[] = {IR_FEQ, IR_FLT, IR_FLE, IR_FUN};
static const uint8_t lanewise[] = {IR_VADD,  IR_VSUB,  IR_VMUL, IR_VMINS, IR_VMINU,
                                   IR_VMAXS, IR_VMAXU, IR_VEQ,  IR_VLTS,  IR_VLTU};
static const uint8_t bitwise[] = {IR_AND, IR_OR, IR_XOR, IR_ANDN};
static const uint8_t lane_shift[] = {IR_VSHL, IR_VSHRU, IR_VSHRS};
static const uint8_t lanes[] = {8, 16, 32, 64};

static uint32_t how(void) {
  static const uint8_t bits[] = {32, 64};
  if (block.nfp == IR_MAX_FP) {
    uint32_t k = (uint32_t)(rnd() % IR_MAX_FP);
    while (block.fp[k].lane) k = (k + 1) % IR_MAX_FP;
    return k;
  }
  const uint64_t r = rnd();
  if (chains && r % 9) {
    block.fp[block.nfp] = (struct ir_fp){.nan = r & 1 << 20 ? FP_NAN_FIRST_SNAN_FIRST_QNAN : FP_NAN_DEFAULT,
                                         .tiny = FP_TINY_BEFORE,
                                         .bits = 64,
                                         .sign = 1,
                                         .quiet = (r >> 10 & 3) % 3};
    return block.nfp++;
  }
  if (nans && r % 5) {
    block.fp[block.nfp] = (struct ir_fp){.nan = r >> 8 & 1 ? FP_NAN_DEFAULT : FP_NAN_CANONICAL,
                                         .minmax = r >> 9 & 1,
                                         .bits = 64,
                                         .sign = 1,
                                         .quiet = (r >> 10 & 3) % 3};
    return block.nfp++;
  }
  block.fp[block.nfp] = (struct ir_fp){.rm = r & 1 ? 0 : r >> 1 & 3,
                                       .nan = r >> 4 & 3,
                                       .tiny = r >> 6 & 1,
                                       .daz = r >> 7 & 7 ? FP_DAZ_KEEP : r >> 12 & 3,
                                       .ftz = r >> 14 & 7 ? FP_FTZ_KEEP : FP_FTZ_FLUSH,
                                       .minmax = r >> 18 & 1,
                                       .bad = (r >> 20 & 3) % 3,
                                       .bits = bits[r >> 22 & 1],
                                       .sign = r >> 23 & 1,
                                       .quiet = (r >> 24 & 3) % 3,
                                       .exact = r >> 26 & 1};
  return block.nfp++;
}

/* Values by type: truth values b; words w, their halves h; floats d, s; vectors v. */
struct pools {
  struct pool w, h, b, d, s, v;
};
static void add(struct pool *p, ref r) { p->at[p->n++] = r; }

static void random_float(struct pools *p) {
  static const uint8_t often[] = {IR_FMUL, IR_FMUL, IR_FMUL, IR_FADD, IR_FSUB, IR_FDIV};
  if (chains && p->d.n > 1 && rnd() & 7) {
    const uint32_t k = how();
    if (rnd() % 12) add(&p->d, append(PICK(often), IT_F64, any(&p->d), any(&p->d), 0, k));
    else add(&p->d, append(IR_FSQRT, IT_F64, any(&p->d), 0, 0, k));
    return;
  }
  const bool wide_ = rnd() & 1;
  struct pool *f = wide_ ? &p->d : &p->s, *other = wide_ ? &p->s : &p->d;
  const enum ir_type t = wide_ ? IT_F64 : IT_F32, int_ = wide_ ? IT_I64 : IT_I32;
  struct pool *n = wide_ ? &p->w : &p->h;
  if (!f->n || !other->n || !(rnd() & 3)) {
    add(f, append(IR_CAST, t, any(n), 0, 0, 0));
    if (!other->n) return;
  }
  const uint32_t k = how();
  const bool to64 = block.fp[k].bits == 64;
  switch (rnd() % 12) {
  case 0: add(n, append(IR_CAST, int_, any(f), 0, 0, 0)); break;
  case 1: add(&p->b, append(PICK(order), IT_I32, any(f), any(f), 0, k)); break;
  case 2: add(f, append(IR_FSQRT, t, any(f), 0, 0, k)); break;
  case 3: add(f, append(IR_FMA, t, any(f), any(f), any(f), k)); break;
  case 4: add(f, append(IR_FCVT, t, any(other), 0, 0, k)); break;
  case 5: add(to64 ? &p->w : &p->h, append(IR_FTOI, to64 ? IT_I64 : IT_I32, any(f), 0, 0, k)); break;
  case 6: add(f, append(IR_ITOF, t, any(to64 ? &p->w : &p->h), 0, 0, k)); break;
  case 7: add(f, append(IR_FRINT, t, any(f), 0, 0, k)); break;
  case 8: add(&p->h, append(IR_FCLASS, IT_I32, any(f), 0, 0, 0)); break;
  case 9: add(f, append(IR_SELECT, t, any(&p->b), any(f), any(f), 0)); break;
  default: add(f, append(PICK(arithmetic), t, any(f), any(f), 0, k)); break;
  }
}

static void random_packed(struct pools *p) {
  static const uint8_t two[] = {IR_FADD, IR_FSUB, IR_FMUL, IR_FDIV, IR_FMIN,
                                IR_FMAX, IR_FEQ,  IR_FLT,  IR_FLE,  IR_FUN};
  static const uint8_t one[] = {IR_FSQRT, IR_FRINT, IR_FTOI, IR_ITOF};
  if (block.nfp == IR_MAX_FP) return;
  const uint32_t k = how();
  const unsigned w = rnd() & 1 ? 32 : 64;
  block.fp[k].lane = (uint8_t)w;
  if (block.fp[k].quiet == IR_SILENT) block.fp[k].quiet = IR_QUIET; /* of one comparison alone */
  block.fp[k].bits = (uint8_t)w;
  switch (rnd() % 4) {
  case 0: add(&p->v, append(PICK(one), IT_V128, any(&p->v), 0, 0, k)); break;
  case 1: add(&p->v, append(IR_FMA, IT_V128, any(&p->v), any(&p->v), any(&p->v), k)); break;
  default: add(&p->v, append(PICK(two), IT_V128, any(&p->v), any(&p->v), 0, k)); break;
  }
}

/* Operations that some hosts have no code for. */
static bool whole_host(void) {
  unsigned all = 0;
#define COUNT(name, bit)                                                                     \
  all += (cg_features() >> (bit)&1) && (!strcmp(#name, "AES") || !strcmp(#name, "PCLMUL") || \
                                        !strcmp(#name, "SHA") || !strcmp(#name, "AVX2"));
  CG_NEEDS(COUNT)
  return all == 4;
}

static void random_packed_integer(struct pools *p) {
  static const uint8_t saturating[] = {IR_VADDSS, IR_VADDSU, IR_VSUBSS, IR_VSUBSU};
  static const uint8_t products[] = {IR_VMULHS, IR_VMULHU, IR_VMULHR};
  static const uint8_t by_lane[] = {IR_VSHLV, IR_VSHRUV};
  const enum ir_op crypto = (enum ir_op)(IR_VCLMULL + rnd() % (IR_VSHBS + 1 - IR_VCLMULL));
  const ref a = any(&p->v), b = any(&p->v);
  switch (rnd() % 6) {
  case 0: add(&p->v, append(PICK(saturating), IT_V128, a, b, 0, rnd() & 1 ? 8 : 16)); break;
  case 1: add(&p->v, append(PICK(products), IT_V128, a, b, 0, 16)); break;
  case 2: add(&p->v, append(PICK(by_lane), IT_V128, a, b, 0, rnd() & 1 ? 32 : 64)); break;
  case 3: add(&p->v, append(IR_VSHRSV, IT_V128, a, b, 0, 32)); break;
  case 4: add(&p->b, append(IR_VANY, IT_I32, a, 0, 0, 0)); break;
  default: {
    const unsigned n = ir_op_info[crypto].nargs;
    add(&p->v, append(crypto, IT_V128, a, n > 1 ? b : 0, n > 2 ? any(&p->v) : 0, 0));
  }
  }
}

static void random_vector(struct pools *p) {
  if (p->v.n && rnd() % 4 == 0) {
    random_packed(p);
    return;
  }
  if (p->v.n && rnd() % 4 == 0 && whole_host()) {
    random_packed_integer(p);
    return;
  }
  const unsigned w = PICK(lanes), at = (unsigned)(rnd() % (128 / w));
  struct pool *n = w == 64 ? &p->w : &p->h;
  const enum ir_type t = w == 64 ? IT_I64 : IT_I32;
  if (!p->v.n || !(rnd() & 7))
    add(&p->v, append(IR_CAST, IT_V128, append(IR_PAIR, IT_I128, any(&p->w), any(&p->w), 0, 0), 0, 0, 0));
  switch (rnd() % 14) {
  case 12: add(&p->v, append(IR_VAVGU, IT_V128, any(&p->v), any(&p->v), 0, rnd() & 1 ? 8 : 16)); break;
  case 13: add(&p->v, append(IR_VLOOK, IT_V128, any(&p->v), any(&p->v), 0, 0)); break;
  case 0: add(&p->v, append(IR_VSPLAT, IT_V128, any(n), 0, 0, w)); break;
  case 1:
  case 2: add(n, append(IR_VLANE, t, any(&p->v), at, 0, w)); break;
  case 3: add(&p->v, append(IR_VINS, IT_V128, any(&p->v), any(n), at, w)); break;
  case 4: {
    ref by = rnd() & 1 ? any(&p->h) : constant(IT_I32, rnd() % 70);
    add(&p->v, append(PICK(lane_shift), IT_V128, any(&p->v), by, 0, w));
    break;
  }
  case 5: add(&p->v, append(PICK(bitwise), IT_V128, any(&p->v), any(&p->v), 0, 0)); break;
  case 6: add(&p->v, append(IR_NOT, IT_V128, any(&p->v), 0, 0, 0)); break;
  case 7: add(&p->v, append(IR_SELECT, IT_V128, any(&p->b), any(&p->v), any(&p->v), 0)); break;
  case 8: {
    if (block.nperm == IR_MAX_PERM) break;
    const unsigned all = rnd() & 1 ? 16 : 32;
    for (unsigned k = 0; k < 16; k++) block.perm[block.nperm][k] = rnd() % 9 ? (uint8_t)(rnd() % all) : 255;
    add(&p->v, append(IR_VPERM, IT_V128, any(&p->v), any(&p->v), 0, block.nperm++));
    break;
  }
  case 9: {
    ref whole = append(IR_CAST, IT_I128, any(&p->v), 0, 0, 0);
    add(&p->w, append(rnd() & 1 ? IR_LOW : IR_HIGH, IT_I64, whole, 0, 0, 0));
    break;
  }
  default: add(&p->v, append(PICK(lanewise), IT_V128, any(&p->v), any(&p->v), 0, w)); break;
  }
}
