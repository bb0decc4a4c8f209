/* Start, vectors and the way to EL0 of arm64.c. */
  .section .text.start, "ax"
  .globl _start, enter_user, leave_user, user_code, user_end
_start:
  ldr x0, =stack_top
  mov sp, x0
  ldr x0, =vectors
  msr vbar_el1, x0
  mov x0, #3 << 20
  msr cpacr_el1, x0
  isb
  bl main
1: wfi
  b 1b

  .macro vector kind
  .balign 128
  sub sp, sp, #272
  stp x0, x1, [sp]
  mov x1, #\kind
  b taken
  .endm
  .balign 2048
vectors:
  .irp kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  vector \kind
  .endr
taken:
  stp x2, x3, [sp, #16]
  stp x4, x5, [sp, #32]
  stp x6, x7, [sp, #48]
  stp x8, x9, [sp, #64]
  stp x10, x11, [sp, #80]
  stp x12, x13, [sp, #96]
  stp x14, x15, [sp, #112]
  stp x16, x17, [sp, #128]
  stp x18, x30, [sp, #144]
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x2, x3, [sp, #160]
  mov x0, sp
  bl trapped
  ldp x2, x3, [sp, #160]
  msr elr_el1, x2
  msr spsr_el1, x3
  ldp x2, x3, [sp, #16]
  ldp x4, x5, [sp, #32]
  ldp x6, x7, [sp, #48]
  ldp x8, x9, [sp, #64]
  ldp x10, x11, [sp, #80]
  ldp x12, x13, [sp, #96]
  ldp x14, x15, [sp, #112]
  ldp x16, x17, [sp, #128]
  ldp x18, x30, [sp, #144]
  ldp x0, x1, [sp], #272
  eret

/* enter_user(pc, argument): until the trap handler comes back through leave_user with what it returns. */
enter_user:
  stp x29, x30, [sp, #-96]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  msr elr_el1, x0
  msr spsr_el1, xzr
  ldr x2, =kept
  mov x3, sp
  str x3, [x2]
  mov x0, x1
  eret
leave_user: /* at EL1, from the handler's frame */
  ldr x2, =kept
  ldr x3, [x2]
  mov sp, x3
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #96
  ret

/* At EL0, position independent: x0 rounds of an addition, a store to the page after this one, and a system call. */
user_code:
  adr x5, user_code
  add x5, x5, #4096
  mov x6, #0
1: add x6, x6, x0
  str x6, [x5]
  svc #7
  ldr x7, [x5]
  cmp x7, x6
  b.ne 2f
  subs x0, x0, #1
  b.ne 1b
  mov x0, x6
  svc #8
2: svc #9
user_end:

  .bss
  .balign 16
kept: .skip 16
  .skip 65536
stack_top:
