# Entry, trap entries for M and S (direct and vectored) and the switch to a lower
# privilege. Policy is in rt.c; this file only saves, calls and restores.

  .equ FRAME, 256
  .equ RETURN, 0x7e57c0de          # a7 of the ecall that ends run_at

  .section .text.init, "ax"
  .globl _start
_start:
  csrw mie, zero
  csrr t0, mhartid
  bnez t0, park
  lla t0, trap_m
  csrw mtvec, t0
  lla t0, m_frame_top
  csrw mscratch, t0
  lla t0, s_frame_top
  csrw sscratch, t0
  lla t0, trap_s
  csrw stvec, t0
  li t0, -1                        # PMP 0: everything for everybody
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  li t6, 0
  lla sp, stack_top
  call test_main
  li a0, 0
  j rt_exit
park:
  wfi
  j park

# rt_exit(a0 = failing check, 0 = pass); M mode only.
  .globl rt_exit
rt_exit:
  slli a0, a0, 1
  ori a0, a0, 1
  lla t1, tohost
1:
  sd a0, 0(t1)
  j 1b

  .macro save_all
  .irp r, 1,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  sd x\r, 8*\r(sp)
  .endr
  .endm
  .macro load_all
  .irp r, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  ld x\r, 8*\r(sp)
  .endr
  ld sp, 16(sp)
  .endm

# x must be m or s. Slot 0 of the frame is the vector entry taken, plus 1; 0 = direct.
  .macro trap_entry x
  .balign 256
  .globl trap_\x, vec_\x
trap_\x:
  csrrw sp, \x\()scratch, sp
  addi sp, sp, -FRAME
  sd x5, 40(sp)
  li x5, 0
common_\x:
  sd x5, 0(sp)
  save_all
  csrr x5, \x\()scratch
  sd x5, 16(sp)
  addi x5, sp, FRAME
  csrw \x\()scratch, x5
  mv a0, sp
  call rt_trap_\x
  lla sp, \x\()_frame_top - FRAME
  load_all
  \x\()ret
  .option push
  .option norvc
  .balign 256
vec_\x:
  .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  j vec_\x\()_\i
  .endr
  .option pop
  .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
vec_\x\()_\i:
  csrrw sp, \x\()scratch, sp
  addi sp, sp, -FRAME
  sd x5, 40(sp)
  li x5, \i + 1
  j common_\x
  .endr
  .endm

  trap_entry m
  trap_entry s

# long run_at(priv, pc, arg, alias): enters pc in privilege priv (0, 1 or 3) with a0 = arg
# on its own stack; alias is added to the addresses of stack and return stub.
# Comes back when the code there returns, or with trap.aborted set after a trap
# that nothing caught. M mode only.
  .globl run_at
run_at:
  addi sp, sp, -112
  sd ra, 0(sp)
  .irp r, 0,1,2,3,4,5,6,7,8,9,10,11
  sd s\r, 8+8*\r(sp)
  .endr
  lla t0, run_sp
  sd sp, 0(t0)
  csrw mepc, a1
  li t0, 3 << 11
  csrc mstatus, t0
  slli a0, a0, 11
  csrs mstatus, a0
  lla sp, run_stack_top
  add sp, sp, a3
  lla ra, run_exit
  add ra, ra, a3
  mv a0, a2
  li a7, 0
  li t6, 0
  mret
  .balign 4
run_exit:
  li a7, RETURN
  ecall

# rt_unwind(value): leaves the M trap handler into the caller of run_at.
  .globl rt_unwind
rt_unwind:
  li a7, 0
  lla t0, run_sp
  ld sp, 0(t0)
  sd zero, 0(t0)
  ld ra, 0(sp)
  .irp r, 0,1,2,3,4,5,6,7,8,9,10,11
  ld s\r, 8+8*\r(sp)
  .endr
  addi sp, sp, 112
  ret

# Hands an exit or return request that was delegated to S on to M, by whichever
# of the two exceptions was not the one that came here (a1 = its cause). A
# program that delegates both cannot end from S.
  .globl rt_forward
rt_forward:
  li t0, 3
  beq a1, t0, 1f
  addi a7, a7, 1                   # BY_EBREAK
  ebreak
1:
  ecall

  .section .tohost, "aw", @progbits
  .balign 64
  .globl tohost, fromhost
  .type tohost, @object
  .size tohost, 8
  .type fromhost, @object
  .size fromhost, 8
tohost:
  .dword 0
fromhost:
  .dword 0
  .balign 4096

  .bss
  .globl run_sp
  .balign 16
run_sp:
  .zero 16
  .zero 16384
stack_top:
  .zero 16384
run_stack_top:
  .zero 8192
m_frame_top:
  .zero 8192
s_frame_top:
  .section .note.GNU-stack, "", @progbits
